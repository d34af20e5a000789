"""Days and the calendar: units around a day, months before and after it, and what a date expression means.

Weeks begin on Monday.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from retrieve.self_query.calendar_words import CalendarUnit

Openness = Literal["", "past", "recent"]
MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Days:
    """A date in a text: ``text[start:end]`` means the days from ``first`` to before ``stop``."""

    start: int
    end: int
    first: date
    stop: date
    bare_year: bool = False
    relative: bool = False
    year_missing: bool = False
    open: Openness = ""
    """past: everything before ``stop``; recent: a range up to today that says so itself."""

    def in_year(self, year: int) -> Days:
        """The same days of another year."""
        months = 12 * (year - self.first.year)
        first, stop = months_on(self.first, months), months_on(self.stop, months)
        return replace(self, first=first, stop=stop, year_missing=False)


def unit_around(day: date, unit: CalendarUnit, shift: int = 0) -> tuple[date, date]:
    """The calendar unit around a day, or one before (-1) or after it: first day, and the first one after."""
    if unit == "day":
        first = day + timedelta(days=shift)
        return first, first + timedelta(days=1)
    if unit == "week":
        first = day - timedelta(days=day.weekday()) + timedelta(weeks=shift)
        return first, first + timedelta(weeks=1)
    months = MONTHS[unit]
    first = months_on(date(day.year, (day.month - 1) // months * months + 1, 1), shift * months)
    return first, months_on(first, months)


def months_on(day: date, months: int) -> date:
    """The same day so many months later, or the last one of that month."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def ago(today: date, count: int, unit: CalendarUnit) -> date:
    """The day so many units before today."""
    if unit in ("day", "week"):
        return today - timedelta(days=count * (7 if unit == "week" else 1))
    return months_on(today, -count * MONTHS[unit])


def weekday_before(today: date, weekday: int) -> date:
    """The latest such day before today; Monday is 0."""
    return today - timedelta(days=(today.weekday() - weekday - 1) % 7 + 1)
