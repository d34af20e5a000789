"""What the expressions of dates mean: each function reads a match of a pattern as a range of days.

What lacks a year is the latest such time that has begun. A reading raises ValueError or OverflowError
for what is no date (31 February, a million years ago), and gives None for what is not meant as one.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache

from retrieve.self_query.calendar import Days, Openness, ago, months_on, unit_around, weekday_before
from retrieve.self_query.calendar_words import CalendarUnit, calendar_words
from retrieve.self_query.question import ending_at

OLDEST, YOUNGEST = 1000, 2199
"""Years that are understood as years."""
_THIS = ("this", "current", "diese", "cet", "este", "esta")
_NOT_ENGLISH = re.compile(r"(?<![^\W_])(?:en|entre|depuis|desde|des|du|de|jusqu'en|apres|avant)\s+$")
_AT_MOST = (
    *("less", "under", "fewer", "newer", "younger", "no older", "not older"),
    *("no more", "at most", "within"),
)


def days_of(
    match: re.Match[str],
    first: date,
    stop: date,
    *,
    bare_year: bool = False,
    relative: bool = False,
    year_missing: bool = False,
    open: Openness = "",
) -> Days:
    """A match that means the days from ``first`` to before ``stop``."""
    return Days(match.start(), match.end(), first, stop, bare_year, relative, year_missing, open)


def one_day(match: re.Match[str], day: date, *, relative: bool = False) -> Days:
    """A match that means one day."""
    return days_of(match, day, day + timedelta(days=1), relative=relative)


def year_of(match: re.Match[str], today: date) -> int | None:
    """The year that belongs to a day or month: "2024", "'24", "this year"; None where there is none."""
    groups = match.groupdict()
    if near := groups.get("near_year"):
        return today.year + next(
            shift for shift, said in calendar_words().years_near.items() if re.fullmatch(said, near)
        )
    text = groups.get("year")
    if text is None:
        return None
    if text.startswith("'"):
        short = int(text[1:])
        return short + (2000 if short < 50 else 1900)
    return int(text)


def iso_day(match: re.Match[str], _: date) -> Days:
    """2024-03-05."""
    return one_day(match, date(int(match["y"]), int(match["m"]), int(match["d"])))


def slashed_day(match: re.Match[str], _: date) -> Days:
    """3/14/2024 with slashes, 14.3.2024 with dots: the usual orders."""
    a, b, year = int(match["a"]), int(match["b"]), int(match["y"])
    year += 2000 if year < 50 else 1900 if year < 100 else 0
    month, day = (b, a) if match["sep"] == "." or a > 12 else (a, b)
    return one_day(match, date(year, month, day))


def numbered_month(match: re.Match[str], _: date) -> Days:
    """2024-03, 03/2024."""
    first = date(int(match["y"]), int(match["m"]), 1)
    return days_of(match, first, months_on(first, 1))


def named_day(match: re.Match[str], today: date) -> Days:
    """6 November 2023, March 5, 3 to 9 May."""
    known, said = calendar_words(), match["day"]
    month, year = known.month_of[match["month"]], year_of(match, today)
    day = int(said) if said.isdigit() else known.day_of[said]
    last = int(match.groupdict().get("day2") or day)
    shown = year if year is not None else today.year
    first = date(shown, month, day)
    if year is None and first > today:
        first = date(shown - 1, month, day)
    return days_of(match, first, date(first.year, month, last) + timedelta(days=1), year_missing=year is None)


def named_month(match: re.Match[str], today: date) -> Days | None:
    """March 2024; "in may", but not "we may"."""
    year, name = year_of(match, today), match["month"]
    known = calendar_words()
    if year is None and name in known.ambiguous:
        foreign = ending_at(_NOT_ENGLISH, match.string, match.start())
        if not (
            after_preposition(match.string, match.start()) or _to_month().match(match.string, match.end())
        ):
            return None
        if name in ("mar", "mars") and not foreign:
            return None
    return _part_of_year(match, today, date(2000, known.month_of[name], 1), 1, year)


def after_preposition(text: str, at: int) -> bool:
    """Whether a preposition stands right before a place of a folded text."""
    return _after_preposition().match(text, at) is not None


@lru_cache(maxsize=1)
def _to_month() -> re.Pattern[str]:
    return re.compile(rf"\s*(?:to|-|through|until|bis)\s*(?:{'|'.join(calendar_words().month_of)})(?![^\W_])")


@lru_cache(maxsize=1)
def _after_preposition() -> re.Pattern[str]:
    return re.compile("|".join(rf"(?<=\b{word} )" for word in calendar_words().prepositions))


def quarter(match: re.Match[str], today: date) -> Days:
    """Q3, 2024-Q3, the third quarter of 2024."""
    groups = match.groupdict()
    number = int(groups["q"]) if groups.get("q") else calendar_words().ordinal_of[groups["ordinal"]]
    return _part_of_year(match, today, date(2000, 3 * number - 2, 1), 3, year_of(match, today))


def half(match: re.Match[str], today: date) -> Days | None:
    """H1 2024, the second half of 2024."""
    groups = match.groupdict()
    number = int(groups["h"]) if groups.get("h") else calendar_words().ordinal_of[groups["ordinal"]]
    if number > 2:
        return None
    return _part_of_year(match, today, date(2000, 6 * number - 5, 1), 6, year_of(match, today))


def season(match: re.Match[str], today: date) -> Days:
    """Summer 2024."""
    month = calendar_words().season_of[match["season"]]
    return _part_of_year(match, today, date(2000, month, 1), 3, year_of(match, today))


def _part_of_year(match: re.Match[str], today: date, first: date, months: int, year: int | None) -> Days:
    shown = today.year if year is None else year
    first = first.replace(year=shown)
    if year is None and first > today:
        first = first.replace(year=shown - 1)
    return days_of(match, first, months_on(first, months), year_missing=year is None)


def whole_year(match: re.Match[str], today: date) -> Days | None:
    """2024, '24."""
    year = year_of(match, today)
    if year is None or not OLDEST <= year <= YOUNGEST:
        return None
    return days_of(match, date(year, 1, 1), date(year + 1, 1, 1), bare_year=True)


def fiscal_year(match: re.Match[str], _: date) -> Days:
    """FY24, fiscal 2024."""
    year = int(match["fy"])
    year += 2000 if year < 100 else 0
    return days_of(match, date(year, 1, 1), date(year + 1, 1, 1), bare_year=True)


def decade(match: re.Match[str], _: date) -> Days:
    """The 1990s, the 20s."""
    first = int(match["decade"])
    first += 1900 if 30 <= first < 100 else 2000 if first < 30 else 0
    return days_of(match, date(first, 1, 1), date(first + 10, 1, 1))


def near_day(match: re.Match[str], today: date) -> Days:
    """Today, yesterday."""
    day = today - timedelta(days=calendar_words().days_ago[match["word"]])
    return one_day(match, day, relative=True)


def _amount(match: re.Match[str]) -> tuple[int, CalendarUnit]:
    text, known = match["count"].removesuffix(" of").strip(), calendar_words()
    count = int(text) if text.isdigit() else known.count_of[text]
    if unit := known.unit_of.get(match["unit"]):
        return count, unit
    return -(-count // 24), "day"  # hours


def past_units(match: re.Match[str], today: date) -> Days:
    """The past two weeks."""
    first = ago(today, *_amount(match))
    return days_of(match, first, today + timedelta(days=1), relative=True, open="recent")


def units_ago(match: re.Match[str], today: date) -> Days:
    """Three days ago; more than a year old."""
    day = ago(today, *_amount(match))
    how = match.groupdict().get("how")
    if how is None:
        return one_day(match, day, relative=True)
    if how.startswith(_AT_MOST):
        return days_of(match, day, today + timedelta(days=1), relative=True, open="recent")
    return days_of(match, day, day, relative=True, open="past")


def this_or_last(match: re.Match[str], today: date) -> Days | None:
    """This month, last quarter, the past week."""
    which, unit = match["which"].removeprefix("the "), calendar_words().unit_of.get(match["unit"])
    if unit is None or (unit == "day" and which == "last"):
        return None  # "the first and the last day"
    if which == "past":
        return days_of(match, ago(today, 1, unit), today + timedelta(days=1), relative=True, open="recent")
    return days_of(match, *unit_around(today, unit, 0 if which.startswith(_THIS) else -1), relative=True)


def unit_then_last(match: re.Match[str], today: date) -> Days | None:
    """French and Spanish: "la semaine derniere", "el mes pasado"."""
    unit = calendar_words().unit_of.get(match["unit"])
    return None if unit is None else days_of(match, *unit_around(today, unit, -1), relative=True)


def named_last(match: re.Match[str], today: date) -> Days:
    """Last Friday, last March, this summer."""
    this, name, known = match["which"].startswith(_THIS), match["name"], calendar_words()
    if name in known.weekday_of:
        weekday = known.weekday_of[name]
        monday = unit_around(today, "week")[0]
        day = monday + timedelta(days=weekday) if this else weekday_before(today, weekday)
        return one_day(match, day, relative=True)
    month, length = (known.month_of[name], 1) if name in known.month_of else (known.season_of[name], 3)
    first = date(today.year, month, 1)
    if not this and months_on(first, length) > today:
        first = first.replace(year=today.year - 1)
    return days_of(match, first, months_on(first, length), relative=True)


def weekday(match: re.Match[str], today: date) -> Days:
    """On Friday."""
    day = weekday_before(today, calendar_words().weekday_of[match["name"]])
    return one_day(match, day, relative=True)
