"""Pictures: their metadata, their text where it can be recognised, and those that are none."""

from __future__ import annotations

import io
import struct
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from configs.errors import InputError
from ingest.convert.base import Converted
from ingest.convert.image import ImageConverter
from ingest.convert.ocr import Wish

KINDS = ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"]


def read(data: bytes, ocr: Wish = "off") -> Converted:
    return ImageConverter(ocr).convert(data, ".png")


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def written(*lines: str, size: tuple[int, int] = (900, 300), mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, size, (255, 255, 255) if mode == "RGB" else (0, 0, 0, 0))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(32)
    for number, line in enumerate(lines):
        draw.text((40, 40 + 60 * number), line, "black", font=font)
    return image


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_its_size(kind: str) -> None:
    found = read(saved(Image.new("RGB", (64, 48)), kind))
    assert found == Converted(
        "",
        {"width": 64, "height": 48},
        (),
        {"width": "image", "height": "image"},
    )


def test_exif_gives_date_title_and_author() -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x0132] = "The  pump\x00", "Ada", "2024:01:01 00:00:00"
    exif.get_ifd(0x8769).update({0x9003: "2024:03:05 10:30:00", 0x9011: "+02:00"})
    found = read(saved(Image.new("RGB", (64, 48)), "JPEG", exif=exif))
    assert found.metadata["date"] == datetime(2024, 3, 5, 8, 30, tzinfo=UTC)
    assert (found.metadata["title"], found.metadata["author"]) == ("The pump", "Ada")
    assert found.origins["date"] == "exif"


@pytest.mark.parametrize("stamp", ["0000:00:00 00:00:00", "2024:13:45 99:00:00", "", "yesterday"])
def test_a_date_that_is_none_is_left_out(stamp: str) -> None:
    exif = Image.Exif()
    exif[0x0132] = stamp
    assert "date" not in read(saved(Image.new("RGB", (64, 48)), "JPEG", exif=exif)).metadata


def bomb(width: int, height: int) -> bytes:
    """A small PNG that claims to be large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + rows


@pytest.mark.parametrize("size", [(60_000, 60_000), (13_000, 13_000)])
def test_bombs_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="are read"):
        read(bomb(*size))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"hello", "not an image"),
        (saved(Image.new("RGB", (64, 48)))[:20], "image"),
    ],
)
def test_files_that_are_no_picture_say_why(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read(data)
    assert "BytesIO" not in str(caught.value)


def test_without_the_extra_a_picture_is_a_document_without_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.convert.image.ocr_is_installed", lambda: False)
    found = read(saved(written("Words")), "auto")
    assert (found.body, found.notes) == (
        "",
        ("no text: text recognition is not installed (the extra ocr)",),
    )


def test_icons_are_not_read() -> None:
    pytest.importorskip("rapidocr_onnxruntime", reason="the extra ocr is not installed")
    assert read(saved(Image.new("RGB", (32, 32))), "auto") == read(saved(Image.new("RGB", (32, 32))))


def test_text_is_read_on_a_clear_ground_and_upright() -> None:
    pytest.importorskip("rapidocr_onnxruntime", reason="the extra ocr is not installed")
    text = written("The pump runs at noon", "and stops at night", size=(500, 160), mode="RGBA")
    found = read(saved(text), "auto")
    assert found.body == "The pump runs at noon and stops at night\n"
    assert found.notes == ("its text was recognised in the image (OCR)",)
    (region,) = found.regions
    assert (region.page, region.start) == (1, 0)
    assert region.box is not None
    assert region.box[0] < 0.2
    blank = read(saved(Image.new("RGB", (60, 60), "white")), "auto")
    assert blank.notes == ("no text was found in the image",)


@pytest.mark.deep
def test_pages_of_a_tiff_are_pages() -> None:
    pytest.importorskip("rapidocr_onnxruntime", reason="the extra ocr is not installed")
    pages = [written("The first page.", size=(600, 150)), written("The second page.", size=(600, 150))]
    found = read(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "auto")
    assert found.body == "The first page.\n\nThe second page.\n"
    assert [region.page for region in found.regions] == [1, 2]
