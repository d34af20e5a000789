"""Which lines are headings, and of which level: by the outline where there is one, else by type.

The body's size is the one that most characters have. Larger lines are headings, the largest ones of
the first level; bold lines of the body's size that stand alone come below them. Numbers before the
titles (2, 2.1) part a size into levels.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ingest.convert.pdf.lines import Line
from ingest.convert.pdf.pieces import Table

Flow: TypeAlias = "list[Line | Table]"
Style: TypeAlias = tuple[float, bool]

_LARGER = 1.12
_SAME_SIZE = 0.04
_LONGEST = 200
_MOST_LINES = 4
_NUMBERED = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,5})\.?\s+\S")
_LEADER = re.compile(r"^(.*?\S)(?:\s?[.·…_]){4,}\s*(\d{1,5}|[ivxlc]{1,7})$", re.I)
_LETTERS = re.compile(r"[^\W\d_]")
_NOT_WORDS = re.compile(r"[\W_]+")
_DEEPEST = 6


@dataclass(frozen=True)
class Body:
    """How the running text is set."""

    size: float
    bold: bool
    mono: bool


@dataclass(frozen=True)
class Heading:
    """Lines of one heading; ``first`` is known by its identity."""

    lines: tuple[Line, ...]
    page: int

    @property
    def title(self) -> str:
        return " ".join(line.text for line in self.lines)

    @property
    def style(self) -> Style:
        return self.lines[0].style.size, self.lines[0].style.bold


@dataclass(frozen=True)
class Bookmark:
    """An entry of the outline: its depth from 1, and the page it leads to."""

    title: str
    depth: int
    page: int | None


def body_of(lines: Iterable[Line]) -> Body:
    """The style of most characters."""
    sizes: Counter[float] = Counter()
    bold = mono = total = 0
    for line in lines:
        count = len(line.text)
        sizes[line.style.size] += count
        total += count
        bold += count * line.style.bold
        mono += count * line.style.mono
    size = max(sizes, key=lambda s: (sizes[s], -s)) if sizes else 10.0
    return Body(size, 2 * bold > total, 2 * mono > total)


def levels_of(
    pages: Sequence[Sequence[Flow]], body: Body, bookmarks: Sequence[Bookmark]
) -> dict[int, tuple[int, int]]:
    """The level of each heading and how many lines it has, by the identity of its first line."""
    found = [
        heading
        for number, flows in enumerate(pages)
        for flow in flows
        for heading in _candidates(flow, body, number)
    ]
    by_type = _by_type(found, body)
    by_outline = _by_outline(pages, found, by_type, bookmarks)
    return by_outline if by_outline is not None else {key: value for key, value in by_type.items() if value}


def _candidates(flow: Flow, body: Body, page: int) -> Iterable[Heading]:
    index = 0
    while index < len(flow):
        run = _alike(flow, index)
        if run and _may_head(flow, index, run, body):
            yield Heading(tuple(run), page)
        index += max(len(run), 1)


def _alike(flow: Flow, start: int) -> list[Line]:
    """Lines from ``start`` that are set alike and stand close together."""
    run: list[Line] = []
    for item in flow[start:]:
        if not isinstance(item, Line):
            break
        if run:
            size, bold = run[-1].style.size, run[-1].style.bold
            close = -0.5 * item.height < item.y0 - run[-1].y1 < 0.7 * item.height
            if item.style.size != size or item.style.bold != bold or not close:
                break
        run.append(item)
        if len(run) > _MOST_LINES:
            break
    return run


def _may_head(flow: Flow, index: int, run: list[Line], body: Body) -> bool:
    text = " ".join(line.text for line in run)
    style = run[0].style
    if len(text) > _LONGEST or len(run) > _MOST_LINES or len(_LETTERS.findall(text)) < 2:
        return False
    if (style.mono and not body.mono) or contents_entry(run[-1].text):
        return False
    if style.size >= _LARGER * body.size:
        return True
    if not style.bold or body.bold or style.size < 0.95 * body.size or len(run) > 2:
        return False
    if text[-1] in ".,;:" or len(text) > 120 or any(line.cells for line in run):
        return False
    before = flow[index - 1] if index else None
    apart = not isinstance(before, Line) or run[0].y0 - before.y1 > 0.3 * run[0].height
    return apart and index + len(run) < len(flow)


def _by_type(found: Sequence[Heading], body: Body) -> dict[int, tuple[int, int]]:
    """Levels by size, and within a size by the numbers before the titles."""
    clusters: dict[float, list[Heading]] = defaultdict(list)
    for size in sorted({heading.style[0] for heading in found}, reverse=True):
        near = next((s for s in clusters if abs(s - size) <= _SAME_SIZE * s), size)
        clusters[near] += [heading for heading in found if heading.style[0] == size]
    levels: dict[int, tuple[int, int]] = {}
    level = 1
    for headings in clusters.values():
        depths = [_depth(heading.title) for heading in headings]
        numbered = [depth for depth in depths if depth]
        least = min(numbered, default=1)
        parted = len(set(numbered)) > 1 and 2 * len(numbered) > len(depths)
        deepest = level
        for heading, depth in zip(headings, depths, strict=True):
            own = level + (depth - least if parted and depth else 0)
            levels[id(heading.lines[0])] = min(own, _DEEPEST), len(heading.lines)
            deepest = max(deepest, own)
        level = deepest + 1
    return levels


def contents_entry(text: str) -> re.Match[str] | None:
    """A line of a table of contents: a title, dots, a page."""
    return _LEADER.match(text) if len(text) < 400 and text[-1:].isalnum() else None


def _depth(title: str) -> int:
    match = _NUMBERED.match(title)
    return match[1].count(".") + 1 if match else 0


def _by_outline(
    pages: Sequence[Sequence[Flow]],
    found: Sequence[Heading],
    by_type: dict[int, tuple[int, int]],
    bookmarks: Sequence[Bookmark],
) -> dict[int, tuple[int, int]] | None:
    """Levels as the outline has them; None where too little of it is found on its pages."""
    wanted: dict[int, list[Bookmark]] = defaultdict(list)
    for bookmark in bookmarks:
        if bookmark.page is not None and 0 <= bookmark.page < len(pages):
            wanted[bookmark.page].append(bookmark)
    matched: dict[int, tuple[int, int]] = {}
    for page, entries in wanted.items():
        matched.update(_on_page(pages[page], entries))
    if len(matched) < 2 or 2 * len(matched) < sum(map(len, wanted.values())):
        return None
    styles: dict[Style, Counter[int]] = defaultdict(Counter)
    for heading in found:
        if (level := matched.get(id(heading.lines[0]))) is not None:
            styles[heading.style][level[0]] += 1
    largest = max((style[0] for style in styles), default=0.0)
    title = any(heading.style[0] > largest > 0 and heading.page == 0 for heading in found)
    levels = {key: (min(level + title, _DEEPEST), count) for key, (level, count) in matched.items()}
    below = min(max(level for level, _ in levels.values()) + 1, _DEEPEST)
    inside = {id(line) for heading in found if id(heading.lines[0]) in levels for line in heading.lines}
    for heading in found:
        key = id(heading.lines[0])
        if key in levels or key in inside:
            continue
        if heading.style in styles:
            levels[key] = min(styles[heading.style].most_common(1)[0][0] + title, 6), len(heading.lines)
        elif heading.style[0] > largest > 0:
            levels[key] = 1, len(heading.lines)
        elif by_type.get(key):
            levels[key] = below, len(heading.lines)
    return levels


def _on_page(flows: Sequence[Flow], entries: Sequence[Bookmark]) -> dict[int, tuple[int, int]]:
    """The lines of a page that say what bookmarks say; a title may take several lines."""
    titles: dict[str, int] = {}
    for entry in entries:
        for key in {_plain(entry.title), _plain(re.sub(r"^[\d.\s]+", "", entry.title))} - {""}:
            titles.setdefault(key, entry.depth)
    matched: dict[int, tuple[int, int]] = {}
    for flow in flows:
        for index, item in enumerate(flow):
            if not isinstance(item, Line):
                continue
            text = ""
            for count, line in enumerate(flow[index : index + _MOST_LINES], 1):
                if not isinstance(line, Line) or len(text) > _LONGEST:
                    break
                text = f"{text} {line.text}" if text else line.text
                depth = titles.get(_plain(text)) or titles.get(_plain(re.sub(r"^[\d.\s]+", "", text)))
                if depth:
                    matched[id(item)] = depth, count
                    break
    return matched


def _plain(text: str) -> str:
    return _NOT_WORDS.sub("", text.casefold())
