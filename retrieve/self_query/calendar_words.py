"""The words of dates: ``tables/calendar.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Literal

from retrieve.self_query.word_tables import Listed, Phrases, Words, WordTable, inverted, read_table

CalendarUnit = Literal["day", "week", "month", "quarter", "year"]
LONG = 7
"""Letters of a month's name that is known with a typo, too."""


class CalendarWords(WordTable):
    """``calendar.yaml``: the words of dates."""

    months: tuple[Listed, ...]
    weekdays: tuple[Listed, ...]
    units: Mapping[CalendarUnit, Listed]
    hours: Listed
    counts: Mapping[int, Listed]
    ordinals: Mapping[int, Listed]
    seasons: Mapping[int, Listed]
    ambiguous: Words
    holidays: Mapping[str, str]
    decades: Mapping[int, Listed]
    years_of_century: Mapping[int, Listed]
    years_near: Mapping[int, str]
    days: Mapping[int, Listed]
    next: Listed
    last_but_one: Listed
    weekends: Listed
    near: Mapping[int, Phrases]
    prepositions: Listed
    weekday_prepositions: Listed
    before: Mapping[Literal["from", "to", "after", "before"], Phrases]

    @cached_property
    def month_of(self) -> Mapping[str, int]:
        """Names of months with their numbers, and what is easily typed for the long ones."""
        known = {name: number for number, names in enumerate(self.months, 1) for name in names}
        typed = {wrong: number for name, number in known.items() for wrong in misspelt(name)}
        return typed | known

    @cached_property
    def weekday_of(self) -> Mapping[str, int]:
        """Names of weekdays with their numbers, Monday is 0."""
        return {name: number for number, names in enumerate(self.weekdays) for name in names}

    @cached_property
    def season_of(self) -> Mapping[str, int]:
        """Names of seasons with their first months."""
        return inverted(self.seasons)

    @cached_property
    def unit_of(self) -> Mapping[str, CalendarUnit]:
        """Names of calendar units."""
        return inverted(self.units)

    @cached_property
    def count_of(self) -> Mapping[str, int]:
        """Numbers in words."""
        return inverted(self.counts)

    @cached_property
    def ordinal_of(self) -> Mapping[str, int]:
        """Ordinal numbers in words."""
        return inverted(self.ordinals)

    @cached_property
    def day_of(self) -> Mapping[str, int]:
        """Days of a month in words."""
        return inverted(self.days)

    @cached_property
    def decade_of(self) -> Mapping[str, int]:
        """Names of decades with their first years."""
        return {name: 1900 + year for name, year in inverted(self.decades).items()}

    @cached_property
    def years_in_words(self) -> Mapping[str, int]:
        """What follows "twenty" in a year, and the year."""
        return {name: 2000 + year for name, year in inverted(self.years_of_century).items()}

    @cached_property
    def days_ago(self) -> Mapping[str, int]:
        """Names of days near today, and how many days before it they are."""
        return inverted(self.near)


@lru_cache(maxsize=1)
def calendar_words() -> CalendarWords:
    """The words of dates."""
    return read_table("calendar.yaml", CalendarWords)


def misspelt(name: str) -> set[str]:
    """A long word with one letter left out, or two that changed places; its first letter is always right."""
    if len(name) < LONG:
        return set()
    left_out = {name[:at] + name[at + 1 :] for at in range(1, len(name))}
    swapped = {name[:at] + name[at + 1] + name[at] + name[at + 2 :] for at in range(1, len(name) - 1)}
    return left_out | swapped
