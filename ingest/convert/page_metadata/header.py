"""The lines around a page's main heading, where a reader finds author and date when nothing marks them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from ingest.convert.page_metadata.lines import Kind
from ingest.convert.page_metadata.names import names
from ingest.convert.page_metadata.texts import before_date, date_in, day, without_date

_MAX_LINES = 600
_LINES_BEFORE, _LINES_AFTER = 4, 16
_PARAGRAPH = 160
"""Characters from which on a line is running text; the header ends there."""
_DIGIT = re.compile(r"\d")
_MOST_WORDS, _MOST_WORDS_OF_DATELINE = 6, 3
"""Other words that a line with a date may have."""
_WROTE = re.compile(
    r"(?:(?:written|posted|published|words|story|text|article|submitted)\s+)?by[:\s]\s*|author:\s*|von\s+|par\s+",
    re.IGNORECASE,
)
_CAPITAL = r"[^\W\d_a-zà-þ][\w'’.-]*"
_NAME = re.compile(rf"{_CAPITAL}(?:\s+(?:{_CAPITAL}|de|da|di|van|von|der|den|la|le|bin|al)){{0,4}}")
_FULL_NAME = re.compile(rf"By\s+({_CAPITAL}\s+(?:{_CAPITAL}\s+){{0,2}}{_CAPITAL})")
_USER = re.compile(
    r"(?:\d+\s+points?\s+)?(?:(?:posted|submitted|asked|opened|started|written)\s+)?by\s+([\w.-]{2,39})"
    r"\s*(?:(?:on\s*)?$|[|·(]|\d+\s+\w+\s+ago)",
    re.IGNORECASE,
)
_SIGNED = re.compile(r"(\S.{1,58}?)\s+(?:on|am|le|el)\s*$", re.IGNORECASE)
_UPDATED = re.compile(
    r"\b(?:updated|modified|edited|revised|aktualisiert|actualizado|mis à jour)\b", re.IGNORECASE
)
_WITH_DATE = re.compile(
    r"[\W\d_]*(?:(?:published|posted|updated|created|written|released|on|in|at|by|date|am|um|le|el|publicado|"
    r"publié|veröffentlicht|mon|tue|wed|thu|fri|sat|sun)\w{0,6}[\W\d_]*"
    r"|(?:min(?:ute)?s?|read|reading|time|ago|[ap]m|utc|gmt|e[sd]t|p[sd]t|cest?)[\W\d_]*)*",
    re.IGNORECASE,
)
_REPORTED = re.compile(
    r"(?:[^\W\d_a-z][^\d()—–-]{1,40},\s)?([^()—–]{6,24}\d)\s?(?:\([^()]{2,30}\)\s?)?(?:--|[—–]|-\s)\s?[^\W\d_]"
)
"""April 17, 2015 -- Hospitals ...; LONDON, 3 May 2021 (Agency) - Ships ..."""


class Header:
    """The short lines before and after the main heading."""

    def __init__(self, lines: Iterable[tuple[str, Kind]]) -> None:
        """Take the lines of `lines.lines`; without a heading among them there is no header."""
        before: list[str] = []
        self._after: list[str] = []
        self._opening = ""
        passed = False
        for text, kind in islice(lines, _MAX_LINES):
            if kind == "main":
                passed = True
            elif kind == "heading" and date_in(text, None) and not is_dateline(text, None):
                continue  # of a version, a chapter, an event
            elif not passed:
                before.append(text)
            elif len(text) >= _PARAGRAPH or len(self._after) == _LINES_AFTER:
                self._opening = text
                break
            else:
                self._after.append(text)
        self._earlier = before if passed else []

    def authors(self) -> list[str]:
        """Who is named after a "by" or in front of "on" and a date, where it looks like names."""
        for text in self._near():
            if found := _signature(text):
                return found
        for text in self._earlier:
            if match := _FULL_NAME.fullmatch(text):
                return names([match[1]])
        return []

    def date(self, language: str | None) -> datetime | None:
        """The first date that a line near the heading has nearly to itself, unless it is that of a change.

        Else the date that the first paragraph is set off from, as news agencies date their reports.
        """
        for text in self._near():
            if not _UPDATED.search(before_date(text)) and (found := lone_date(text, language)):
                return found
        match = _REPORTED.match(self._opening)
        return day(match[1], language) if match else None

    def updated(self, language: str | None) -> datetime | None:
        """The date of a change, where a line says so."""
        for text in self._after:
            if match := _UPDATED.search(text):
                return date_in(text[match.end() :], language)
        return None

    def _near(self) -> list[str]:
        near = list(self._after)
        for text in reversed(self._earlier[-_LINES_BEFORE:]):
            if len(text) >= _PARAGRAPH:
                break
            near.append(text)
        return near


def lone_date(text: str, language: str | None, most: int = _MOST_WORDS) -> datetime | None:
    """The date of a line that says little else: at most so many words that dates do not go with."""
    found = date_in(text, language)
    if found is None:
        return None
    rest = without_date(text)
    match = _WITH_DATE.match(rest)
    return found if len(rest[match.end() if match else 0 :].split()) <= most else None


def is_dateline(text: str, language: str | None) -> bool:
    """Whether a heading is a date, and not that of a version, a chapter or an event."""
    return lone_date(text, language, _MOST_WORDS_OF_DATELINE) is not None and not _DIGIT.search(
        without_date(text)
    )


def _signature(text: str) -> list[str]:
    text = before_date(text)
    if match := _WROTE.match(text):
        candidates = [text[match.end() :]]
    elif match := _SIGNED.match(text):
        candidates = [match[1]]
    else:
        candidates = []
    found = names(candidates)
    if found and all(_NAME.fullmatch(name) for name in found):
        return found
    match = _USER.match(text)
    return names([match[1]]) if match else []
