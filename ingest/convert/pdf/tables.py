"""Tables that lines are drawn around, and tables that only stand in line."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median

import numpy as np
import numpy.typing as npt

from ingest.convert.pdf.lines import gap_of, line_of, rows_of
from ingest.convert.pdf.native import Style
from ingest.convert.pdf.pieces import HYPHEN, Frame, Piece, Table
from ingest.convert.pdf.rulings import Lines, Rulings

_NEAR = 3.0
"""Points: lines that end so close to each other meet."""
_MAX_PAIRS = 250_000
_MAX_CELLS = 5_000
_LONG_CELL = 2_000
_STAND_IN = 12.0
_TWO_ROOMS = 0.25
"""In line heights: how much farther apart rows of a table are than lines of a cell."""


def rule_tables(frame: Frame) -> None:
    """Put tables in place of the text that has lines around its cells."""
    for across, down in _grids(frame.rulings):
        ys = _levels([*across[:, 0], *down[:, 1], *down[:, 2]])
        xs = _levels([*down[:, 0], *across[:, 1], *across[:, 2]])
        if len(xs) < 3 or len(ys) < 3 or (len(xs) - 1) * (len(ys) - 1) > _MAX_CELLS:
            continue
        inside: list[Piece] = []
        outside: list[Piece] = []
        for piece in frame.pieces:
            centre = (piece.x0 + piece.x1) / 2
            within = xs[0] < centre < xs[-1] and ys[0] < piece.middle < ys[-1]
            (inside if within else outside).append(piece)
        table = _filled(inside, xs, ys, across, down)
        if table is not None:
            frame.pieces = [*outside, *_stand_ins(table)]


def _stand_ins(table: Table) -> Iterator[Piece]:
    """Pieces as wide as the table, a line high, so that it takes part in the page's layout."""
    count = min(max(round((table.y1 - table.y0) / _STAND_IN), 1), 200)
    high = (table.y1 - table.y0) / count
    for index in range(count):
        y = table.y0 + index * high
        yield Piece("", table.x0, y, table.x1, y + high, Style(0), "", None if index else table, True)


def _grids(rulings: Rulings) -> Iterable[tuple[Lines, Lines]]:
    """Lines that meet, together."""
    across, down = rulings.across, rulings.down
    if not len(across) or not len(down) or len(across) * len(down) > _MAX_PAIRS:
        return []
    y, left, right = (across[:, index, None] for index in range(3))
    x, top, bottom = (down[None, :, index] for index in range(3))
    meets = (left - _NEAR <= x) & (x <= right + _NEAR) & (top - _NEAR <= y) & (y <= bottom + _NEAR)
    parent = list(range(len(across) + len(down)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for one, two in np.argwhere(meets).tolist():
        parent[root(one)] = root(two + len(across))
    groups: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for index in range(len(parent)):
        is_down = index >= len(across)
        groups[root(index)][is_down].append(index - len(across) * is_down)
    found = [(across[a], down[d]) for a, d in groups.values() if len(a) >= 2 and len(d) >= 1]
    return sorted(found, key=lambda grid: (grid[0][:, 0].min(), grid[0][:, 1].min()))


def _levels(values: Sequence[float]) -> list[float]:
    """Places, with those that differ by less than a line's width taken together."""
    levels: list[float] = []
    for value in sorted(values):
        if not levels or value - levels[-1] > _NEAR:
            levels.append(float(value))
    return levels


def _filled(
    pieces: list[Piece], xs: list[float], ys: list[float], across: Lines, down: Lines
) -> Table | None:
    """The grid with its text; None where it is a frame or a form rather than a table."""
    cells: dict[tuple[int, int], list[Piece]] = defaultdict(list)
    walls = _Walls(xs, ys, across, down)
    for piece in pieces:
        row = int(np.searchsorted(ys, piece.middle)) - 1
        column = int(np.searchsorted(xs, min(piece.x0 + 2, (piece.x0 + piece.x1) / 2))) - 1
        cells[walls.first(max(row, 0), max(column, 0))].append(piece)
    texts = [[cell_text(cells.get((row, c), ())) for c in range(len(xs) - 1)] for row in range(len(ys) - 1)]
    rows = _without_empty(texts)
    filled = [text for row in rows for text in row if text]
    if len(rows) < 2 or len(rows[0]) < 2 or len(filled) * 4 < len(rows) * len(rows[0]):
        return None
    if max(map(len, filled)) > _LONG_CELL or sum(map(len, filled)) > 400 * len(filled):
        return None
    return Table(rows, xs[0], ys[0], xs[-1], ys[-1], tuple(round(x) for x in xs))


class _Walls:
    """Which cells of a grid are one, for want of a line between them."""

    def __init__(self, xs: list[float], ys: list[float], across: Lines, down: Lines) -> None:
        self._up = self._between(ys, xs, across)
        self._left = self._between(xs, ys, down).T

    @staticmethod
    def _between(levels: list[float], along: list[float], lines: Lines) -> npt.NDArray[np.bool_]:
        """(levels, cells along): whether a line is drawn at a level, before a cell."""
        drawn = np.zeros((len(levels), len(along) - 1), dtype=bool)
        middles = (np.array(along[1:]) + np.array(along[:-1])) / 2
        for place, start, end in lines.tolist():
            level = int(np.argmin(np.abs(np.array(levels) - place)))
            drawn[level] |= (start - _NEAR <= middles) & (middles <= end + _NEAR)
        return drawn

    def first(self, row: int, column: int) -> tuple[int, int]:
        """The upper left one of the cells that are one with this one."""
        while column > 0 and not self._left[row, column]:
            column -= 1
        while row > 0 and not self._up[row, column]:
            row -= 1
        return row, column


def _without_empty(rows: list[list[str]]) -> list[list[str]]:
    rows = [row for row in rows if any(row)]
    columns = [index for index in range(len(rows[0])) if any(row[index] for row in rows)] if rows else []
    return [[row[index] for index in columns] for row in rows]


def cell_text(pieces: Iterable[Piece]) -> str:
    """A cell's text on one line."""
    text = ""
    for line in (line_of(row).text for row in rows_of(pieces)):
        text = text[:-1] + line if text.endswith(HYPHEN) else f"{text} {line}" if text else line
    return " ".join(text.replace(HYPHEN, "-").split())


_LEADER = re.compile(r"(?:\s?[.·…_]){4,}")


def aligned_tables(rows: list[list[Piece]], across: Lines) -> list[tuple[int, int, Table]]:
    """Runs of rows (from, to) whose cells stand below each other over a gap that none crosses."""
    found = []
    start = 0
    while start < len(rows):
        end = _run_end(rows, start)
        table = _aligned(rows[start:end], across) if end - start >= 2 else None
        if table is not None:
            found.append((start, end, table))
        start = max(end, start + 1)
    return found


def _run_end(rows: list[list[Piece]], start: int) -> int:
    """Where a run of rows with several cells ends; rows between them may continue a cell."""
    if not _is_tabular(rows[start]):
        return start
    left, second, right = rows[start][0].x0, rows[start][1].x0, rows[start][-1].x1
    end = last = start + 1
    while end < len(rows):
        row, before = rows[end], rows[end - 1]
        gap = row[0].y0 - before[0].y1
        if gap > 1.5 * max(row[0].height, before[0].height):
            break
        if _is_tabular(row):
            second, right = min(second, row[1].x0), max(right, row[-1].x1)
            last = end + 1
        elif row[0].x0 >= second - 2 and end == last and gap < 0.4 * row[0].height:
            last = end + 1  # a further line of a cell
        elif end - last >= 3 or (len(row) == 1 and row[0].x1 - left > 0.6 * (right - left)):
            break
        end += 1
    return last


def _is_tabular(row: list[Piece]) -> bool:
    gaps = [gap_of(a, b) / max(a.height, b.height) for a, b in pairwise(row)]
    text = " ".join(piece.text for piece in row)
    return bool(gaps) and max(gaps) > 1.0 and not _LEADER.search(text) and not any(p.style.mono for p in row)


def _aligned(rows: list[list[Piece]], across: Lines) -> Table | None:
    bands = _bands([row for row in rows if len(row) > 1])
    several = sum(len(row) > 1 for row in rows)
    top, bottom = rows[0][0].y0, rows[-1][-1].y1
    rules = int(((across[:, 0] > top - 15) & (across[:, 0] < bottom + 15)).sum()) if len(across) else 0
    if len(bands) < 2 or several < (2 if rules >= 2 else 3):
        return None
    lines: list[list[list[Piece]]] = []
    for row in rows:
        cells: list[list[Piece]] = [[] for _ in bands]
        for piece in row:
            cells[_band(bands, piece)].append(piece)
        lines.append(cells)
    grid = _merged(lines)
    texts = [[cell_text(cell) for cell in cells] for cells in grid]
    filled = [text for row in texts for text in row if text]
    if len(texts) < 2 or len(filled) < 0.55 * len(texts) * len(bands):
        return None
    if sum(map(len, filled)) > 120 * len(filled):
        return None
    x0, x1 = bands[0][0], bands[-1][1]
    return Table(texts, x0, top, x1, bottom, tuple(round(band[0]) for band in bands))


def _merged(lines: list[list[list[Piece]]]) -> list[list[list[Piece]]]:
    """Lines of cells as rows: a line goes on with the row above where the room between rows is wider."""
    tops = [min(piece.y0 for cell in line for piece in cell) for line in lines]
    bottoms = [max(piece.y1 for cell in line for piece in cell) for line in lines]
    gaps = [below - above for above, below in zip(bottoms, tops[1:], strict=False)]
    height = median(b - t for t, b in zip(tops, bottoms, strict=True))
    middle = (min(gaps) + max(gaps)) / 2
    inner = [line for line, gap in zip(lines[1:], gaps, strict=True) if gap < middle]
    ragged = sum(not all(line) for line in inner)
    apart = (
        max(gaps) - min(gaps) > _TWO_ROOMS * height
        and len(lines) - len(inner) >= 3
        and 2 * ragged >= len(inner)
    )
    rows: list[list[list[Piece]]] = [lines[0]]
    for line, gap in zip(lines[1:], gaps, strict=True):
        if gap < middle if apart else (not line[0] and _continues(rows[-1], line)):
            rows[-1] = [cell + more for cell, more in zip(rows[-1], line, strict=True)]
        else:
            rows.append(line)
    return rows


def _continues(above: list[list[Piece]], cells: list[list[Piece]]) -> bool:
    """Whether a row without a first cell stands close below, under cells that have text."""
    y1 = max(piece.y1 for cell in above for piece in cell)
    return all(
        not cell or (bool(over) and cell[0].y0 - y1 < 0.4 * cell[0].height)
        for over, cell in zip(above, cells, strict=True)
    )


def _bands(rows: list[list[Piece]]) -> list[tuple[float, float]]:
    """The columns: stretches of x that cells cover, without what few rows alone would join."""
    spans = sorted((piece.x0, piece.x1) for row in rows for piece in row)
    bands: list[tuple[float, float]] = []
    for x0, x1 in spans:
        if bands and x0 < bands[-1][1] + 1:
            bands[-1] = (bands[-1][0], max(bands[-1][1], x1))
        else:
            bands.append((x0, x1))
    return bands


def _band(bands: list[tuple[float, float]], piece: Piece) -> int:
    centre = (piece.x0 + piece.x1) / 2
    distance = [max(x0 - centre, centre - x1, 0) for x0, x1 in bands]
    return distance.index(min(distance))
