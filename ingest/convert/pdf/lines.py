"""Rows of pieces, and the lines of text that they make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.convert.pdf.native import Style
from ingest.convert.pdf.pieces import HYPHEN, Box, Piece, is_rtl

_TIGHT = 0.1
"""In line heights: text that is nearer belongs to one word."""


@dataclass(slots=True)
class Line:
    """Text that is read in one go; left, top, right, bottom in points of its frame."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    style: Style
    cells: tuple[Piece, ...] = ()
    """Its pieces, where they are wide apart."""

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def box(self) -> Box:
        return self.x0, self.y0, self.x1, self.y1


def rows_of(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Pieces beside each other, from top to bottom; within a row from left to right."""
    rows: list[list[Piece]] = []
    top = bottom = 0.0
    for piece in sorted(pieces, key=lambda piece: (piece.middle, piece.x0)):
        if rows and (top <= piece.middle <= bottom) and _same_row(rows[-1][0], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
            top, bottom = piece.y0, piece.y1
    for row in rows:
        row.sort(key=lambda piece: piece.x0)
    return rows


def _same_row(one: Piece, two: Piece) -> bool:
    shared = min(one.y1, two.y1) - max(one.y0, two.y0)
    return shared >= 0.4 * min(one.height, two.height)


def line_of(row: Sequence[Piece]) -> Line:
    """A row as a line; in right-to-left text its pieces are read from the right."""
    x0, x1 = min(p.x0 for p in row), max(p.x1 for p in row)
    y0, y1 = min(p.y0 for p in row), max(p.y1 for p in row)
    if len(row) == 1:
        return Line(marked(row[0]), x0, y0, x1, y1, row[0].style)
    ordered = list(row)
    if is_rtl("".join(piece.text for piece in row)):
        ordered.reverse()
    longest = max(row, key=lambda piece: len(piece.text)).style
    bold = longest.bold and all(p.style.bold for p in row)
    style = Style(longest.size, bold, all(p.style.mono for p in row))
    text = marked(ordered[0])
    for before, piece in pairwise(ordered):
        text = text.removesuffix(HYPHEN) + _space(before, piece, style) + marked(piece)
    apart = any(gap_of(a, b) > 1.0 * max(a.height, b.height) for a, b in pairwise(row))
    return Line(text, x0, y0, x1, y1, style, tuple(row) if apart else ())


def gap_of(one: Piece, two: Piece) -> float:
    """The room between two pieces of a row, in points; negative where they overlap."""
    return max(one.x0, two.x0) - min(one.x1, two.x1)


def _space(one: Piece, two: Piece, style: Style) -> str:
    gap = gap_of(one, two)
    if style.mono and one.text:
        width = (one.x1 - one.x0) / len(one.text)
        return " " * min(max(round(gap / width), 0), 200) if width > 0 else " "
    return "" if gap < _TIGHT * max(one.height, two.height) else " "


def marked(piece: Piece) -> str:
    """A piece's text, as a link where it is one."""
    if not piece.link or piece.text == piece.link:
        return piece.text
    end = HYPHEN if piece.text.endswith(HYPHEN) else ""
    return f"[{piece.text.removesuffix(HYPHEN)}]({piece.link}){end}"
