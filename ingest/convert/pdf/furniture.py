"""Running headers, footers and page numbers: what stands in the margin of page after page.

Only whole rows at a page's edge go, from the edge inwards, as long as each is known from other pages;
so a sentence in the middle of a page never does.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ingest.convert.pdf.lines import rows_of
from ingest.convert.pdf.pieces import Frame, Piece

_ROWS = 3
_MARGIN = 0.15
"""Of the page's height: furniture stands no further inside."""
_MIN_PAGES = 3
_MIN_SHARE = 0.45
"""Of the pages between a text's first and last; left and right pages may differ."""
_LONGEST = 200
_ROOM = 0.4
_ROOM_OF_BODY = 1.0
"""In the row's height: body text begins no nearer; the second where it is set like the body."""
_SLOT = 2.0
"""Points: rows at the same height on their pages."""
_NUMBER = re.compile(
    r"(?:page|seite|p\.|s\.|pag\.|página|第)?\s*[-–—|·\[(]?\s*(\d{1,5}|[ivxlc]{1,7})\s*[-–—|·\])]?\s*"
    r"(?:(?:of|von|de|sur|/)\s*\d{1,5})?\s*(?:页)?",
    re.I,
)
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


@dataclass(frozen=True)
class _Row:
    """A row at the edge of a page, counted from the edge."""

    pieces: list[Piece]
    page: int
    at_top: bool
    place: float
    """Points from the page's top or bottom edge."""
    apart: bool
    """Whether there is some room between it and the next row inside."""


@dataclass
class _Known:
    """What pages have in common, at one edge."""

    texts: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    offsets: Counter[int] = field(default_factory=Counter)
    places: Counter[int] = field(default_factory=Counter)


def drop_furniture(pages: Sequence[Frame | None]) -> None:
    """Take the repeated rows out of each page's main frame."""
    edges = [list(_edge_rows(frame, index)) for index, frame in enumerate(pages) if frame is not None]
    known = {True: _Known(), False: _Known()}
    for row in (row for rows in edges for row in rows):
        _learn(known[row.at_top], row)
    for common in known.values():
        common.texts = {text: at for text, at in common.texts.items() if _is_repeated(at)}
        enough = 2 if len(edges) < 6 else _MIN_PAGES
        common.offsets = Counter({o: n for o, n in common.offsets.items() if n >= enough})
    for row in (row for rows in edges for row in rows):
        if all(_is_known(known[row.at_top], piece, row.page) for piece in row.pieces):
            known[row.at_top].places[round(row.place / _SLOT)] += 1
    gone = {
        id(piece)
        for rows in edges
        for at_top in (True, False)
        for piece in _gone(rows, known[at_top], at_top, len(edges))
    }
    kept = [[p for p in frame.pieces if id(p) not in gone] if frame else [] for frame in pages]
    if gone and any(kept):  # a document of nothing else keeps it
        for frame, pieces in zip(pages, kept, strict=True):
            if frame is not None:
                frame.pieces = pieces


def _edge_rows(frame: Frame, page: int) -> Iterator[_Row]:
    top, bottom = _MARGIN * frame.height, (1 - _MARGIN) * frame.height
    for at_top in (True, False):
        inside = [piece for piece in frame.pieces if (piece.y0 < top if at_top else piece.y1 > bottom)]
        rows = rows_of(inside)
        for row in rows[:_ROWS] if at_top else rows[: -_ROWS - 1 : -1]:
            if sum(len(piece.text) for piece in row) > _LONGEST or any(piece.filler for piece in row):
                break
            place = row[0].y0 if at_top else frame.height - row[0].y1
            yield _Row(row, page, at_top, place, _is_apart(frame, row, at_top=at_top))


def _is_apart(frame: Frame, row: list[Piece], *, at_top: bool) -> bool:
    y0, y1 = min(piece.y0 for piece in row), max(piece.y1 for piece in row)
    if at_top:
        gap = min((piece.y0 for piece in frame.pieces if piece.y0 > y1 - 1), default=frame.height) - y1
    else:
        gap = y0 - max((piece.y1 for piece in frame.pieces if piece.y1 < y0 + 1), default=0.0)
    size = row[0].style.size
    like_body = any(piece.style.size == size for piece in frame.pieces[len(frame.pieces) // 2 :][:20])
    return gap > (_ROOM_OF_BODY if like_body else _ROOM) * (y1 - y0)


def _learn(known: _Known, row: _Row) -> None:
    for piece in row.pieces:
        if (value := page_number(piece.text)) is not None:
            known.offsets[value - row.page] += 1
        else:
            known.texts[_key(piece.text)].add(row.page)


def _key(text: str) -> str:
    return re.sub(r"\d+", "#", " ".join(text.casefold().split()))


def _is_repeated(pages: set[int]) -> bool:
    return len(pages) >= _MIN_PAGES and len(pages) >= _MIN_SHARE * (max(pages) - min(pages) + 1)


def _is_known(known: _Known, piece: Piece, page: int) -> bool:
    value = page_number(piece.text)
    if value is not None and known.offsets[value - page]:
        return True
    return _key(piece.text) in known.texts


def _gone(rows: list[_Row], known: _Known, at_top: bool, pages: int) -> Iterator[Piece]:
    waiting: list[Piece] = []
    for row in (row for row in rows if row.at_top is at_top):
        familiar = [_is_known(known, piece, row.page) for piece in row.pieces]
        # Beside a page number, where other pages have their header, stands this page's header.
        slot = round(row.place / _SLOT)
        usual = sum(known.places[slot + shift] for shift in (-1, 0, 1)) >= max(_MIN_PAGES, pages // 3)
        if not (all(familiar) or (any(familiar) and usual)):
            return
        waiting += row.pieces
        if row.apart:
            yield from waiting
            waiting = []


def page_number(text: str) -> int | None:
    """The number that a text is, if it is nothing else."""
    match = _NUMBER.fullmatch(text.strip()) if len(text) < 40 else None
    if match is None:
        return None
    digits = match[1].lower()
    if digits.isdigit():
        return int(digits)
    values = [_ROMAN[letter] for letter in digits]
    return sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))
