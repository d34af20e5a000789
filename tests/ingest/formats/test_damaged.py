"""Files that are not what they should be: one clear line each, no crash, no bomb goes off."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from ingest.convert import xlsx_parts
from ingest.convert.base import Converted
from tests.ingest.formats.files import (
    book,
    changed,
    compound,
    convert,
    notebook,
    old_workbook,
    opendocument,
    outlook,
    paragraph,
    saved,
    word,
    zipped,
)
from tests.ingest.formats.test_pages import ODT, ODT_STYLES, ORG, RST, RTF, message
from tests.ingest.formats.test_sheets import book as workbook
from tests.ingest.formats.test_slides import deck
from tests.ingest.formats.test_word import report

BUILDERS: dict[str, Callable[[], bytes]] = {
    ".docx": report,
    ".pptx": lambda: saved(deck()),
    ".xlsx": lambda: saved(workbook()),
    ".xls": lambda: old_workbook([["Part", "Size"], ["Valve", 10.0]]),
    ".csv": lambda: b'a,b\n"x, y",2\n',
    ".epub": lambda: book({"one.xhtml": "<h1>One</h1><p>Text.</p>"}),
    ".eml": lambda: bytes(message().as_bytes() + b"\nText.\n"),
    ".msg": lambda: outlook({0x37: "Subject", 0x1000: "Text."}),
    ".rst": RST.encode,
    ".org": ORG.encode,
    ".odt": lambda: opendocument(ODT, styles=ODT_STYLES),
    ".rtf": RTF.encode,
    ".ipynb": lambda: notebook([{"cell_type": "markdown", "source": "# A"}]),
    ".json": lambda: json.dumps({"a": [1, {"b": "text"}], "c": "x" * 300}).encode(),
    ".py": lambda: b"import a\n\n\ndef run():\n    pass\n",
}
PACKAGES = (".docx", ".pptx", ".xlsx", ".epub", ".odt")


def check(data: bytes, suffix: str) -> Converted | InputError:
    """It is converted, or refused with one line that says why."""
    try:
        converted = convert(data, suffix)
    except InputError as error:
        return error if str(error).strip() and "\n" not in str(error) else pytest.fail(f"not a line: {error}")
    converted.body.encode()
    assert set(converted.origins) <= set(converted.metadata)
    assert all("\n" not in note for note in converted.notes)
    return converted


def refused(data: bytes, suffix: str) -> str:
    found = check(data, suffix)
    assert isinstance(found, InputError), found
    return str(found)


@pytest.mark.parametrize("suffix", BUILDERS)
def test_the_same_bytes_give_the_same_document(suffix: str) -> None:
    data = BUILDERS[suffix]()
    assert convert(data, suffix) == convert(data, suffix)


@pytest.mark.parametrize("suffix", [*PACKAGES, ".xls", ".eml", ".msg", ".rtf", ".ipynb", ".json"])
def test_an_empty_file(suffix: str) -> None:
    assert "empty" in refused(b"", suffix)


@pytest.mark.parametrize("suffix", PACKAGES)
def test_a_truncated_office_file(suffix: str) -> None:
    data = BUILDERS[suffix]()
    for share in (0.1, 0.5, 0.9, 0.99):
        assert "damaged" in refused(data[: int(len(data) * share)], suffix)


@pytest.mark.parametrize(
    ("suffix", "holds", "words"),
    [
        (".docx", ".xlsx", "not a Word document: its content is an Excel workbook (.xlsx); rename it"),
        (".xlsx", ".docx", "not an Excel workbook: its content is a Word document (.docx); rename it"),
        (".pptx", ".epub", "not a PowerPoint presentation: its content is an e-book (.epub); rename it"),
        (".epub", ".odt", "not an e-book: its content is an OpenDocument text (.odt); rename it"),
        (".odt", ".docx", "not an OpenDocument text: its content is a Word document (.docx); rename it"),
        (".docx", ".rtf", "not a Word document: its content is RTF; rename it"),
        (".docx", ".csv", "not a Word document: its content is no ZIP archive"),
        (".xls", ".xlsx", "its content is a ZIP archive; rename it to .xlsx"),
        (".xls", ".csv", "damaged: cannot be opened as an older Excel workbook"),
        (".docx", ".xls", "it has the binary form of older office programs"),
        (".rtf", ".docx", "not RTF: it does not begin with"),
        (".eml", ".py", "not a message: it does not begin with headers"),
        (".eml", ".docx", "its content is a ZIP archive or office file"),
        (".msg", ".eml", "it is not in the binary form that Outlook writes"),
        (".csv", ".docx", "its content is a ZIP archive or office file"),
        (".py", ".xls", "its content is binary"),
        (".ipynb", ".json", "not a notebook"),
    ],
)
def test_a_file_with_another_kinds_name(suffix: str, holds: str, words: str) -> None:
    assert words in refused(BUILDERS[holds](), suffix)


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx"])
def test_an_encrypted_office_file(suffix: str) -> None:
    data = compound({"EncryptionInfo": b"x" * 100, "EncryptedPackage": b"y" * 5000})
    assert refused(data, suffix).startswith("encrypted: it opens only with a password")


def test_encrypted_open_documents_and_books() -> None:
    odt = opendocument(ODT, manifest="<file-entry><encryption-data/></file-entry>")
    assert refused(odt, ".odt").startswith("encrypted")
    method = '<encryption><EncryptedData><EncryptionMethod Algorithm="{}"/></EncryptedData></encryption>'
    locked = method.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc")
    assert refused(book({"a.xhtml": "x"}, extra={"META-INF/encryption.xml": locked}), ".epub").startswith(
        "encrypted"
    )
    fonts = method.format("http://www.idpf.org/2008/embedding")
    assert convert(book({"a.xhtml": "x"}, extra={"META-INF/encryption.xml": fonts}), ".epub").body == "x\n"


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{}]>'.format(
    "".join(f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(12))
)
MAIN = {
    ".docx": "word/document.xml",
    ".pptx": "ppt/slides/slide1.xml",
    ".xlsx": "xl/worksheets/sheet1.xml",
    ".odt": "content.xml",
    ".epub": "OEBPS/book.opf",
}


@pytest.mark.parametrize("suffix", PACKAGES)
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_xml_that_unfolds_without_end(suffix: str, codec: str) -> None:
    text = BOMB.replace("?>", f' encoding="{codec}"?>', 1) + "<x>&m;</x>"
    error = refused(changed(BUILDERS[suffix](), {MAIN[suffix]: text.encode(codec)}), suffix)
    assert "entit" in error.lower()


def test_xml_that_reads_other_files() -> None:
    outside = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
    for suffix in PACKAGES:
        assert "root:" not in refused(changed(BUILDERS[suffix](), {MAIN[suffix]: outside}), suffix)


@pytest.mark.parametrize("suffix", PACKAGES)
def test_a_zip_bomb(suffix: str) -> None:
    bomb = changed(BUILDERS[suffix](), {MAIN[suffix]: b"<x>" + b" " * 20_000_000 + b"</x>"})
    assert "unpacks to" in refused(bomb, suffix)


def test_many_parts_and_a_part_larger_than_its_directory_says() -> None:
    assert "20001 parts" in refused(zipped({f"p{i}": b"" for i in range(20_001)}), ".docx")
    data = bytearray(changed(report(), {"word/document.xml": b"<x>" + b"a" * 1_000_000}))
    place = data.rfind(b"word/document.xml") - 46 + 24
    data[place : place + 4] = (1000).to_bytes(4, "little")
    assert "damaged" in refused(bytes(data), ".docx")


def test_macros_are_not_looked_at() -> None:
    data = changed(report(), {"word/vbaProject.bin": b"\xd0\xcf\x11\xe0 Sub AutoOpen()"})
    assert convert(data, ".docm").body == convert(report(), ".docx").body


SHEET = "<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'>{}</worksheet>".format


def sheet(rows: str) -> bytes:
    text = SHEET(f"<sheetData>{rows}</sheetData>")
    return changed(saved(openpyxl.Workbook()), {"xl/worksheets/sheet1.xml": text})


def test_rows_and_cells_far_away_and_a_row_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = '<c r="{}" t="inlineStr"><is><t>x</t></is></c>'.format
    assert convert(sheet(f'<row r="9999999">{cell("A9999999")}</row>'), ".xlsx").body == ""
    assert convert(sheet(f'<row r="1">{cell("A1")}{cell("ZZZ1")}</row>'), ".xlsx").body == "## Sheet\n\nx\n"
    monkeypatch.setattr(xlsx_parts, "MAX_ELEMENT", 200_000)
    endless = f'<row r="1">{cell("A1")}</row><row r="2">' + "<c/>" * 200_000 + "</row>"
    assert convert(sheet(endless), ".xlsx").body == "## Sheet\n\nx\n"


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".rtf", "{\\rtf1" + "{" * 100_000),
        (".rtf", "{\\rtf1" + "{\\info{\\title x}" * 30_000),
        (".org", "[[" * 50_000),
        (".org", "- a\n" * 20_000 + "*b " * 20_000),
        (".rst", "*" * 20_000),
        (".rst", ".. a::\n" * 200),
        (".csv", '"' * 100_001),
        (".csv", "a," * 100_000),
        (".py", "def " * 50_000),
        (".c", ("a(" * 190 + ";\n") * 500),
        (".java", "  public " * 20_000),
        (".eml", "From: a\nTo: " + "<" * 50_000 + "\n\nx"),
        (
            ".eml",
            "From: a\nTo: " + "a " * 50_000 + "\nCc: " + "(" * 20_000 + "\nSubject: " + '"' * 9999 + "\n\nx",
        ),
        (".eml", "From: a\nContent-Type: multipart/mixed; boundary=x\n\n" + "--x\n" * 3000),
        (".json", '{"a":' * 900 + "1" + "}" * 900),
        (".json", '"' + "<" * 100_000 + '"'),
    ],
)
def test_texts_made_to_take_long(suffix: str, text: str) -> None:
    check(text.encode(), suffix)


def test_nested_messages() -> None:
    text = b"From: a\nSubject: s\nContent-Type: message/rfc822\n\n" * 2000 + b"From: b\n\nx\n"
    check(text, ".eml")


def mutated(data: bytes, seed: int) -> bytes:
    """A few bytes changed, cut out or doubled."""
    chance = random.Random(seed)
    changing = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(changing)) if changing else 0
        kind = chance.randrange(4)
        if kind == 0 and changing:
            changing[at] = chance.randrange(256)
        elif kind == 1:
            del changing[at : at + chance.randint(1, 40)]
        elif kind == 2:
            changing[at:at] = changing[at : at + chance.randint(1, 40)]
        else:
            changing[at:at] = chance.choice(
                [b"\0", b"\xff\xff\xff\xff", b"{", b"<", b"&", b"'", b"\\", b"PK"]
            )
    return bytes(changing)


def mutated_inside(suffix: str, seed: int) -> bytes:
    """An office file whose main part is damaged, and not the archive around it."""
    data = BUILDERS[suffix]()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name.endswith((".xml", ".rels", ".opf", ".xhtml"))]
        name = random.Random(seed).choice(sorted(names))
        return changed(data, {name: mutated(archive.read(name), seed)})


QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("suffix", BUILDERS)
def test_mutated_bytes(suffix: str) -> None:
    data = BUILDERS[suffix]()

    @settings(QUICK, max_examples=8)
    @given(st.integers(0, 1 << 30))
    def sample(seed: int) -> None:
        check(mutated(data, seed), suffix)

    sample()


@pytest.mark.parametrize("suffix", PACKAGES)
def test_mutated_parts(suffix: str) -> None:
    @settings(QUICK, max_examples=8)
    @given(st.integers(0, 1 << 30))
    def sample(seed: int) -> None:
        check(mutated_inside(suffix, seed), suffix)

    sample()


@pytest.mark.deep
@pytest.mark.parametrize("suffix", BUILDERS)
def test_mutated_bytes_at_length(suffix: str) -> None:
    data = BUILDERS[suffix]()
    for seed in range(200):
        check(mutated(data, seed), suffix)
        if suffix in PACKAGES:
            check(mutated_inside(suffix, seed), suffix)


def test_a_word_document_without_a_body() -> None:
    assert convert(word(""), ".docx").body == ""
    assert convert(changed(word(""), {"word/styles.xml": "<broken"}), ".docx").body == ""
    assert (
        convert(changed(word(paragraph("Text.")), {"docProps/core.xml": "<broken"}), ".docx").body
        == "Text.\n"
    )
