"""A page's characters and fonts, taken from pdfium at the price of one call a character.

pdfium has no call for many characters' boxes at once. Its function is called here without ctypes'
conversion of arguments, in a loop that runs in C: a third of the time of a plain loop.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as raw

_FIXED_PITCH, _ITALIC, _FORCE_BOLD = 1, 1 << 6, 1 << 18  # ISO 32000-1, table 123
_BOLD = re.compile(r"bold|black|heavy|demi|-medi|cmbx|sfbx|ecbx", re.I)
_MONO = re.compile(r"mono|courier|consol|menlo|typewriter|cmtt|sftt|ectt|fixed|code", re.I)
_MAX_NAME = 256

Boxes = npt.NDArray[np.float64]
"""(n, 4): left, top, right, bottom in points, from the upper left corner."""


@dataclass(frozen=True)
class Style:
    """How a run of characters is set."""

    size: float
    """In points, as it is seen."""
    bold: bool = False
    mono: bool = False


@dataclass(frozen=True)
class Characters:
    """What a page's text layer holds, in pdfium's order; boxes as seen on the upright page."""

    text: str
    boxes: Boxes
    handle: Any
    """pdfium's text page: valid as long as its page is open."""


@dataclass(frozen=True)
class PageShape:
    """A page's visible box and its rotation, in degrees clockwise."""

    left: float
    bottom: float
    wide: float
    high: float
    rotation: int

    @property
    def width(self) -> float:
        """As it is seen."""
        return self.high if self.rotation % 180 else self.wide

    @property
    def height(self) -> float:
        """As it is seen."""
        return self.wide if self.rotation % 180 else self.high

    def seen(self, boxes: Boxes) -> Boxes:
        """PDF's coordinates (left, top, right, bottom; y upwards) as ones on the upright page."""
        left, right = boxes[:, 0] - self.left, boxes[:, 2] - self.left
        top, bottom = boxes[:, 1] - self.bottom, boxes[:, 3] - self.bottom
        if self.rotation == 90:
            x, y = (bottom, top), (left, right)
        elif self.rotation == 180:
            x, y = (self.wide - right, self.wide - left), (bottom, top)
        elif self.rotation == 270:
            x, y = (self.high - top, self.high - bottom), (self.wide - right, self.wide - left)
        else:
            x, y = (left, right), (self.high - top, self.high - bottom)
        return np.stack([np.minimum(*x), np.minimum(*y), np.maximum(*x), np.maximum(*y)], axis=1)


def shape_of(page: Any) -> PageShape:
    """The visible part of a page, which is what its crop box and its media box share."""
    rotation = page.get_rotation()
    media, crop = page.get_mediabox(), page.get_cropbox()
    left, bottom = (max(media[side], crop[side]) for side in (0, 1))
    right, top = (min(media[side], crop[side]) for side in (2, 3))
    if right - left >= 1 and top - bottom >= 1 and all(map(math.isfinite, (left, bottom, right, top))):
        return PageShape(left, bottom, right - left, top - bottom, rotation)
    width, height = page.get_size()  # pdfium's own choice, where the boxes make no sense
    wide, high = (height, width) if rotation % 180 else (width, height)
    return PageShape(0.0, 0.0, max(wide, 1.0), max(high, 1.0), rotation)


def read_characters(text_page: Any, shape: PageShape) -> Characters:
    """All characters of a page with their boxes."""
    count = text_page.count_chars()
    text = _text(text_page, count)
    boxes = np.zeros((count, 4), dtype=np.float32)
    if count:
        handle, base = ctypes.cast(text_page.raw, ctypes.c_void_p).value, boxes.ctypes.data
        addresses = range(base, base + 16 * count, 16)
        deque(map(_box_function(), repeat(handle), range(count), addresses), maxlen=0)
    wild = ~np.isfinite(boxes) | (np.abs(boxes) > 1e6)
    boxes[wild] = 0
    return Characters(text, shape.seen(boxes.astype(np.float64)), text_page)


@lru_cache(maxsize=1)
def _box_function() -> Any:
    """FPDFText_GetLooseCharBox(text page, index, rectangle) with plain addresses for pointers."""
    address = ctypes.cast(raw.FPDFText_GetLooseCharBox, ctypes.c_void_p).value
    kind = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    return kind(address or 0)


def _text(text_page: Any, count: int) -> str:
    buffer = (ctypes.c_ushort * (2 * count + 2))()  # a character may be a pair of surrogates
    units = raw.FPDFText_GetText(text_page.raw, 0, count, buffer) if count else 1
    text = bytes(buffer)[: 2 * max(units - 1, 0)].decode("utf-16-le", "replace")
    if len(text) != count:
        codes = (raw.FPDFText_GetUnicode(text_page.raw, index) for index in range(count))
        text = "".join(chr(code) if code < 0x110000 else "\ufffd" for code in codes)
    # pdfium has two marks for a hyphen before a line break; one is a control character.
    return text.replace("\x02", "\ufffe")


class Styles:
    """The styles of a page's characters; each font is asked once."""

    def __init__(self, characters: Characters) -> None:
        self._page = characters.handle
        self._fonts: dict[int | None, tuple[bool, bool]] = {}
        self._matrix = raw.FS_MATRIX()

    def of(self, index: int) -> Style:
        """The style of a character."""
        handle, matrix = self._page.raw, self._matrix
        size = raw.FPDFText_GetFontSize(handle, index)
        if raw.FPDFText_GetMatrix(handle, index, matrix):
            size *= math.hypot(matrix.c, matrix.d)
        thing = raw.FPDFText_GetTextObject(handle, index)
        font = raw.FPDFTextObj_GetFont(thing) if thing else None
        bold, mono = self._traits(font) if font else (False, False)
        return Style(round(size * 2) / 2 if 0 < size < 1e4 else 0.0, bold, mono)

    def _traits(self, font: Any) -> tuple[bool, bool]:
        key = ctypes.cast(font, ctypes.c_void_p).value
        if key not in self._fonts:
            self._fonts[key] = _traits(font)
        return self._fonts[key]

    def turns(self, index: int, rotation: int) -> int:
        """How often a character is turned by 90 degrees, counter-clockwise, as it is seen."""
        angle = raw.FPDFText_GetCharAngle(self._page.raw, index)
        if not math.isfinite(angle) or angle < 0:
            return 0
        # pdfium's angles are clockwise, as pages' rotations are.
        return round(-(math.degrees(angle) + rotation) / 90) % 4


def _traits(font: Any) -> tuple[bool, bool]:
    """Whether a font is bold, and whether it is monospaced."""
    buffer = ctypes.create_string_buffer(_MAX_NAME)
    length = raw.FPDFFont_GetBaseFontName(font, buffer, _MAX_NAME)
    name = buffer.value.decode("utf-8", "replace") if 0 < length <= _MAX_NAME else ""
    flags = raw.FPDFFont_GetFlags(font)
    weight = raw.FPDFFont_GetWeight(font)
    bold = bool(_BOLD.search(name)) or weight >= 600 or (flags > 0 and bool(flags & _FORCE_BOLD))
    return bold, bool(_MONO.search(name)) or (flags > 0 and bool(flags & _FIXED_PITCH))
