"""What further expressions of dates mean: holidays, weekends, weeks by number, decades, what is to come.

Like `readings`: each function reads a match of a pattern as a range of days.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from retrieve.self_query.calendar import Days, months_on, unit_around, weekday_before
from retrieve.self_query.calendar_words import calendar_words
from retrieve.self_query.readings import after_preposition, days_of, one_day, year_of

SATURDAY = 5
_ENDS = re.compile(
    r"\s*(?:$|[,.;:?!)-]|(?:and|or|until|till|to|up|on|onwards?|with|where|when|that|which|who|we|they|about"
    r"|for|by|from|und|oder|bis|et|ou|y|o)(?![^\W_]))"
)
"""What may follow a holiday that is a date: "since Christmas about ...", and no "from Christmas markets"."""


def holiday(match: re.Match[str], today: date) -> Days | None:
    """Boxing Day 2024, since Christmas; not "a Christmas market"."""
    year, name = year_of(match, today), match["holiday"]
    alone = after_preposition(match.string, match.start()) and _ENDS.match(match.string, match.end())
    if year is None and not alone:
        return None
    month, day = next(
        map(int, at.split("-")) for at, said in calendar_words().holidays.items() if re.fullmatch(said, name)
    )
    found = date(today.year if year is None else year, month, day)
    if year is None and found > today:
        found = found.replace(year=today.year - 1)
    return one_day(match, found)


def turn_of_the_year(match: re.Match[str], today: date) -> Days:
    """ "Since the turn of the year": the first of January."""
    return one_day(match, date(today.year, 1, 1), relative=True)


def day_of_month(match: re.Match[str], today: date) -> Days:
    """The 3rd of this month, the 10th of last month."""
    first, stop = unit_around(today, "month", _shift(match["which"]))
    day = first + timedelta(days=int(match["day"]) - 1)
    if day >= stop:
        raise ValueError("the month has no such day")
    return one_day(match, day, relative=True)


def before_last(match: re.Match[str], today: date) -> Days | None:
    """The week before last; "vorletzte Woche"."""
    unit = calendar_words().unit_of.get(match["unit"])
    return None if unit is None else days_of(match, *unit_around(today, unit, -2), relative=True)


def to_come(match: re.Match[str], today: date) -> Days | None:
    """Next week, the coming month."""
    unit = calendar_words().unit_of.get(match["unit"])
    return None if unit in (None, "day") else days_of(match, *unit_around(today, unit, 1), relative=True)


def weekday_gone(match: re.Match[str], today: date) -> Days:
    """The Saturday just gone, in Saturday's trial."""
    day = weekday_before(today, calendar_words().weekday_of[match["name"]])
    return one_day(match, day, relative=True)


def weekday_of_week(match: re.Match[str], today: date) -> Days:
    """The Wednesday of last week."""
    monday = unit_around(today, "week", -1 if match["which"] == "last" else 0)[0]
    day = monday + timedelta(days=calendar_words().weekday_of[match["name"]])
    return one_day(match, day, relative=True)


def edge_of_month(match: re.Match[str], today: date) -> Days:
    """The last day of July, the first day of March 2025."""
    year = year_of(match, today)
    first = date(today.year if year is None else year, calendar_words().month_of[match["month"]], 1)
    if year is None and first > today:
        first = first.replace(year=today.year - 1)
    day = first if match["edge"] == "first" else months_on(first, 1) - timedelta(days=1)
    return one_day(match, day)


def fortnight(match: re.Match[str], today: date) -> Days:
    """The past fortnight."""
    first = today - timedelta(weeks=2)
    return days_of(match, first, today + timedelta(days=1), relative=True, open="recent")


def fortnight_ago(match: re.Match[str], today: date) -> Days:
    """A fortnight ago."""
    return one_day(match, today - timedelta(weeks=2), relative=True)


def weekend(match: re.Match[str], today: date) -> Days:
    """Last weekend, this weekend."""
    this = match["which"].startswith(("this", "dies", "ce"))
    monday = unit_around(today, "week")[0]
    first = monday + timedelta(days=SATURDAY)
    if not this and first + timedelta(days=2) > today:
        first -= timedelta(weeks=1)
    return days_of(match, first, first + timedelta(days=2), relative=True)


def weekend_of_month(match: re.Match[str], today: date) -> Days | None:
    """The first weekend of this month, of June 2024."""
    known, groups = calendar_words(), match.groupdict()
    if groups.get("which"):
        month = unit_around(today, "month", _shift(match["which"]))[0]
    else:
        year = year_of(match, today)
        month = date(today.year if year is None else year, known.month_of[match["month"]], 1)
        if year is None and month > today:
            month = month.replace(year=today.year - 1)
    saturday = month + timedelta(days=(SATURDAY - month.weekday()) % 7)
    if match["ordinal"] == "last":
        while (saturday + timedelta(weeks=1)).month == month.month:
            saturday += timedelta(weeks=1)
    else:
        saturday += timedelta(weeks=known.ordinal_of[match["ordinal"]] - 1)
    return days_of(match, saturday, saturday + timedelta(days=2)) if saturday.month == month.month else None


def week_by_number(match: re.Match[str], today: date) -> Days:
    """KW 10, calendar week 10 of 2026, 2026-W10."""
    year = year_of(match, today)
    first = date.fromisocalendar(today.year if year is None else year, int(match["week"]), 1)
    if year is None and first > today:
        first = date.fromisocalendar(today.year - 1, int(match["week"]), 1)
    return days_of(match, first, first + timedelta(weeks=1))


def named_decade(match: re.Match[str], _: date) -> Days:
    """The nineties."""
    first = date(calendar_words().decade_of[match["decade"]], 1, 1)
    return days_of(match, first, months_on(first, 120))


def year_in_words(match: re.Match[str], _: date) -> Days:
    """Twenty twenty-four."""
    first = date(calendar_words().years_in_words[re.sub(r"\s", "-", match["words"])], 1, 1)
    return days_of(match, first, months_on(first, 12))


def _shift(which: str) -> int:
    """Of "this", "last" or "next" before a unit."""
    if which.startswith(("this", "dies", "current", "ce ", "este")):
        return 0
    return 1 if which.startswith(tuple(calendar_words().next)) else -1
