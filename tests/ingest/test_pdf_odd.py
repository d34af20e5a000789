"""Damaged, odd and scanned PDFs, and what PDFs say about themselves."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader

from configs.errors import InputError
from ingest.convert.ocr import text_reader
from tests.ingest.pdfs import PROSE, drawn, lines, read_pdf


def test_metadata_comes_from_the_packet_too() -> None:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmp:CreateDate="2023-05-06T07:08:09Z"><dc:creator><rdf:Seq><rdf:li>Ada</rdf:li><rdf:li>Bob</rdf:li>'
        "</rdf:Seq></dc:creator><dc:subject><rdf:Bag><rdf:li>pump</rdf:li></rdf:Bag></dc:subject>"
        "<dc:language><rdf:Bag><rdf:li>en-GB</rdf:li></rdf:Bag></dc:language></rdf:Description></rdf:RDF>"
        "</x:xmpmeta>"
    )
    found = read_pdf(drawn(lines("Words")) + b"\n%" + packet.encode())
    assert found.metadata["author"] == ["Ada", "Bob"]
    assert found.metadata["tags"] == ["pump"]
    assert found.metadata["language"] == "en-GB"
    assert set(found.origins) == set(found.metadata)


def test_a_packet_with_entities_gives_nothing() -> None:
    bomb = "<!DOCTYPE x [<!ENTITY a 'b'>]><x:xmpmeta xmlns:x='a:'>" + "<b>" * 50_000 + "&a;</x:xmpmeta>"
    assert "author" not in read_pdf(drawn(lines("Words")) + b"\n%" + bomb.encode()).metadata


def test_the_date_is_in_utc() -> None:
    data = drawn(lines("Words")).replace(b"D:20000101000000+00'00'", b"D:20240305103000+02'00'")
    assert read_pdf(data).metadata["date"] == datetime(2024, 3, 5, 8, 30, tzinfo=UTC)


def test_a_damaged_page_is_a_note() -> None:
    data = drawn(lines("First page"), lines("Second page"), lines("Third page"))
    kids = data.index(b"/Kids [ ")
    first = data[kids + 8 :].split(b" 0 R", 1)[0]
    broken = data.replace(b"/Kids [ " + first + b" 0 R", b"/Kids [ " + b"9" * len(first) + b" 0 R")
    found = read_pdf(broken)
    assert "Third page" in found.body
    assert "First page" not in found.body


def test_an_owner_password_only_opens() -> None:
    closed = StandardEncryption("", "owner", canCopy=0)
    assert read_pdf(drawn(lines("Words for all"), encryption=closed)).body == "Words for all\n"
    with pytest.raises(InputError, match="only with a password"):
        read_pdf(drawn(lines("Words for some"), encryption=StandardEncryption("user", "owner")))


def test_pages_without_area_and_without_text() -> None:
    with pytest.raises(InputError, match="no text layer"):
        read_pdf(drawn(lines("Words"), size=(2, 2)))
    assert read_pdf(drawn(lines("Words"), size=(0, 0))).body == "Words\n"
    found = read_pdf(drawn(lines("Words"), lambda canvas, size: None))
    assert found.notes == ("no text layer on page 2",)


def test_a_file_of_page_numbers_alone_keeps_them() -> None:
    assert read_pdf(drawn(lines("1", y=800), lines("2", y=800))).body == "1\n\n2\n"


def test_forms_that_contain_themselves_end() -> None:
    def stream(number: int, about: bytes, content: bytes) -> bytes:
        head = b"%d 0 obj <<%s /Resources <</Font <</F 5 0 R>> /XObject <</A 6 0 R>>>> /Length %d>> stream\n"
        return head % (number, about, len(content)) + content + b"\nendstream endobj\n"

    form = b"/Type /XObject /Subtype /Form /BBox [0 0 600 800]"
    data = (
        b"%PDF-1.4\n1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj\n"
        b"2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj\n"
        b"3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
        b"/Resources <</Font <</F 5 0 R>> /XObject <</A 6 0 R>>>>>> endobj\n"
        b"5 0 obj <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>> endobj\n"
        + stream(4, b"", b"BT /F 12 Tf 50 700 Td (Outer words) Tj ET /A Do")
        + stream(6, form, b"BT /F 12 Tf 50 600 Td (Inner words) Tj ET /A Do")
        + b"trailer <</Root 1 0 R>>\n"
    )
    assert "Inner words" in read_pdf(data).body


def test_a_page_in_very_many_pieces_keeps_its_text() -> None:
    def draw(canvas: Any, size: Any) -> None:
        canvas.setFont("Helvetica", 1)
        for row in range(160):
            for column in range(140):
                canvas.drawString(20 + column * 4, 800 - row * 5, "x")

    assert read_pdf(drawn(draw)).body.count("x") > 20_000


def test_a_grid_of_very_many_lines_is_survived() -> None:
    def draw(canvas: Any, size: Any) -> None:
        for number in range(1500):
            canvas.line(10, number / 2, 590, number / 2)
            canvas.line(number / 3, 10, number / 3, 800)
        lines(*[PROSE] * 30)(canvas, size)

    assert "pump" in read_pdf(drawn(draw)).body


def test_right_to_left_text_is_in_reading_order() -> None:
    reportlab_fonts = pytest.importorskip("reportlab.pdfbase.ttfonts")
    from reportlab.pdfbase import pdfmetrics

    font = next(Path("/usr/share/fonts").rglob("DejaVuSans.ttf"), None)
    if font is None:
        pytest.skip("no font with Hebrew letters")
    pdfmetrics.registerFont(reportlab_fonts.TTFont("dejavu", str(font)))

    def draw(canvas: Any, size: Any) -> None:
        canvas.setFont("dejavu", 12)
        for row, line in enumerate(("שלום לכולם", "עולם גדול")):
            canvas.drawRightString(500, 700 - row * 16, line[::-1])

    assert " ".join(read_pdf(drawn(draw)).body.split()) == "שלום לכולם עולם גדול"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"\x89PNG", "does not begin with %PDF-"),
        (b"%PDF-1.7\n" + b"garbage" * 100, "damaged PDF"),
        (drawn(lines("Words"))[:400], "damaged PDF"),
    ],
)
def test_files_that_are_no_pdf_say_why(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_pdf(data)


def picture_of(data: bytes) -> Any:
    import pypdfium2 as pdfium

    with pdfium.PdfDocument(data) as document:
        return document[0].render(scale=2).to_pil()


def scanned(data: bytes) -> bytes:
    """A PDF whose page is a picture of another one's."""
    image = picture_of(data)

    def draw(canvas: Any, size: Any) -> None:
        canvas.drawImage(ImageReader(io.BytesIO(png(image))), 0, 0, *size)

    return drawn(draw)


def png(image: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_a_scan_without_text_recognition_names_the_way_out() -> None:
    with pytest.raises(InputError, match=r"no text layer on any page .*ingest\.ocr is off"):
        read_pdf(scanned(drawn(lines("Words"))))


def test_a_scan_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.convert.pdf.ocr_is_installed", lambda: False)
    with pytest.raises(InputError, match="install the extra ocr"):
        read_pdf(scanned(drawn(lines("Words"))), "auto")


def test_a_scan_is_read_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rapidocr_onnxruntime", reason="the extra ocr is not installed")
    monkeypatch.setattr("ingest.convert.ocr.FIND_SIDE", 1000)  # the letters are large enough for it

    def draw(canvas: Any, size: Any) -> None:
        canvas.setFont("Helvetica-Bold", 20)
        canvas.drawString(72, 770, "The pump manual")
        for x, side in ((72, "left"), (310, "right")):
            lines(*(f"the {side} column has words, line {row}" for row in range(1, 4)), x=x)(canvas, size)

    found = read_pdf(scanned(drawn(draw)), "auto")
    assert found.notes == ("text recognised in the picture (OCR) of page 1",)
    assert found.body.startswith("# The pump manual\n")
    places = [found.body.index(f"the {side} column") for side in ("left", "right")]
    assert places == sorted(places)
    assert len(found.regions) >= 2


def test_text_recognition_that_is_asked_for_and_not_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.convert.ocr.ocr_is_installed", lambda: False)
    text_reader.cache_clear()
    with pytest.raises(InputError, match=r"ingest\.ocr is 'always', but text recognition is not installed"):
        read_pdf(drawn(lines("Words")), "always")
