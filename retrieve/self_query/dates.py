"""Dates in a question: what a person wrote, as half-open ranges of days.

`read_dates` finds expressions in English, and the usual ones in German, French and Spanish. It says
when, and nothing about which field is meant or whether the date is a condition at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta

from retrieve.self_query.calendar import Days, atoms

_ARTICLE = r"(?:(?:the|der|dem|den|die|das|le|la|les|el|los|las|end of|beginning of|start of|am|im|in|on|en|the year|year)\s+|l')*"

_BEFORE_WORDS: tuple[tuple[str, str], ...] = (
    # The order matters: longer phrases first.
    ("from", r"(?:not|no) older than|(?:in|on) or (?:after|since)|not before|no earlier than|not earlier than|since|(?:dating|going)? ?back to|starting (?:from|in|on|with)|beginning (?:in|on|with)|"
             r"as of|from|seit|ab|depuis|a partir de|a partir du|des|desde"),
    ("to", r"(?:not|no) (?:newer|younger) than|(?:in|on) or before|no later than|not later than|not after|up to(?: and including)?|until(?: the end of)?|till|through(?: the end of)?|by(?: the end of)?|bis(?: zum| einschliesslich)?|"
           r"jusqu'(?:en|au|a)?|jusque|hasta"),
    ("after", r"(?:any ?time )?after|later than|newer than|more recent than|younger than|following|past|nach|spater als|apres|posterieurs? a|despues (?:de|del)"),
    ("before", r"(?:any ?time )?before|prior to|earlier than|older than|preceding|ahead of|pre|vor|fruher als|avant|anterieurs? a|antes (?:de|del)"),
)  # fmt: skip
_SIGNS = {"from": ">=|≥", "to": "<=|≤", "after": ">", "before": "<"}
_BEFORE = [
    (op, re.compile(rf"(?:(?<![^\W_])(?:{words})[\s-]*{_ARTICLE}|(?:{_SIGNS[op]})\s*)$"))
    for op, words in _BEFORE_WORDS
]
_AFTER = (
    ("from", re.compile(r"\s*(?:or|and|und|et|y|oder|ou|o)\s+(?:later|after|newer|since|onwards?|spater|danach|apres|despues)\b|\s*(?:onwards?|on)(?![^\W_]|\s+[a-z])")),
    ("to", re.compile(r"\s*(?:or|and|oder|ou|o)\s+(?:earlier|before|older|fruher|avant|antes)\b")),
)  # fmt: skip
_BETWEEN = re.compile(rf"(?<![^\W_])(?:between|zwischen|entre)\s+{_ARTICLE}$")
_FROM = re.compile(rf"(?<![^\W_])(?:from|von|vom|de|du|desde|since)\s+{_ARTICLE}$")
_AND = re.compile(rf"\s*(?:and|und|et|y|&|-|to)\s+{_ARTICLE}")
_TO = re.compile(
    rf"\s*,?\s*(?:to|until|till|through|thru|up to|bis(?: zum)?|a|au|jusqu'(?:en|au|a)|hasta|al|-)\s*{_ARTICLE}"
)
_DASH = re.compile(r"\s*(?:-|to|through|thru|bis)\s*")


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
    found = list(atoms(folded, today))
    spans: list[DateSpan] = []
    position = 0
    while position < len(found):
        span, used = _joined(folded, found, position)
        spans.append(span)
        position += used
    return spans


def _joined(folded: str, found: list[Days], position: int) -> tuple[DateSpan, int]:
    """The span that begins with an atom, and how many atoms it takes."""
    here = found[position]
    before = folded[: here.start]
    following = found[position + 1] if position + 1 < len(found) else None
    if following is not None and not here.open and not following.open:
        gap = folded[here.end : following.start]
        opening = None
        if ((match := _BETWEEN.search(before)) and _AND.fullmatch(gap)) or ((match := _FROM.search(before)) and (_TO.fullmatch(gap) or _DASH.fullmatch(gap))):
            opening = match
        if opening is not None or _DASH.fullmatch(gap):
            here, following = _same_year(folded, here, following)
            if here.first <= following.first:
                start = opening.start() if opening else here.start
                both = here.bare_year and following.bare_year
                span = DateSpan(
                    start, following.end, here.first, following.stop, here.start, both, point=False
                )
                return span, 2
    return _single(folded, here), 1


def _same_year(folded: str, left: Days, right: Days) -> tuple[Days, Days]:
    """ "From March to May 2023": what has no year of its own takes the other's."""
    if left.year_missing and not right.year_missing:
        moved = left.in_year(right.first.year)
        if moved.first > right.first:
            moved = left.in_year(right.first.year - 1)
        return moved, right
    if right.year_missing and not left.year_missing:
        moved = right.in_year(left.first.year)
        return left, moved if moved.first >= left.first else right.in_year(left.first.year + 1)
    if left.year_missing and right.year_missing and left.first > right.first:
        return left.in_year(left.first.year - 1), right
    return left, right


def _single(folded: str, atom: Days) -> DateSpan:
    whole = DateSpan(atom.start, atom.end, atom.first, atom.stop, atom.start, atom.bare_year, atom.relative)
    if atom.open:
        return replace(whole, first=None if atom.open == "past" else atom.first, point=False)
    before = folded[: atom.start]
    op, start = None, atom.start
    for name, pattern in _BEFORE:
        if match := pattern.search(before):
            if (
                name in ("from",)
                and match[0].split()[0] in ("from", "des", "ab")
                and not _is_open(match[0], folded, atom)
            ):
                start = match.start()
                break
            op, start = name, match.start()
            break
    end = atom.end
    if op is None:
        for name, pattern in _AFTER:
            if match := pattern.match(folded, atom.end):
                op, end = name, match.end()
                break
    if op is None:
        return whole if start == atom.start else replace(whole, start=start)
    first, stop = {
        "from": (atom.first, None),
        "after": (atom.stop, None),
        "to": (None, atom.stop),
        "before": (None, atom.first),
    }[op]
    return replace(whole, start=start, end=end, first=first, stop=stop, point=False)


def _is_open(words: str, folded: str, atom: Days) -> bool:
    """Whether "from 2021" means 2021 and later: only where "on" follows, or German "ab" is meant."""
    if words.split()[0] in ("ab", "des"):
        return True
    return bool(
        re.match(r"\s*(?:on(?=\s*(?:$|[,.;:?!]))|onwards?(?![^\W_])|forward(?![^\W_]))", folded[atom.end :])
    )
