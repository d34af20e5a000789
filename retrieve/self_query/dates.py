"""Dates in a question: what a person wrote, as half-open ranges of days.

`read_dates` finds expressions in English, and the usual ones in German, French and Spanish. It says
when, and nothing about which field is meant or whether the date is a condition at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache

from retrieve.self_query.atoms import atoms, between
from retrieve.self_query.calendar import Days
from retrieve.self_query.calendar_words import calendar_words
from retrieve.self_query.question import ending_at

_ARTICLE = (
    r"(?:(?:the|der|dem|den|die|das|le|la|les|el|los|las|end of|beginning of|start of"
    r"|fin(?: de)?|finales de|ende|am|im|in|on|en|year)\s+|l')*"
)
_SIGNS = {"from": ">=|≥", "to": "<=|≤", "after": ">", "before": "<"}
_AFTER = (
    (
        "from",
        re.compile(
            r"\s*(?:or|and|und|et|y|oder|ou|o)\s+(?:later|after|newer|since|onwards?|spater|danach|apres|despues)\b"
            r"|\s*(?:onwards?|on)(?![^\W_]|\s+[a-z])"
        ),
    ),
    (
        "to",
        re.compile(
            r"\s*(?:or|and|oder|ou|o)\s+(?:earlier|before(?: that)?|older|(?:further|farther) back"
            r"|fruher|avant|antes)\b"
        ),
    ),
)
_BETWEEN = re.compile(rf"(?<![^\W_])(?:between|zwischen|entre)\s+{_ARTICLE}$")
_FROM = re.compile(rf"(?<![^\W_])(?:from|von|vom|de|du|desde|since)\s+{_ARTICLE}$")
_AND = re.compile(rf"\s*(?:and|und|et|y|&|-|to)\s+{_ARTICLE}")
_TO = re.compile(
    r"\s*,?\s*(?:to|until|till|through(?: to)?|thru|up to(?: and including)?|bis(?: zum| einschliesslich)?"
    r"|a|au|jusqu'(?:en|au|a)|hasta|al|-)\s*"
    rf"{_ARTICLE}"
)
_DASH = re.compile(rf"\s*(?:(?:-|to|through|thru|bis)\s*|up to and including\s+{_ARTICLE})")
_END = re.compile(r"(?<![^\W_])end of(?![^\W_])")
_ONWARDS = re.compile(
    r"\s*(?:on(?=\s*(?:$|[,.;:?!]|(?:that|which|where|who|with|and|but)\b))|onwards?(?![^\W_])|forward(?![^\W_]))"
)


@dataclass(frozen=True)
class DateSpan:
    """A date expression: ``question[start:end]`` means the days from ``first`` to before ``stop``."""

    start: int
    end: int
    first: date | None
    """Inclusive; None: open."""
    stop: date | None
    """Exclusive; None: open."""
    atom_start: int
    """Where the date itself begins, after words like "since"."""
    bare_year: bool = False
    """A year by itself, which may as well be a number."""
    relative: bool = False
    """Counted from today."""
    point: bool = True
    """One date, with no word that makes a range of it."""

    @property
    def years(self) -> tuple[int | None, int | None]:
        """First and last year, inclusive."""
        last = (self.stop - timedelta(days=1)).year if self.stop else None
        return (self.first.year if self.first else None), last


def read_dates(folded: str, today: date) -> list[DateSpan]:
    """The dates of a folded question, in order, none overlapping another."""
    found = atoms(folded, today)
    spans: list[DateSpan] = []
    position = 0
    while position < len(found):
        joined = _joined(folded, *found[position : position + 2]) if position + 1 < len(found) else None
        spans.append(joined or _single(folded, found[position]))
        position += 2 if joined else 1
    return spans


def _joined(folded: str, left: Days, right: Days) -> DateSpan | None:
    """ "Between March and May", "from 2019 to 2021", "3 - 9 May"."""
    if left.open or right.open:
        return None
    gap = between(folded, left, right)
    opening = ending_at(_BETWEEN, folded, left.start) if _AND.fullmatch(gap) else None
    if opening is None and (_TO.fullmatch(gap) or _DASH.fullmatch(gap)):
        opening = ending_at(_FROM, folded, left.start)
    if opening is None and not _DASH.fullmatch(gap):
        return None
    left, right = _same_year(left, right)
    if left.first > right.first and not (_END.search(gap) and left.first < right.stop):
        return None
    start = opening.start() if opening else left.start
    both = left.bare_year and right.bare_year
    return DateSpan(start, right.end, left.first, right.stop, left.start, both, point=False)


def _same_year(left: Days, right: Days) -> tuple[Days, Days]:
    """ "From March to May 2023": what has no year of its own takes the other's."""
    if left.year_missing and not right.year_missing:
        moved = left.in_year(right.first.year)
        return (moved if moved.first <= right.first else left.in_year(right.first.year - 1)), right
    if right.year_missing and not left.year_missing:
        moved = right.in_year(left.first.year)
        return left, moved if moved.first >= left.first else right.in_year(left.first.year + 1)
    if left.year_missing and right.year_missing and left.first > right.first:
        return left.in_year(left.first.year - 1), right
    return left, right


@lru_cache(maxsize=1)
def _before() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """What may stand before a date, and what it makes of it."""
    return tuple(
        (side, re.compile(rf"(?:(?<![^\W_])(?:{'|'.join(said)})[\s-]*{_ARTICLE}|(?:{_SIGNS[side]})\s*)$"))
        for side, said in calendar_words().before.items()
    )


def _single(folded: str, atom: Days) -> DateSpan:
    whole = DateSpan(atom.start, atom.end, atom.first, atom.stop, atom.start, atom.bare_year, atom.relative)
    if atom.open:
        return replace(whole, first=None if atom.open == "past" else atom.first, point=False)
    for side, pattern in _before():
        if match := ending_at(pattern, folded, atom.start):
            whole = replace(whole, start=match.start())
            if side != "from" or _is_open(match[0], folded, atom):
                return _bounded(whole, side)
            break
    for side, pattern in _AFTER:
        if match := pattern.match(folded, atom.end):
            return _bounded(replace(whole, end=match.end()), side)
    return whole


def _bounded(point: DateSpan, side: str) -> DateSpan:
    """A point as the range on one side of it."""
    first, stop = {
        "from": (point.first, None),
        "after": (point.stop, None),
        "to": (None, point.stop),
        "before": (None, point.first),
    }[side]
    return replace(point, first=first, stop=stop, point=False)


def _is_open(words: str, folded: str, atom: Days) -> bool:
    """Whether "from 2021" means 2021 and later: only where "on" follows; "since 2021" always does."""
    return words.split()[0] != "from" or bool(_ONWARDS.match(folded, atom.end))
