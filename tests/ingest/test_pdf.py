"""PDFs to markdown: order of reading, headings, lists, tables, code, and what pages repeat."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.convert.base import Converted
from tests.ingest.pdfs import (
    H1,
    H2,
    H3,
    PROSE,
    Paragraph,
    bullets,
    code,
    drawn,
    lines,
    paragraph,
    read_pdf,
    story,
    table,
)


def blocks(found: Converted) -> list[str]:
    return found.body.rstrip("\n").split("\n\n")


def test_paragraphs_are_joined_over_lines_and_headings_have_levels() -> None:
    found = read_pdf(
        story(
            [
                Paragraph("The pump", H1),
                paragraph(PROSE * 4),
                Paragraph("Care", H2),
                paragraph(PROSE * 3),
                Paragraph("In winter", H3),
                paragraph(PROSE * 2),
                Paragraph("Repair", H2),
                paragraph(PROSE),
            ],
            title="Manual",
            author="Ada Lovelace",
        )
    )
    assert blocks(found) == [
        "# The pump",
        (PROSE * 4).strip(),
        "## Care",
        (PROSE * 3).strip(),
        "### In winter",
        (PROSE * 2).strip(),
        "## Repair",
        PROSE.strip(),
    ]
    assert found.metadata["title"] == "Manual"
    assert found.metadata["author"] == "Ada Lovelace"
    assert found.origins["title"] == "pdf"


def test_columns_are_read_one_after_the_other_below_a_title_across() -> None:
    def draw(canvas: Any, size: Any) -> None:
        canvas.setFont("Helvetica-Bold", 18)
        canvas.drawString(72, 770, "A title that goes across both of the columns")
        canvas.setFont("Helvetica", 10)
        for row in range(30):
            # Row by row, as some programs write columns.
            canvas.drawString(72, 730 - 13 * row, f"left {row:02} and words that fill the column")
            canvas.drawString(310, 730 - 13 * row, f"right {row:02} and words that fill the column")
        canvas.drawString(72, 300, "A footnote that goes across both of the columns, over all their width.")

    body = read_pdf(drawn(draw)).body
    order = ("# A title", "left 00", "left 29", "right 00", "right 29", "A foot")
    places = [body.index(word) for word in order]
    assert places == sorted(places)
    assert "left 00 and words that fill the column left 01" in body


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_a_story_reads_the_same_in_any_number_of_columns(columns: int) -> None:
    texts = [f"Number {index}: " + PROSE * 2 for index in range(12)]
    found = read_pdf(story([paragraph(text) for text in texts], columns))
    assert " ".join(found.body.split()) == " ".join(" ".join(texts).split())
    assert len(blocks(found)) >= 12


def test_a_paragraph_goes_on_over_a_page_break() -> None:
    found = read_pdf(story([paragraph(PROSE * 60)]))
    assert blocks(found) == [(PROSE * 60).strip()]
    assert [region.page for region in found.regions] == [1, 2]


def test_a_word_that_a_line_break_cut_is_whole_again() -> None:
    text = read_pdf(
        drawn(lines("The manu-", "facturer of well-", "known pumps and of well-known taps."))
    ).body
    assert text == "The manufacturer of well-known pumps and of well-known taps.\n"


def test_running_heads_and_page_numbers_are_dropped() -> None:
    def decorate(canvas: Any, document: Any) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(72, 810, "The pump manual, edition of 2024")
        canvas.drawCentredString(300, 30, f"Page {canvas.getPageNumber()} of 6")

    texts = [f"Number {index}: " + PROSE * 3 for index in range(60)]
    found = read_pdf(story([paragraph(text) for text in texts], decorate=decorate))
    assert max(region.page for region in found.regions) > 3
    assert "edition" not in found.body
    assert "Page" not in found.body
    assert " ".join(found.body.split()) == " ".join(" ".join(texts).split())


def test_what_two_pages_share_stays() -> None:
    page = lines("The same words on two pages.", "And below them others.")
    assert read_pdf(drawn(page, page)).body.count("The same words") == 2


def test_pages_that_are_all_alike_stay() -> None:
    found = read_pdf(drawn(*[lines("Alike in every way", y=800)] * 5, lines("but this one, which is not")))
    assert "but this one" in found.body


def test_lists_keep_their_items_and_numbers() -> None:
    found = read_pdf(
        story(
            [
                paragraph("One needs:"),
                bullets("a wrench " + PROSE, "a lamp", "some grease"),
                paragraph("Then:"),
                bullets("close the valve", "wait", "open it again", kind="1"),
            ]
        )
    )
    assert f"- a wrench {PROSE.strip()}\n- a lamp\n- some grease" in found.body
    assert "1. close the valve\n2. wait\n3. open it again" in found.body


ROWS = [
    ["Part", "Count", "Made of"],
    ["valve", "2", "brass"],
    ["pipe", "14", "lead | tin"],
    ["lid", "1", "oak"],
]


@pytest.mark.parametrize("grid", [True, False])
def test_tables_become_tables(grid: bool) -> None:
    found = read_pdf(story([paragraph(PROSE * 3), table(ROWS, grid=grid), paragraph(PROSE * 3)]))
    assert blocks(found) == [
        (PROSE * 3).strip(),
        "| Part | Count | Made of |\n| --- | --- | --- |\n| valve | 2 | brass |\n"
        "| pipe | 14 | lead \\| tin |\n| lid | 1 | oak |",
        (PROSE * 3).strip(),
    ]


def test_a_ruled_cell_may_have_several_lines() -> None:
    rows = [["Part", "Remarks"], ["valve", PROSE], ["pipe", "none"]]
    found = read_pdf(story([table(rows, grid=True, width=150)]))
    assert f"| valve | {PROSE.strip()} |" in found.body


def test_a_cell_without_lines_around_it_may_have_several_lines() -> None:
    def draw(canvas: Any, size: Any) -> None:
        canvas.setFont("Helvetica", 10)
        y = 700
        rows = (("valve", "made of brass,", "opens slowly"), ("pipe", "lead"), ("lid", "oak,", "old"))
        for name, *remarks in rows:
            canvas.drawString(72, y, name)
            for remark in remarks:
                canvas.drawString(200, y, remark)
                y -= 12
            y -= 8

    assert read_pdf(drawn(draw)).body == (
        "| valve | made of brass, opens slowly |\n| --- | --- |\n| pipe | lead |\n| lid | oak, old |\n"
    )


def test_a_table_goes_on_over_pages() -> None:
    rows = [["Part", "Count", "Made of"], *([f"part {n}", str(n), "brass"] for n in range(120))]
    found = read_pdf(story([paragraph(PROSE), table(rows, grid=True)]))
    assert found.body.count("| --- | --- | --- |\n") == 1
    assert found.body.count("\n| part ") == 120
    assert {region.page for region in found.regions} >= {1, 2, 3}


def test_code_is_verbatim() -> None:
    source = "def run(pump):\n    if pump.dry:\n        raise Dry('no  water')\n\n    return ```pump```"
    found = read_pdf(story([paragraph(PROSE), code(source), paragraph(PROSE)]))
    assert f"````\n{source}\n````" in found.body


def test_text_that_looks_like_markup_is_escaped() -> None:
    body = read_pdf(drawn(lines("# 5 of the pumps, and x <script>alert(1)</script> is text"))).body
    assert body == "\\# 5 of the pumps, and x \\<script>alert(1)\\</script> is text\n"


def test_links_to_the_web_are_kept() -> None:
    link = '<a href="https://acme.test/a_(b)">the manual</a>'
    found = read_pdf(story([paragraph(f"See {link} for <a href='javascript:alert(1)'>more</a> of it.")]))
    assert found.body == "See [the manual](https://acme.test/a_%28b%29) for more of it.\n"


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotated_pages_are_read_upright(rotation: int) -> None:
    def draw(canvas: Any, size: Any) -> None:
        canvas.setPageRotation(rotation)
        lines("First of all the pump", "is filled with water.", "Then it runs.", y=500)(canvas, size)

    assert "First of all the pump is filled with water." in read_pdf(drawn(draw)).body


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_text_that_is_turned_is_read_in_its_own_direction(angle: int) -> None:
    def draw(canvas: Any, size: Any) -> None:
        canvas.translate(300, 400)
        canvas.rotate(angle)
        lines("First of all the pump is filled", "with water from the well.", x=-100, y=50)(canvas, size)

    found = read_pdf(drawn(draw))
    assert found.body == "First of all the pump is filled with water from the well.\n"
    (region,) = found.regions
    x0, y0, x1, y1 = region.box or (0, 0, 0, 0)
    assert (x1 - x0 < y1 - y0) == (angle != 180)


def test_text_goes_on_around_what_is_set_sideways() -> None:
    def first(canvas: Any, size: Any) -> None:
        lines("The pump runs at noon and stops when the", "valve of brass is closed by the hand of")(
            canvas, size
        )
        canvas.rotate(90)
        canvas.drawString(200, -40, "A note in the margin")

    body = read_pdf(drawn(first, lines("the keeper of the house."))).body
    assert "by the hand of the keeper of the house." in body
    assert "A note in the margin\n" in body


def test_a_hyphen_is_known_by_either_mark() -> None:
    assert read_pdf(drawn(lines("A dis-", "tinguished pump \u00a9."))).body == "A distinguished pump ©.\n"


def test_the_outline_decides_levels() -> None:
    def draw(canvas: Any, size: Any) -> None:
        canvas.setFont("Helvetica", 11)
        y = 760
        for number, (title, level) in enumerate((("Alpha", 0), ("Beta", 1), ("Gamma", 1), ("Delta", 0))):
            canvas.bookmarkPage(title)
            canvas.addOutlineEntry(title, title, level)
            canvas.setFont("Helvetica-Bold", 14)
            canvas.drawString(72, y, title)
            canvas.setFont("Helvetica", 11)
            for row in range(4):
                words = f"Words of the part {number} and so many more"
                canvas.drawString(72, y - 20 - 14 * row, words)
            y -= 120

    found = read_pdf(drawn(draw))
    heads = [line for line in found.body.split("\n") if line.startswith("#")]
    assert heads == ["# Alpha", "## Beta", "## Gamma", "# Delta"]
