"""The lines of a column as blocks: headings, paragraphs, list items, code, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

from ingest.convert.pdf.headings import Body, Flow, contents_entry
from ingest.convert.pdf.lines import Line
from ingest.convert.pdf.markers import BARE_NUMBER, BULLET, ENUMERATOR
from ingest.convert.pdf.pieces import HYPHEN, Box, Table, is_rtl

_REFERENCE = re.compile(r"\[\d{1,4}\]\s")
_SENTENCE_END = (".", "!", "?", ":", '."', ".”", ".)", "。", "؟", "…")
_SPARSE = 1.35
"""In usual line pitches: a wider one parts paragraphs."""
_LOOK_AHEAD = 60

Kind = Literal["heading", "paragraph", "item", "code", "table"]


@dataclass(slots=True)
class Part:
    """What of a block stands in one place; the box as shares of the page."""

    page: int
    box: Box
    lines: list[str]


@dataclass(slots=True)
class Block:
    """A block of markdown."""

    kind: Kind
    parts: list[Part]
    level: int = 0
    """Of a heading from 1, of a list item from 0."""
    marker: str = ""
    size: float = 0.0
    edges: tuple[float, ...] = ()
    header: tuple[str, ...] = ()
    """Of a table: where its columns stand, and its first row; of code: its grid."""
    aside: bool = False
    """Set in another direction than most of its page, which goes on without it."""


@dataclass(frozen=True)
class Margins:
    """How a column is set: its edges in points, and the usual distance of its lines."""

    left: float
    right: float
    pitch: float


def margins_of(lines: Sequence[Line]) -> Margins:
    """Of a column with at least one line."""
    starts, ends = sorted(line.x0 for line in lines), sorted(line.x1 for line in lines)
    usual = median(line.height for line in lines)
    pitches = [b.y1 - a.y1 for a, b in pairwise(lines) if 0.5 * usual < b.y1 - a.y1 < 2.5 * usual]
    few = len(lines) < 4
    return Margins(
        starts[0 if few else len(starts) // 10],
        ends[-1 if few else 9 * (len(ends) - 1) // 10],
        _low_median(pitches) if pitches else 1.2 * usual,
    )


def _low_median(values: list[float]) -> float:
    """The lower third: in columns of short paragraphs, half of the distances part them."""
    return sorted(values)[len(values) // 3]


class ColumnReader:
    """Reads one column of a page; what it needs to know of the whole document is given."""

    def __init__(self, flow: Flow, levels: Mapping[int, tuple[int, int]], body: Body) -> None:
        self._flow = flow
        self._levels = levels
        self._body = body
        lines = [item for item in flow if isinstance(item, Line)]
        self._margins = margins_of(lines) if lines else Margins(0, 0, 0)
        self._rtl = is_rtl("".join(line.text for line in lines[:50]))
        self._stack: list[float] = []
        self._markers: dict[int, str | None] = {}
        self._last = ""
        self._hanging: bool | None = None

    def blocks(self) -> Iterator[tuple[Kind, list[Line] | Table, int, str]]:
        """Kind, what it is made of, level and list marker of each block."""
        flow, index = self._flow, 0
        while index < len(flow):
            item = flow[index]
            if isinstance(item, Table):
                yield "table", item, 0, ""
                index += 1
                continue
            if (heading := self._levels.get(id(item))) is not None:
                self._stack.clear()
                lines = [line for line in flow[index : index + heading[1]] if isinstance(line, Line)]
                yield "heading", lines, heading[0], ""
            elif item.style.mono and not self._body.mono:
                lines = self._code(index)
                yield "code", lines, 0, ""
            elif (entry := contents_entry(item.text)) is not None:
                lines = [item]
                item.text = f"{entry[1]} {entry[2]}"
                yield "item", lines, 0, "-"
            elif (marker := self._marker(index)) is not None:
                level = self._level(item)
                lines = self._rest(index, in_item=True)
                yield "item", lines, level, marker
            else:
                self._stack.clear()
                lines = self._rest(index, in_item=False)
                yield "paragraph", lines, 0, ""
            index += len(lines)

    def _line(self, index: int) -> Line | None:
        item = self._flow[index] if 0 <= index < len(self._flow) else None
        return item if isinstance(item, Line) else None

    def _code(self, index: int) -> list[Line]:
        lines: list[Line] = []
        while (line := self._line(index + len(lines))) is not None:
            if not line.style.mono or id(line) in self._levels:
                break
            if lines and not -line.height < line.y0 - lines[-1].y1 < 2.5 * line.height:
                break
            lines.append(line)
        return lines

    def _marker(self, index: int) -> str | None:
        """``-`` or ``1.`` where a list item begins."""
        if index not in self._markers:
            self._markers[index] = self._find_marker(index)
        return self._markers[index]

    def _find_marker(self, index: int) -> str | None:
        line = self._line(index)
        if line is None:
            return None
        if BULLET.match(line.text):
            return "-"
        match = ENUMERATOR.match(line.text)
        if match is None:
            return self._bare_number(index, line)
        value = match[1]
        if not (self._has_next(index, line, value) or self._has_previous(value)):
            return None
        self._last = value
        return f"{value}." if value.isdigit() else "-"

    def _bare_number(self, index: int, line: Line) -> str | None:
        """Numbers without a dot are those of a list only where they count from 1 to 3 at least."""
        match = BARE_NUMBER.match(line.text)
        if match is None:
            return None
        wanted, counted = int(match[1]), 0
        for item in self._flow[index : index + _LOOK_AHEAD]:
            if not isinstance(item, Line) or id(item) in self._levels:
                break
            found = BARE_NUMBER.match(item.text)
            if found and int(found[1]) == wanted + counted and abs(item.x0 - line.x0) < 0.5 * line.height:
                counted += 1
        if not (self._has_previous(match[1]) or (match[1] == "1" and counted >= 3)):
            return None
        self._last = match[1]
        return f"{match[1]}."

    def _has_previous(self, value: str) -> bool:
        return bool(self._stack) and bool(self._last) and value == _after(self._last)

    def _has_next(self, index: int, line: Line, value: str) -> bool:
        """Whether the next number follows, about as far from the margin."""
        wanted = _after(value)
        for item in self._flow[index + 1 : index + _LOOK_AHEAD]:
            if not isinstance(item, Line) or id(item) in self._levels:
                return False
            match = ENUMERATOR.match(item.text)
            if match and match[1] == wanted and abs(item.x0 - line.x0) < 2 * line.height:
                return True
        return False

    def _level(self, line: Line) -> int:
        """How deep a list item is nested, by where it begins."""
        place = -line.x1 if self._rtl else line.x0
        while self._stack and place < self._stack[-1] - 0.6 * line.height:
            self._stack.pop()
        if not self._stack or place > self._stack[-1] + 0.6 * line.height:
            self._stack.append(place)
        return min(len(self._stack) - 1, 5)

    def _rest(self, index: int, *, in_item: bool) -> list[Line]:
        """The lines of the paragraph or item that begins at ``index``."""
        first = self._line(index)
        lines = [first] if first is not None else []
        while (line := self._line(index + len(lines))) is not None:
            number = index + len(lines)
            if id(line) in self._levels or (line.style.mono and not self._body.mono):
                break
            if BULLET.match(line.text) or _REFERENCE.match(line.text) or contents_entry(line.text):
                break
            if (ENUMERATOR.match(line.text) or BARE_NUMBER.match(line.text)) and self._marker(number):
                break
            if self._parted(lines, line, in_item=in_item):
                break
            lines.append(line)
        return lines

    def _parted(self, lines: list[Line], line: Line, *, in_item: bool) -> bool:
        """Whether a line begins a new paragraph."""
        before, margins = lines[-1], self._margins
        pitch = line.y1 - before.y1
        if pitch > _SPARSE * max(margins.pitch, before.height) or pitch < -0.5 * line.height:
            return True
        if abs(line.style.size - before.style.size) > 0.08 * before.style.size:
            return True
        size = max(line.height, 1.0)
        ended = before.text.endswith(_SENTENCE_END)
        if in_item and not self._rtl:
            if line.x0 > lines[0].x0 + 0.5 * size:
                return False
            if self._items_hang():
                return True
        indent = line.x1 < margins.right - size if self._rtl else line.x0 > margins.left + 0.8 * size
        was_in = before.x1 < margins.right - size if self._rtl else before.x0 > margins.left + 0.4 * size
        if indent and not was_in and (ended or not self._is_full(before, line)):
            return True
        if in_item and ended and line.x0 < lines[0].x0 - 0.3 * size:
            return True
        return not self._is_full(before, line) and (ended or line.text[:1].isupper())

    def _items_hang(self) -> bool:
        """Whether the second lines of this column's list items stand further in than their markers."""
        if self._hanging is None:
            self._hanging = any(
                isinstance(one, Line)
                and isinstance(two, Line)
                and BULLET.match(one.text) is not None
                and BULLET.match(two.text) is None
                and 0.5 * one.height < two.x0 - one.x0 < 5 * one.height
                for one, two in pairwise(self._flow)
            )
        return self._hanging

    def _is_full(self, before: Line, line: Line) -> bool:
        """Whether the first word of a line had no room at the end of the line before."""
        if before.text.endswith((HYPHEN, ",", "-")) or not line.text:
            return True
        word = line.text.split(" ", 1)[0]
        width = (line.x1 - line.x0) * (len(word) + 1) / len(line.text)
        room = before.x0 - self._margins.left if self._rtl else self._margins.right - before.x1
        return room < 1.3 * width + 0.5 * line.height


def _after(value: str) -> str:
    """The enumerator that follows: 10 after 9, b after a, iv after iii."""
    if value.isdigit():
        return str(int(value) + 1)
    numerals = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv"]
    lower = value.lower()
    if len(value) > 1 or lower == "i":
        place = numerals.index(lower) + 1 if lower in numerals else len(numerals)
        following = numerals[place] if place < len(numerals) else ""
        return following.upper() if value.isupper() else following
    return chr(ord(value) + 1) if lower != "z" else ""


def code_grid(lines: Sequence[Line]) -> tuple[float, float]:
    """Where the first column of code is, and how wide its columns are, in points."""
    widths = [(line.x1 - line.x0) / len(line.text) for line in lines if line.text]
    return min(line.x0 for line in lines), median(widths) if widths else 0.0


def code_text(lines: Sequence[Line], grid: tuple[float, ...]) -> list[str]:
    """Code as it is typed: indented by columns, with the empty lines between."""
    left, width = grid
    pitches = [b.y1 - a.y1 for a, b in pairwise(lines) if b.y1 > a.y1]
    pitch = min(pitches, default=0.0)
    typed: list[str] = []
    for number, line in enumerate(lines):
        if number and pitch > 0:
            typed += [""] * min(max(round((line.y1 - lines[number - 1].y1) / pitch) - 1, 0), 3)
        indent = min(max(round((line.x0 - left) / width), 0), 200) if width > 0 else 0
        typed.append(" " * indent + line.text.replace(HYPHEN, "-").rstrip())
    return typed
