"""Sheets of cells as markdown: the tables in them, bounded however large a sheet is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ingest.convert.markup import MAX_COLUMNS, blocks, one_line, plain_line, table

MAX_ROWS = 50_000
"""Rows with content that are kept of a sheet."""
MAX_CHARACTERS = 20_000_000

Area = tuple[int, int, int, int]
"""First row, first column, last row, last column, from 0, all included."""
_NUMBER = re.compile(r"[-+(]?\s?[$€£¥]?\s?\d[\d\s.,']*\s?[%$€£¥)]?")


@dataclass
class Grid:
    """The rows of a sheet that are kept, and how many were not."""

    rows: dict[int, list[str]] = field(default_factory=dict)
    """By their number from 0; empty rows are missing."""
    full: bool = False
    """Whether there are more rows than are kept."""
    seen: int = 0
    """Rows that were read, empty ones too."""
    cut_columns: int = 0
    """How many columns the widest row has beyond those that are kept."""
    characters: int = 0

    def read(self, rows: Iterable[Sequence[str]]) -> None:
        """Take rows in order, up to the limits: what is behind them is not even looked at."""
        for number, row in enumerate(rows):
            self.seen = number
            if not any(value.strip() for value in row):
                continue
            if len(self.rows) >= MAX_ROWS or self.characters > MAX_CHARACTERS:
                self.full = True
                return
            filled = next(i for i in range(len(row), 0, -1) if row[i - 1].strip())
            self.cut_columns = max(self.cut_columns, filled - MAX_COLUMNS)
            kept = [value.strip() for value in row[: min(filled, MAX_COLUMNS)]]
            self.rows[number] = kept
            self.characters += sum(map(len, kept))

    def spread(self, areas: Iterable[Area]) -> None:
        """Give every cell of a merged area its value, so that each row and column says what it is of.

        An area as wide as its row's only content is a caption, and stays one cell.
        """
        room = MAX_CHARACTERS
        for top, left, bottom, edge in areas:
            right = min(edge, MAX_COLUMNS - 1)
            source = self.rows.get(top, [])
            value = source[left] if left < len(source) else ""
            alone = sum(map(bool, source)) == 1 and right > left
            if not value or (alone and top == bottom):
                continue
            for number in range(top, min(bottom, top + MAX_ROWS) + 1):
                room -= (right - left + 1) * (len(value) + 1)
                row = self.rows.get(number)
                if room < 0:
                    return
                if row is None:
                    continue
                row.extend([""] * (right + 1 - len(row)))
                row[left : right + 1] = [value] * (right + 1 - left)


def sheet_markdown(grid: Grid, total: int) -> tuple[str, list[str]]:
    """Tables are set apart by empty rows; a row with one value only is a line of text above or below.

    Args:
        total: about how many rows the whole sheet has.

    Returns:
        Markdown, and notes of what was cut.
    """
    parts: list[str] = []
    for group in _groups(grid.rows):
        parts += _group_blocks(group)
    notes = []
    if grid.full:
        beyond = max(total - grid.seen, 1)
        notes.append(f"rows beyond the first {len(grid.rows)} are left out (about {beyond})")
    if grid.cut_columns:
        notes.append(f"columns beyond the first {MAX_COLUMNS} are left out ({grid.cut_columns})")
    return blocks(parts), notes


def _groups(rows: dict[int, list[str]]) -> Iterator[list[list[str]]]:
    group: list[list[str]] = []
    last = None
    for number, row in rows.items():
        if last is not None and number > last + 1 and group:
            yield group
            group = []
        group.append(row)
        last = number
    if group:
        yield group


def _group_blocks(rows: list[list[str]]) -> list[str]:
    """Lines of text at the start and the end of a group, and the table between them."""
    if all(sum(map(bool, row)) == 1 for row in rows):
        return _single_column(rows)
    start = next(i for i, row in enumerate(rows) if sum(map(bool, row)) > 1)
    end = next(i for i in range(len(rows), 0, -1) if sum(map(bool, rows[i - 1])) > 1)
    trailing = rows[end:] if all(row[0] for row in rows[end:]) else []
    middle = rows[start : len(rows) - len(trailing)]
    return [*map(_text_of, rows[:start]), table(_with_header(middle)), *map(_text_of, trailing)]


def _single_column(rows: list[list[str]]) -> list[str]:
    """A column with a name and values is a table of one column; one or two lines are text."""
    if len(rows) > 2 and len({len(row) for row in rows}) == 1:
        return [table(_with_header(rows))]
    return [_text_of(row) for row in rows]


def _text_of(row: list[str]) -> str:
    return plain_line(one_line(next(value for value in row if value)))


def _with_header(rows: list[list[str]]) -> list[list[str]]:
    """The rows, led by an empty header where the first one is data: numbers, as in the rows below it."""
    numbers = [bool(_NUMBER.fullmatch(value)) for value in rows[0] if value]
    if len(rows) > 1 and len(numbers) > 1 and all(numbers) and not _years(rows[0]):
        return [[f"column {i + 1}" for i in range(max(map(len, rows)))], *rows]
    return rows


def _years(row: list[str]) -> bool:
    return all(re.fullmatch(r"(?:19|20)\d\d", value) for value in row if value)
