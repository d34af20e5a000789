"""A page's characters as pieces: runs of text on one line without a wide gap inside.

Text that is turned stands in a frame of its own, in which it is upright; what lays out a frame need
not know of rotation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.convert.pdf.native import Boxes, Characters, PageShape, Style, Styles
from ingest.convert.pdf.rulings import Rulings

WIDE_GAP = 0.85
"""In line heights: a wider gap between words ends a piece, for it may part columns or cells."""
_SAME_LINE = 0.3
_MAX_PIECES = 20_000
_LINK_WORK = 20_000_000
_JUNK = re.compile(r"[\x00-\x01\x03-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\uffff\u200b\ud800-\udfff]")
_SOFT_HYPHEN = re.compile("[\u00ad\u0002\ufffe]")
HYPHEN = "\ufffe"
"""pdfium's mark for a hyphen before a line break."""
_LIGATURES = str.maketrans(
    {
        "ﬀ": "ff",
        "ﬁ": "fi",
        "ﬂ": "fl",
        "ﬃ": "ffi",
        "ﬄ": "ffl",
        "ﬅ": "st",
        "ﬆ": "st",
        "\u00a0": " ",
        "\uf0b7": "•",
    }
)
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")

Box: TypeAlias = tuple[float, float, float, float]
Link: TypeAlias = tuple[str, Box]


class CrowdedPageError(Exception):
    """A page in more pieces than a layout could make sense of."""


@dataclass(slots=True)
class Table:
    """Rows of cells; left, top, right, bottom in points of its frame."""

    rows: list[list[str]]
    x0: float
    y0: float
    x1: float
    y1: float
    edges: tuple[float, ...] = field(default=())
    """Where its columns begin: a table on the next page with the same ones goes on."""

    @property
    def box(self) -> Box:
        return self.x0, self.y0, self.x1, self.y1


@dataclass(slots=True)
class Piece:
    """A run of text; left, top, right, bottom in points of its frame."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    style: Style
    link: str = ""
    table: Table | None = None
    """Instead of text, what stands here."""
    filler: bool = False
    """A stand-in for a stretch of a table."""

    @property
    def middle(self) -> float:
        return (self.y0 + self.y1) / 2

    @property
    def height(self) -> float:
        return self.y1 - self.y0


@dataclass(slots=True)
class Frame:
    """The text of a page that is turned the same way."""

    turns: int
    """Quarter turns, counter-clockwise, of its text on the page as it is seen."""
    width: float
    height: float
    pieces: list[Piece]
    rulings: Rulings

    def share(self, box: Box) -> Box:
        """A box of this frame as shares of the page as it is seen."""
        x0, y0, x1, y1 = (
            min(max(value / whole, 0.0), 1.0)
            for value, whole in zip(box, (self.width, self.height) * 2, strict=True)
        )
        if self.turns == 1:
            x0, y0, x1, y1 = y0, 1 - x1, y1, 1 - x0
        elif self.turns == 2:
            x0, y0, x1, y1 = 1 - x1, 1 - y1, 1 - x0, 1 - y0
        elif self.turns == 3:
            x0, y0, x1, y1 = 1 - y1, x0, 1 - y0, x1
        return round(x0, 4), round(y0, 4), round(x1, 4), round(y1, 4)


def upright(boxes: Boxes, turns: int, width: float, height: float) -> Boxes:
    """Boxes of the page as it is seen, in the frame of text that has ``turns`` quarter turns."""
    x0, y0, x1, y1 = boxes.T
    if turns == 1:
        return np.stack([height - y1, x0, height - y0, x1], axis=1)
    if turns == 2:
        return np.stack([width - x1, height - y1, width - x0, height - y0], axis=1)
    if turns == 3:
        return np.stack([y0, width - x1, y1, width - x0], axis=1)
    return boxes


def is_rtl(text: str) -> bool:
    """Whether text is mostly written from right to left."""
    if _RTL.search(text) is None:
        return False
    return 2 * len(_RTL.findall(text)) > len("".join(text.split()))


def frames_of(
    characters: Characters, shape: PageShape, rulings: Rulings, links: Sequence[Link] = ()
) -> list[Frame]:
    """The frames of a page, the one with most text first.

    Raises:
        CrowdedPageError: it has too many pieces.
    """
    codes = np.frombuffer(characters.text.encode("utf-32-le", "replace"), dtype=np.uint32)
    boxes = characters.boxes
    inside = (
        (boxes[:, 2] > 0) & (boxes[:, 0] < shape.width) & (boxes[:, 3] > 0) & (boxes[:, 1] < shape.height)
    )
    visible = np.flatnonzero((codes > 32) & (codes != 127) & (codes != 160) & inside)
    if not len(visible):
        return []
    styles = Styles(characters)
    glyphs = _Glyphs(visible, np.cumsum(codes == 10)[visible], _linked(boxes[visible], links))
    turns = _turns(glyphs, boxes[visible], styles, shape.rotation)
    frames = []
    for turn in np.argsort(-np.bincount(turns, minlength=4), kind="stable"):
        own_glyphs = glyphs.only(turns == turn)
        if not len(own_glyphs.index):
            continue
        turned = upright(boxes, int(turn), shape.width, shape.height)
        own = rulings if turn == 0 else rulings.turned(int(turn), shape.width, shape.height)
        pieces = list(_pieces(characters.text, turned, own_glyphs, styles, own, links))
        size = (shape.height, shape.width) if turn % 2 else (shape.width, shape.height)
        frames.append(Frame(int(turn), *size, pieces, own))
    return frames


Ints = npt.NDArray[np.intp]


@dataclass(frozen=True)
class _Glyphs:
    """Characters that can be seen: which ones, in which of pdfium's lines, under which link."""

    index: Ints
    line: Ints
    link: Ints

    def only(self, chosen: npt.NDArray[np.bool_]) -> _Glyphs:
        return _Glyphs(self.index[chosen], self.line[chosen], self.link[chosen])


def _linked(boxes: Boxes, links: Sequence[Link]) -> Ints:
    """The number of the link that covers each character; -1 where there is none."""
    covered = np.full(len(boxes), -1, dtype=np.intp)
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    for number, (_, (x0, y0, x1, y1)) in enumerate(links[: _LINK_WORK // len(boxes)]):
        covered[(x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1)] = number
    return covered


def _turns(glyphs: _Glyphs, boxes: Boxes, styles: Styles, rotation: int) -> Ints:
    """The quarter turns of each character: those of the first one since a line's end or a jump."""
    line = glyphs.line
    starts = np.flatnonzero(np.r_[True, _breaks(_with_height(boxes), line)])
    found = np.array([styles.turns(int(index), rotation) for index in glyphs.index[starts]])
    return np.repeat(found, np.diff(np.r_[starts, len(line)]))


def _pieces(
    text: str, boxes: Boxes, glyphs: _Glyphs, styles: Styles, rulings: Rulings, links: Sequence[Link]
) -> Iterator[Piece]:
    visible = glyphs.index
    seen = _with_height(boxes[visible])
    relinked = glyphs.link[1:] != glyphs.link[:-1]
    starts = np.flatnonzero(np.r_[True, _breaks(seen, glyphs.line) | relinked | rulings.parts(seen)])
    if len(starts) > _MAX_PIECES:
        raise CrowdedPageError
    ends = np.r_[starts[1:], len(seen)]
    x0, y0 = (np.minimum.reduceat(seen[:, column], starts).tolist() for column in (0, 1))
    x1, y1 = (np.maximum.reduceat(seen[:, column], starts).tolist() for column in (2, 3))
    for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        first, last = int(visible[start]), int(visible[end - 1])
        style = _style(styles, first, int(visible[(start + end) // 2]), last)
        if style.mono:
            words = _typed(text, seen[start:end], visible[start:end])
        else:
            words = " ".join(text[first : last + 1].split())
        words = _clean(words, mono=style.mono)
        if words:
            if not style.size:
                style = Style(round((y1[number] - y0[number]) * 1.7) / 2, style.bold, style.mono)
            link = links[glyphs.link[start]][0] if glyphs.link[start] >= 0 else ""
            yield Piece(words, x0[number], y0[number], x1[number], y1[number], style, link)


def _with_height(boxes: Boxes) -> Boxes:
    """Fonts without metrics give flat boxes: those get a line's height."""
    heights = boxes[:, 3] - boxes[:, 1]
    flat = heights < 1
    if flat.any():
        usual = float(np.median(heights[~flat])) if not flat.all() else 10.0
        boxes = boxes.copy()
        boxes[flat, 1] = boxes[flat, 3] - usual
    return boxes


def _breaks(boxes: Boxes, line: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Between which neighbours a piece ends: at a line's end, a wide gap, another height."""
    one, two = boxes[:-1], boxes[1:]
    low = np.minimum(one[:, 3] - one[:, 1], two[:, 3] - two[:, 1])
    high = np.maximum(one[:, 3] - one[:, 1], two[:, 3] - two[:, 1])
    gap = np.maximum(one[:, 0], two[:, 0]) - np.minimum(one[:, 2], two[:, 2])
    shared = np.minimum(one[:, 3], two[:, 3]) - np.maximum(one[:, 1], two[:, 1])
    broken: npt.NDArray[np.bool_] = (
        (line[1:] != line[:-1]) | (gap > WIDE_GAP * high) | (shared < _SAME_LINE * low)
    )
    return broken


def _style(styles: Styles, first: int, middle: int, last: int) -> Style:
    """A piece's style: its middle's; bold or monospaced only if both ends are."""
    style = styles.of(middle)
    if style.bold or style.mono:
        ends = [styles.of(index) for index in {first, last} - {middle}]
        bold = style.bold and all(end.bold for end in ends)
        style = Style(style.size, bold, style.mono and all(end.mono for end in ends))
    return style


def _typed(text: str, boxes: Boxes, visible: npt.NDArray[np.intp]) -> str:
    """Monospaced text with as many spaces as there is room for."""
    width = float(np.median(boxes[:, 2] - boxes[:, 0]))
    if width <= 0:
        return " ".join(text[visible[0] : visible[-1] + 1].split())
    gaps = np.rint((boxes[1:, 0] - boxes[:-1, 2]) / width).astype(int)
    spaces = np.clip(np.r_[gaps, 0], 0, 200).tolist()
    return "".join(
        text[index] + " " * count for index, count in zip(visible.tolist(), spaces, strict=True)
    ).rstrip()


def _clean(text: str, *, mono: bool) -> str:
    if text.isascii() and text.isprintable():
        return text
    text = _JUNK.sub("", text).translate(_LIGATURES)
    if mono:
        return text.replace("\u0002", "-").replace(HYPHEN, "-").replace("\u00ad", "")
    if text and text[-1] in "\u00ad\u0002\ufffe":
        text = text[:-1] + HYPHEN
    return _SOFT_HYPHEN.sub("", text[:-1]) + text[-1:]
