"""Pictures: the text on them where it can be recognised, and what their files say about them.

Without text recognition a picture is a document without text: its size and date are known, nothing
of it can be found by a question.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted
from ingest.convert.ocr import READ_SIDE, Picture, Wish, ocr_is_installed, text_reader
from ingest.convert.pdf.document import markdown_of, numbers
from ingest.convert.pdf.page import Page
from ingest.convert.pdf.scan import frame_of
from ingest.metadata import clean_metadata
from retrieve.schema import Metadata

if TYPE_CHECKING:
    from PIL import Image

_MAX_PIXELS = 120_000_000
_MAX_FRAMES = 500
_SMALLEST = 40
"""Pixels of the shorter side: icons hold no text."""
_EXIF_IFD = 0x8769
_TAKEN, _TAKEN_OFFSET, _CHANGED = 0x9003, 0x9011, 0x0132
_DESCRIPTION, _ARTIST = 0x010E, 0x013B
_EXIF_DATE = re.compile(r"(\d{4}):(\d\d):(\d\d)[ T](\d\d):(\d\d):(\d\d)")
_OFFSET = re.compile(r"[+-]\d\d:\d\d")


class ImageConverter:
    """Converts pictures."""

    def __init__(self, ocr: Wish) -> None:
        self._ocr = ocr

    def convert(self, data: bytes, suffix: str) -> Converted:
        from PIL import Image

        if not data:
            raise InputError("not an image: the file is empty")
        with warnings.catch_warnings():
            # Pillow warns of what is refused below.
            warnings.simplefilter("ignore")
            try:
                with Image.open(io.BytesIO(data)) as image:
                    return self._convert(image)
            except Image.DecompressionBombError:
                raise InputError(f"too large an image; at most {_MAX_PIXELS:,} pixels are read") from None
            except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError) as error:
                reason = str(error).split(" <_io")[0]
                raise InputError(f"not an image, or a damaged one: {reason}") from None

    def _convert(self, image: Image.Image) -> Converted:
        width, height = image.size
        if width * height > _MAX_PIXELS:
            raise InputError(f"an image of {width} x {height} pixels; at most {_MAX_PIXELS:,} are read")
        metadata, origins = _metadata(image)
        if self._ocr == "off" or min(width, height) < _SMALLEST:
            return Converted("", metadata, (), origins)
        if self._ocr == "auto" and not ocr_is_installed():
            note = "no text: text recognition is not installed (the extra ocr)"
            return Converted("", metadata, (note,), origins)
        pages, notes = [], ["its text was recognised in the image (OCR)"]
        for picture in _pictures(image):
            frame = frame_of(text_reader().read(picture), *_points(picture))
            pages.append(Page([frame]))
        empty = [number for number, page in enumerate(pages, 1) if page.is_empty()]
        if len(empty) == len(pages):
            return Converted("", metadata, ("no text was found in the image",), origins)
        if empty:
            notes.append(f"no text was found on page {numbers(empty)}")
        body, regions = markdown_of(pages)
        return Converted(body, metadata, tuple(notes), origins, regions)


def _points(picture: Picture) -> tuple[float, float]:
    """A picture's size as that of a page: its longer side is eleven inches."""
    height, width = picture.shape[:2]
    scale = 792 / max(height, width)
    return width * scale, height * scale


def _pictures(image: Image.Image) -> Iterator[Picture]:
    """The pages of a TIFF, the first frame of anything else; upright, on white."""
    from PIL import ImageOps

    frames = min(getattr(image, "n_frames", 1), _MAX_FRAMES) if image.format == "TIFF" else 1
    for number in range(frames):
        image.seek(number)
        width, height = image.size
        if width * height > _MAX_PIXELS:
            raise InputError(f"an image of {width} x {height} pixels; at most {_MAX_PIXELS:,} are read")
        image.draft("RGB", (READ_SIDE, READ_SIDE))
        upright = ImageOps.exif_transpose(image)
        if max(upright.size) > READ_SIDE:
            upright = upright.convert("RGBA" if _is_clear(upright) else "RGB")
            upright.thumbnail((READ_SIDE, READ_SIDE))
        if _is_clear(upright):
            ground = upright.convert("RGBA")
            white = ground.copy()
            white.paste((255, 255, 255, 255), (0, 0, *ground.size))
            white.alpha_composite(ground)
            upright = white
        yield np.ascontiguousarray(np.asarray(upright.convert("RGB"))[:, :, ::-1])


def _is_clear(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info


def _metadata(image: Image.Image) -> tuple[Metadata, dict[str, str]]:
    found: dict[str, Any] = {"width": image.width, "height": image.height}
    origins = {"width": "image", "height": "image"}
    exif = image.getexif()
    details = exif.get_ifd(_EXIF_IFD)
    named = {
        "date": _date(details.get(_TAKEN) or exif.get(_CHANGED), details.get(_TAKEN_OFFSET)),
        "title": _text(exif.get(_DESCRIPTION)) or _text(image.info.get("Title")),
        "author": _text(exif.get(_ARTIST)) or _text(image.info.get("Author")),
    }
    for name, value in named.items():
        if value:
            found[name], origins[name] = value, "exif"
    return clean_metadata(found), origins


def _text(value: object) -> str:
    """Text of a field; empty for what is none."""
    if not isinstance(value, str):
        return ""
    text = value.encode("utf-8", "replace").decode("utf-8")
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())[:500]


def _date(value: object, offset: object) -> datetime | None:
    match = _EXIF_DATE.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    zone = offset if isinstance(offset, str) and _OFFSET.fullmatch(offset) else "+00:00"
    try:
        year, month, day, *clock = match.groups()
        moment = datetime.fromisoformat(f"{year}-{month}-{day}T{':'.join(clock)}{zone}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def converter(settings: IngestSettings) -> ImageConverter:
    return ImageConverter(settings.ocr)
