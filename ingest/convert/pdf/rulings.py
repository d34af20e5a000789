"""The straight lines that are drawn on a page: what rules tables."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as raw

from ingest.convert.pdf.native import Boxes, PageShape

_MAX_OBJECTS = 20_000
_MAX_LINES = 4_000
_MAX_SEGMENTS = 400
_THIN = 3.0
"""Points: a thinner shape is a line."""
_SHORT = 4.0

Lines = npt.NDArray[np.float64]


def _none() -> Lines:
    return np.zeros((0, 3))


@dataclass
class Rulings:
    """Lines in points of a frame, each (place, from, to)."""

    across: Lines = field(default_factory=_none)
    """Horizontal: (y, left, right)."""
    down: Lines = field(default_factory=_none)
    """Vertical: (x, top, bottom)."""

    def worth_a_look(self) -> bool:
        """Whether there are enough lines for a table's grid."""
        return len(self.across) >= 2 and len(self.down) >= 1

    def parts(self, boxes: Boxes) -> npt.NDArray[np.bool_]:
        """Between which neighbouring characters a vertical line stands."""
        parted = np.zeros(max(len(boxes) - 1, 0), dtype=bool)
        if not len(self.down) or not len(parted):
            return parted
        order = np.argsort(self.down[:, 0], kind="stable")
        x, top, bottom = self.down[order].T
        centre, middle = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
        left, right = np.minimum(centre[:-1], centre[1:]), np.maximum(centre[:-1], centre[1:])
        first, last = np.searchsorted(x, left), np.searchsorted(x, right)
        for index in np.flatnonzero(last > first):
            lines = slice(first[index], min(last[index], first[index] + 50))
            parted[index] = bool(((top[lines] < middle[index]) & (middle[index] < bottom[lines])).any())
        return parted

    def turned(self, turns: int, width: float, height: float) -> Rulings:
        """In the frame of text that has ``turns`` quarter turns."""
        if turns == 1:
            down = self.across
            return Rulings(self.down, np.stack([height - down[:, 0], down[:, 1], down[:, 2]], axis=1))
        if turns == 3:
            across = self.down
            return Rulings(np.stack([width - across[:, 0], across[:, 1], across[:, 2]], axis=1), self.across)
        return Rulings(_mirror(self.across, height, width), _mirror(self.down, width, height))


def _mirror(lines: Lines, place: float, along: float) -> Lines:
    return np.stack([place - lines[:, 0], along - lines[:, 2], along - lines[:, 1]], axis=1)


def read_rulings(page: Any, shape: PageShape) -> Rulings:
    """The lines of a page: thin shapes, the sides of stroked rectangles, the strokes of grids."""
    found: list[tuple[float, float, float, float]] = []
    for box in _strokes(page):
        found.append(box)
        if len(found) >= _MAX_LINES:
            break
    if not found:
        return Rulings()
    boxes = shape.seen(np.array(found))
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    across = boxes[(high <= _THIN) & (wide > _SHORT)]
    down = boxes[(wide <= _THIN) & (high > _SHORT)]
    return Rulings(
        np.stack([(across[:, 1] + across[:, 3]) / 2, across[:, 0], across[:, 2]], axis=1),
        np.stack([(down[:, 0] + down[:, 2]) / 2, down[:, 1], down[:, 3]], axis=1),
    )


def _strokes(page: Any) -> Iterator[tuple[float, float, float, float]]:
    """Left, top, right, bottom in PDF's coordinates of all that looks like a line."""
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    for shape in _paths(page.raw):
        if not raw.FPDFPageObj_GetBounds(shape, left, bottom, right, top):
            continue
        x0, y0, x1, y1 = left.value, bottom.value, right.value, top.value
        if x1 - x0 <= _THIN or y1 - y0 <= _THIN:
            yield x0, y1, x1, y0
        elif _is_stroked(shape):
            yield from _segments(shape, (x0, y0, x1, y1))


def _paths(page: Any) -> Iterator[Any]:
    """The paths that are drawn on the page itself; those in form objects have other coordinates."""
    for index in range(min(raw.FPDFPage_CountObjects(page), _MAX_OBJECTS)):
        thing = raw.FPDFPage_GetObject(page, index)
        if raw.FPDFPageObj_GetType(thing) == raw.FPDF_PAGEOBJ_PATH:
            yield thing


def _is_stroked(path: Any) -> bool:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    return bool(raw.FPDFPath_GetDrawMode(path, fill, stroke)) and bool(stroke.value)


def _segments(
    path: Any, bounds: tuple[float, float, float, float]
) -> Iterator[tuple[float, float, float, float]]:
    """The straight, upright strokes of a path, in the page's coordinates."""
    count = raw.FPDFPath_CountSegments(path)
    if not 2 <= count <= _MAX_SEGMENTS:
        return
    matrix = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(path, matrix):
        return
    x, y = ctypes.c_float(), ctypes.c_float()
    start = previous = (0.0, 0.0)
    for index in range(count):
        segment = raw.FPDFPath_GetPathSegment(path, index)
        if not raw.FPDFPathSegment_GetPoint(segment, x, y):
            return
        point = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == raw.FPDF_SEGMENT_LINETO:
            yield _line(previous, point)
        previous = point
        if raw.FPDFPathSegment_GetClose(segment):
            yield _line(point, start)


def _line(one: tuple[float, float], two: tuple[float, float]) -> tuple[float, float, float, float]:
    return min(one[0], two[0]), max(one[1], two[1]), max(one[0], two[0]), min(one[1], two[1])
