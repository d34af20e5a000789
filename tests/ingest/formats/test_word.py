"""Word documents: what each part of one becomes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from configs.errors import InputError
from ingest.convert import build
from tests.ingest.formats.files import R, W, changed, convert, paragraph, saved, word


def report() -> bytes:
    """A document as python-docx writes it."""
    from docx import Document
    from docx.enum.style import WD_STYLE_TYPE
    from docx.oxml import OxmlElement

    document = Document()
    core = document.core_properties
    core.title, core.author, core.keywords, core.language = (
        "Pump manual",
        "Ada Byron; Bob",
        "pump, water",
        "en-GB",
    )
    core.created, core.modified = datetime(2024, 3, 1, 12), datetime(2024, 4, 2, 8, 30)
    document.add_heading("Pump manual", 0)
    document.add_heading("Setting up", 1)
    line = document.add_paragraph("Read the ")
    line.add_run("whole").bold = True
    line.add_run(" text.")
    for style, text in (
        ("List Number", "Unpack"),
        ("List Number", "Check"),
        ("List Bullet 2", "lid"),
        ("List Bullet 2", "hose"),
        ("List Number", "Connect"),
    ):
        document.add_paragraph(text, style=style)
    document.add_heading("Values", 2)
    table = document.add_table(rows=4, cols=3)
    for y, row in enumerate(
        [["Part", "Size", "Price"], ["Valve", "10", "5"], ["", "20", "7"], ["Total", "", "12 | 13"]]
    ):
        for x, text in enumerate(row):
            table.cell(y, x).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(3, 0).merge(table.cell(3, 1))
    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    code = document.styles.add_style("Source Code", WD_STYLE_TYPE.PARAGRAPH)
    document.add_paragraph("def start():", style=code)
    document.add_paragraph("    run(1 < 2)", style=code)
    document.add_paragraph("Well said.", style="Quote")
    return saved(document)


def test_a_report() -> None:
    converted = convert(report(), ".docx")
    assert converted.body == (
        "# Pump manual\n\n"
        "# Setting up\n\n"
        "Read the **whole** text.\n\n"
        "1. Unpack\n2. Check\n\t- lid\n\t- hose\n3. Connect\n\n"
        "## Values\n\n"
        "| Part | Size | Price |\n| --- | --- | --- |\n| Valve | 10 | 5 |\n| Valve | 20 | 7 |\n"
        "| Total | Total | 12 \\| 13 |\n\n"
        "```\ndef start():\n    run(1 < 2)\n```\n\n"
        "> Well said.\n"
    )
    assert converted.metadata == {
        "title": "Pump manual",
        "author": ["Ada Byron", "Bob"],
        "tags": ["pump", "water"],
        "language": "en",
        "date": datetime(2024, 3, 1, 12, tzinfo=UTC),
        "updated": datetime(2024, 4, 2, 8, 30, tzinfo=UTC),
    }
    assert set(converted.origins.values()) == {"docx"}


def test_the_title_is_the_title_paragraph_where_the_properties_have_none() -> None:
    converted = convert(word(paragraph("Intro", "Heading1") + paragraph("The pump", "Title")), ".docx")
    assert converted.metadata["title"] == "The pump"


LINKED = (
    f'<w:footnotes {W} {R}><w:footnote w:id="-1" w:type="separator"><w:p/></w:footnote>'
    '<w:footnote w:id="2"><w:p><w:r><w:t>See </w:t></w:r><w:r><w:rPr><w:i/></w:rPr>'
    "<w:t>there</w:t></w:r></w:p>"
    "</w:footnote></w:footnotes>"
)


def test_footnotes_and_endnotes_are_numbered_as_they_are_met() -> None:
    mark = '<w:r><w:{kind}Reference w:id="{n}"/></w:r>'
    body = f"<w:p><w:r><w:t>One</w:t></w:r>{mark.format(kind='endnote', n=5)}<w:r><w:t> two</w:t></w:r>"
    body += f"{mark.format(kind='footnote', n=2)}{mark.format(kind='footnote', n=99)}.</w:p>"
    endnotes = f'<w:endnotes {W}><w:endnote w:id="5">{paragraph("At the end.")}</w:endnote></w:endnotes>'
    converted = convert(word(body, footnotes=LINKED, endnotes=endnotes), ".docx")
    assert converted.body == "One[^1] two[^2]\n\n[^1]: At the end.\n\n[^2]: See *there*\n"


def run(text: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t xml:space='preserve'>{text}</w:t></w:r>"


def field(instruction: str, result: str) -> str:
    """What Word computes, with the text that it had when it was saved."""
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'.format
    text = f"<w:r><w:instrText> {instruction} </w:instrText></w:r>"
    return mark("begin") + text + mark("separate") + run(result) + mark("end")


def test_runs_revisions_and_fields() -> None:
    runs = [
        run("a", "<w:b/>"),
        run("b ", "<w:b/>"),
        run("c", '<w:b w:val="0"/>'),
        "<w:ins><w:r><w:t> new</w:t></w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>",
        run(" hidden", "<w:vanish/>"),
        run(" H"),
        run("2", '<w:vertAlign w:val="subscript"/>'),
        run("O, "),
        run("x = 1", '<w:rFonts w:ascii="Consolas"/>'),
        run(", "),
        field('HYPERLINK "https://example.org/f"', "field"),
        "<w:r><w:br/><w:t>next</w:t><w:tab/><w:t>tab</w:t></w:r>",
    ]
    assert convert(word(f"<w:p>{''.join(runs)}</w:p>"), ".docx").body == (
        "**ab** c new H<sub>2</sub>O, `x = 1`, [field](https://example.org/f)  \nnext tab\n"
    )


def test_formulas() -> None:
    fraction = "<m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>π</m:t></m:r></m:den></m:f>"
    power = "<m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup>"
    total = (
        '<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub><m:r><m:t>i=1</m:t></m:r></m:sub>'
        f"<m:sup><m:r><m:t>n</m:t></m:r></m:sup><m:e><m:rad><m:deg/><m:e>{power}</m:e></m:rad></m:e></m:nary>"
    )
    body = f"<w:p><w:r><w:t>Take </w:t></w:r><m:oMath>{fraction}</m:oMath><w:r><w:t> of it.</w:t></w:r></w:p>"
    body += f"<w:p><m:oMathPara><m:oMath>{total}</m:oMath></m:oMathPara></w:p>"
    assert convert(word(body), ".docx").body == (
        "Take $\\frac{a}{\\pi }$ of it.\n\n$$\n\\sum_{i=1}^{n} \\sqrt{x^{2}}\n$$\n"
    )


def test_text_boxes_pictures_and_objects() -> None:
    box = (
        "<w:p><w:r><w:t>Before</w:t></w:r><w:r><mc:AlternateContent><mc:Choice><w:drawing><wps:txbx>"
        "<w:txbxContent>"
        f"{paragraph('In the box')}</w:txbxContent></wps:txbx></w:drawing></mc:Choice><mc:Fallback><w:pict>"
        f"<w:txbxContent>{paragraph('In the box')}</w:txbxContent></w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r></w:p>"
    )
    picture = '<w:p><w:r><w:drawing><wp:docPr id="1" name="x" descr="The pump"/></w:drawing></w:r></w:p>'
    other = "<w:p><w:r><w:drawing/><w:object/></w:r></w:p>"
    converted = convert(word(box + picture + other), ".docx")
    assert converted.body == "Before\n\nIn the box\n\n*Image: The pump*\n"
    assert converted.notes == (
        "left out: embedded objects (1)",
        "left out: pictures without a description (1)",
    )


NUMBERING = f"""<w:numbering {W}>
<w:abstractNum w:abstractNumId="0">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2"/></w:lvl>
</w:abstractNum>
<w:abstractNum w:abstractNumId="1">
<w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="o"/><w:pPr><w:ind w:left="720"/></w:pPr></w:lvl>
<w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/><w:lvlText w:val="o"/>
<w:pPr><w:ind w:left="1440"/></w:pPr></w:lvl>
</w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>
</w:numbering>"""


def numbered(text: str, number: int, level: int, style: str = "", indent: int = 0) -> str:
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    place = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
    shift = f'<w:ind w:left="{indent}"/>' if indent else ""
    return f"<w:p><w:pPr>{named}{place if number else ''}{shift}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_lists_nest_and_count_on() -> None:
    body = numbered("one", 2, 0, "ListParagraph") + numbered("in it", 2, 1, "ListParagraph")
    body += numbered("more of it", 0, 0, indent=1440) + numbered("two", 2, 0, "ListParagraph")
    body += paragraph("Between.") + numbered("three", 2, 0)
    assert convert(word(body, numbering=NUMBERING), ".docx").body == (
        "- one\n\t- in it\n\n\t\tmore of it\n- two\n\nBetween.\n\n- three\n"
    )


def test_numbered_headings_keep_their_numbers() -> None:
    body = (
        numbered("Pumps", 1, 0, "Heading1")
        + numbered("Small", 1, 1, "Heading2")
        + numbered("Large", 1, 1, "Heading2")
    )
    body += numbered("Valves", 1, 0, "Heading1") + numbered("Brass", 1, 1, "Heading2")
    assert convert(word(body, numbering=NUMBERING), ".docx").body == (
        "# 1 Pumps\n\n## 1.a Small\n\n## 1.b Large\n\n# 2 Valves\n\n## 2.a Brass\n"
    )


def test_the_table_of_contents_is_left_out() -> None:
    contents = (
        '<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>'
        f"<w:sdtContent>{paragraph('Intro ... 1')}</w:sdtContent></w:sdt>"
    )
    kept = f"<w:sdt><w:sdtContent>{paragraph('Kept.')}</w:sdtContent></w:sdt>"
    assert convert(word(contents + kept), ".docx").body == "Kept.\n"


def test_links_are_written_and_never_opened() -> None:
    link = '<w:p><w:hyperlink r:id="rId77"><w:r><w:t>the site</w:t></w:r></w:hyperlink></w:p>'
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId77" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink" '
        'Target="https://example.org/a?b=1" TargetMode="External"/></Relationships>'
    )
    data = changed(word(link), {"word/_rels/document.xml.rels": relations})
    assert convert(data, ".docx").body == "[the site](https://example.org/a?b=1)\n"


def test_the_strict_form_reads_the_same() -> None:
    data = word(paragraph("Set up", "Heading1") + paragraph("Words."))
    document = (
        '<w:document xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"><w:body>'
        f"{paragraph('Set up', 'Heading1')}{paragraph('Words.')}</w:body></w:document>"
    )
    strict = changed(data, {"word/document.xml": document})
    assert convert(strict, ".docx").body == convert(data, ".docx").body == "# Set up\n\nWords.\n"


def test_a_table_of_one_cell_is_a_box() -> None:
    cell = f"<w:tbl><w:tr><w:tc>{paragraph('Mind the gap.')}</w:tc></w:tr></w:tbl>"
    assert convert(word(cell), ".docx").body == "Mind the gap.\n"


def table(*rows: str) -> str:
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text)}</w:tc>"


def test_a_caption_within_a_table_is_said_once() -> None:
    rows = [cell("A") + cell("B"), cell("Pumps", '<w:gridSpan w:val="2"/>'), cell("1") + cell("2")]
    assert convert(word(table(*rows)), ".docx").body == (
        "| A | B |\n| --- | --- |\n| Pumps |  |\n| 1 | 2 |\n"
    )


def test_merged_cells_are_not_copied_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MAX_COPIED", 300)
    first = cell("x" * 100, '<w:vMerge w:val="restart"/>') + cell("0")
    rows = [cell("A") + cell("B"), first, *(cell("", "<w:vMerge/>") + cell(str(n)) for n in range(5))]
    assert convert(word(table(*rows)), ".docx").body.count("x" * 100) == 3


def test_tables_nested_too_deeply() -> None:
    deep = "<w:tbl><w:tr><w:tc>" * 200 + paragraph("x") + "</w:tc></w:tr></w:tbl>" * 200
    with pytest.raises(InputError, match="not XML"):
        convert(word(deep), ".docx")
