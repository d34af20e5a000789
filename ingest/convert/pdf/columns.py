"""The order in which a frame's text is read: bands across the page, columns within a band.

A gutter is a strip that no text crosses over several rows with text on both of its sides. The one
with most such rows parts its band into columns, if what stands there is prose and not a table; the
bands above and below it are looked at in turn. This is the recursive cut of Nagy and Seth (1984),
with the vertical cut first and limited to the rows for which it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.convert.pdf.lines import rows_of
from ingest.convert.pdf.markers import join_markers
from ingest.convert.pdf.pieces import Piece, is_rtl
from ingest.convert.pdf.rulings import Lines

_BINS = 300
_MAX_ROWS = 1_500
_MAX_CUTS = 40
_MIN_ROWS = 3
_MIN_GUTTER = 0.7
"""In line heights."""
_FULL = 0.7
_PROSE_SHARE = 0.45
_PROSE_CHARS = 18
_CELL_CHARS = 8
_LOOSE = 0.5
_LARGER = 1.12
_SAME_HEIGHT = 0.7
"""Points."""
_HEADING_ROWS = 2
_FAR = 2.5
"""In line pitches: what is farther away from a band does not belong to it."""

Row: TypeAlias = list[Piece]


@dataclass(frozen=True)
class _Cut:
    """A gutter at ``x`` (points) for rows ``first`` to ``last`` (exclusive)."""

    x: float
    first: int
    last: int


def flows_of(pieces: Sequence[Piece], across: Lines) -> list[list[Row]]:
    """Columns and full-width stretches in reading order, each as its rows."""
    rows = [join_markers(row) for row in rows_of(pieces)]
    if len(rows) < _MIN_ROWS or len(rows) > _MAX_ROWS:
        return [rows] if rows else []
    flows: list[list[Row]] = []
    cuts = 0
    todo = [(rows, True)]
    while todo:
        band, cut_on = todo.pop()
        cut = _best_cut(band) if cut_on and cuts < _MAX_CUTS else None
        if cut is None:
            flows.append(band)
            continue
        cuts += 1
        middle = band[cut.first : cut.last]
        columns = _columns(middle, across)
        parts: list[tuple[list[Row], bool]] = [(band[: cut.first], True)]
        parts += [(column, False) for column in columns] if columns else [(middle, False)]
        parts.append((band[cut.last :], True))
        todo.extend(reversed([part for part in parts if part[0]]))
    return _joined(flows)


def _joined(flows: list[list[Row]]) -> list[list[Row]]:
    """Neighbouring stretches that go on below each other are one."""
    joined: list[list[Row]] = []
    for flow in flows:
        if joined and _goes_on(joined[-1], flow):
            joined[-1] = joined[-1] + flow
        else:
            joined.append(flow)
    return joined


def _goes_on(above: list[Row], below: list[Row]) -> bool:
    a0, a1 = _extent(above)
    b0, b1 = _extent(below)
    under = below[0][0].middle > above[-1][0].middle
    return under and min(a1, b1) - max(a0, b0) > 0.8 * max(a1 - a0, b1 - b0)


def _extent(rows: list[Row]) -> tuple[float, float]:
    return min(row[0].x0 for row in rows), max(piece.x1 for row in rows for piece in row)


def _columns(rows: list[Row], across: Lines) -> list[list[Row]]:
    """The columns of a band that a gutter parts, in reading order; none where it is a table."""
    found: list[list[Row]] = []
    todo = [[piece for row in rows for piece in row]]
    rtl = is_rtl("".join(piece.text for piece in todo[0]))
    while todo:
        own = rows_of(todo.pop())
        cut = _best_cut(own) if len(found) + len(todo) < 12 else None
        if cut is None or cut.last - cut.first < max(_MIN_ROWS, 0.6 * len(own)):
            found.append(own)
            continue
        inside = [piece for row in own for piece in row]
        left = [piece for piece in inside if (piece.x0 + piece.x1) / 2 < cut.x]
        right = [piece for piece in inside if (piece.x0 + piece.x1) / 2 >= cut.x]
        if not left or not right:
            found.append(own)
            continue
        todo += [left, right] if rtl else [right, left]
    mono = sum(piece.style.mono for row in rows for piece in row)
    if len(found) < 2 or 2 * mono > sum(map(len, rows)) or _is_ruled(rows, across):
        return []
    # Tables with lines around them are known already; only the text beside them is in doubt.
    typed = [[row for row in column if not row[0].filler] for column in found]
    typed = [column for column in typed if column]
    if len(typed) < 2:
        return found
    chars = [[sum(len(piece.text) for piece in row) for row in column] for column in typed]
    if any(len(counts) >= _MIN_ROWS and median(counts) < _CELL_CHARS for counts in chars):
        return []
    if _in_line(typed) < _LOOSE or sum(map(_has_headings, typed)) > 1:
        return found
    prose = sum(sum(counts) for column, counts in zip(typed, chars, strict=True) if _is_prose(column))
    return found if prose > 0.6 * sum(map(sum, chars)) else []


def _in_line(columns: list[list[Row]]) -> float:
    """The share of rows that stand at the height of a row of the next column, as those of tables do."""
    shares = []
    for one, two in pairwise(columns):
        places = np.array(sorted(row[0].y1 for row in two))
        wanted = np.array([row[0].y1 for row in one])
        near = np.clip(np.searchsorted(places, wanted), 1, len(places) - 1) if len(places) > 1 else 0
        distance = np.minimum(np.abs(places[near] - wanted), np.abs(places[np.maximum(near - 1, 0)] - wanted))
        shares.append(float((distance < _SAME_HEIGHT).sum()) / min(len(one), len(two)))
    return max(shares)


def _has_headings(column: list[Row]) -> bool:
    """Whether some of its lines are larger than most, as no cells of a table are."""
    usual = median(row[0].style.size for row in column)
    return any(row[0].style.size > _LARGER * usual for row in column)


def _is_ruled(rows: list[Row], across: Lines) -> bool:
    """Whether lines are drawn between the rows, over most of their width."""
    left, right = _extent(rows)
    top, bottom = rows[0][0].y0, rows[-1][0].y1
    inside = (across[:, 0] > top) & (across[:, 0] < bottom)
    wide = np.minimum(across[:, 2], right) - np.maximum(across[:, 1], left) > 0.8 * (right - left)
    return int((inside & wide).sum()) >= _MIN_ROWS


def _is_prose(rows: list[Row]) -> bool:
    """Whether most lines fill their column."""
    if len(rows) < _MIN_ROWS:
        return False
    starts, ends = sorted(row[0].x0 for row in rows), sorted(row[-1].x1 for row in rows)
    width = ends[9 * (len(ends) - 1) // 10] - starts[len(starts) // 10]
    full = sum(row[-1].x1 - row[0].x0 >= _FULL * width for row in rows)
    chars = median(sum(len(piece.text) for piece in row) for row in rows)
    return full >= _PROSE_SHARE * len(rows) and chars >= _PROSE_CHARS


def _best_cut(rows: list[Row]) -> _Cut | None:
    """The gutter with most rows that have text on both sides of it."""
    if len(rows) < _MIN_ROWS:
        return None
    left, right = _extent(rows)
    if right - left < 50:
        return None
    step = (right - left) / _BINS
    covered, both = _cover(rows, left, step)
    if int(both.sum(axis=0).max()) < _MIN_ROWS:
        return None
    score, first, last = _runs(covered, both)
    best = int(score.max())
    if best < _MIN_ROWS:
        return None
    # Of the bins with the best score, the middle of the widest strip.
    strip = max(_strips(score == best), key=lambda strip: strip[1] - strip[0])
    height = median(piece.height for row in rows for piece in row)
    if (strip[1] - strip[0]) * step < _MIN_GUTTER * height:
        return None
    centre = (strip[0] + strip[1]) // 2
    begin, end = _trimmed(rows, both[:, centre], int(first[centre]), int(last[centre]))
    return _Cut(left + (centre + 0.5) * step, begin, end)


def _cover(rows: list[Row], left: float, step: float) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """(rows, bins): whether text covers a strip; whether there is text on both sides of it."""
    change = np.zeros((len(rows), _BINS + 1), dtype=np.int32)
    index = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    x0 = np.array([piece.x0 for row in rows for piece in row])
    x1 = np.array([piece.x1 for row in rows for piece in row])
    begin = np.clip(((x0 - left) / step).astype(int), 0, _BINS - 1)
    end = np.clip(np.ceil((x1 - left) / step).astype(int), 1, _BINS)
    np.add.at(change, (index, begin), 1)
    np.add.at(change, (index, np.maximum(end, begin + 1)), -1)
    covered = np.cumsum(change, axis=1)[:, :_BINS] > 0
    seen = np.cumsum(covered, axis=1)
    both = ~covered & (seen > 0) & (seen < seen[:, -1:])
    return covered, both


def _runs(
    covered: npt.NDArray[np.bool_], both: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Of each strip: the most rows with text on both sides in a run that is not crossed, and the run."""
    bins = covered.shape[1]
    score, first, last = (np.zeros(bins, dtype=np.intp) for _ in range(3))
    now, begin = np.zeros(bins, dtype=np.intp), np.zeros(bins, dtype=np.intp)
    for number in range(len(covered)):
        crossed = covered[number]
        now = np.where(crossed, 0, now + both[number])
        begin = np.where(crossed, number + 1, begin)
        better = now > score
        # A row with text on one side only still belongs to the best run.
        same = ~crossed & (now == score) & (begin == first) & (score > 0)
        score, first = np.where(better, now, score), np.where(better, begin, first)
        last = np.where(better | same, number + 1, last)
    return score, first, last


def _strips(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[0, mask.astype(np.int8), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _trimmed(rows: list[Row], both: npt.NDArray[np.bool_], first: int, last: int) -> tuple[int, int]:
    """Without rows on one side only that are far away from the others."""
    middles = [row[0].middle for row in rows]
    pitch = median(b - a for a, b in pairwise(middles))
    inner = np.flatnonzero(both[first:last]) + first
    begin, end = int(inner[0]), int(inner[-1]) + 1
    while begin > first and middles[begin] - middles[begin - 1] < _FAR * pitch:
        begin -= 1
    while end < last and middles[end] - middles[end - 1] < _FAR * pitch:
        end += 1
    # What is left may be the heading of what comes below; more is the rest of the longer column.
    if last == len(rows) or last - end > _HEADING_ROWS:
        end = last
    return begin, end
