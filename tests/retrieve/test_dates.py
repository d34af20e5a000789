"""Dates in questions: what they mean, counted from a fixed today, a Thursday."""

from __future__ import annotations

from datetime import date
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieve.self_query.calendar import ago, months_on, unit_around
from retrieve.self_query.calendar_words import CalendarUnit
from retrieve.self_query.dates import read_dates
from retrieve.self_query.text import fold

TODAY = date(2026, 5, 14)
Expected = tuple[str | None, str | None]


def read(text: str, today: date = TODAY) -> list[Expected]:
    return [(_iso(span.first), _iso(span.stop)) for span in read_dates(fold(text), today)]


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


POINTS = [
    ("on 6 November 2023", "2023-11-06", "2023-11-07"),
    ("on the 6th of November, 2023", "2023-11-06", "2023-11-07"),
    ("November 6, 2023", "2023-11-06", "2023-11-07"),
    ("2023-11-06", "2023-11-06", "2023-11-07"),
    ("2023-11-06T10:30:00Z", "2023-11-06", "2023-11-07"),
    ("11/6/2023", "2023-11-06", "2023-11-07"),
    ("26/11/2023", "2023-11-26", "2023-11-27"),
    ("6.11.2023", "2023-11-06", "2023-11-07"),
    ("3 to 9 May 2024", "2024-05-03", "2024-05-10"),
    ("March 2024", "2024-03-01", "2024-04-01"),
    ("2024-03", "2024-03-01", "2024-04-01"),
    ("03/2024", "2024-03-01", "2024-04-01"),
    ("in December", "2025-12-01", "2026-01-01"),
    ("in May", "2026-05-01", "2026-06-01"),
    ("Q3 2024", "2024-07-01", "2024-10-01"),
    ("2024Q3", "2024-07-01", "2024-10-01"),
    ("in Q2", "2026-04-01", "2026-07-01"),
    ("in Q3", "2025-07-01", "2025-10-01"),
    ("the second quarter of 2023", "2023-04-01", "2023-07-01"),
    ("H2 2023", "2023-07-01", "2024-01-01"),
    ("first half of 2023", "2023-01-01", "2023-07-01"),
    ("summer 2023", "2023-06-01", "2023-09-01"),
    ("winter 2023", "2023-12-01", "2024-03-01"),
    ("in 2023", "2023-01-01", "2024-01-01"),
    ("in '98", "1998-01-01", "1999-01-01"),
    ("FY24", "2024-01-01", "2025-01-01"),
    ("the 1990s", "1990-01-01", "2000-01-01"),
    ("in the 80s", "1980-01-01", "1990-01-01"),
    ("aired in the nineties", "1990-01-01", "2000-01-01"),
    ("in den achtziger Jahren", "1980-01-01", "1990-01-01"),
    ("meetings of twenty twenty-four", "2024-01-01", "2025-01-01"),
    ("Boxing Day 2024", "2024-12-26", "2024-12-27"),
    ("on New Year's Eve 2025", "2025-12-31", "2026-01-01"),
    ("on New Year’s Day", "2026-01-01", "2026-01-02"),
    ("Heiligabend 2023", "2023-12-24", "2023-12-25"),
    ("the ninth of February 2026", "2026-02-09", "2026-02-10"),
    ("the nineteen-thirties", "1930-01-01", "1940-01-01"),
    ("in den 1950er Jahren", "1950-01-01", "1960-01-01"),
    ("zwischen dem 3. und dem 9. Februar 2026", "2026-02-03", "2026-02-10"),
    ("the last day of July 2025", "2025-07-31", "2025-08-01"),
    ("the final quarter of 2025", "2025-10-01", "2026-01-01"),
    ("KW 10 2026", "2026-03-02", "2026-03-09"),
    ("week 1 of 2025", "2024-12-30", "2025-01-06"),
    ("2026-W10", "2026-03-02", "2026-03-09"),
    ("the first weekend of March 2025", "2025-03-01", "2025-03-03"),
    ("the last weekend of August 2024", "2024-08-31", "2024-09-02"),
]
RELATIVE = [
    ("a week ago today", "2026-05-07", "2026-05-08"),
    ("the week before last", "2026-04-27", "2026-05-04"),
    ("vorletzte Woche", "2026-04-27", "2026-05-04"),
    ("the month before last", "2026-03-01", "2026-04-01"),
    ("next month", "2026-06-01", "2026-07-01"),
    ("in the coming week", "2026-05-18", "2026-05-25"),
    ("the 3rd of this month", "2026-05-03", "2026-05-04"),
    ("on the 30th of last month", "2026-04-30", "2026-05-01"),
    ("the past fortnight", "2026-04-30", "2026-05-15"),
    ("a fortnight ago", "2026-04-30", "2026-05-01"),
    ("a fortnight ago today", "2026-04-30", "2026-05-01"),
    ("Monday this week", "2026-05-11", "2026-05-12"),
    ("this very week", "2026-05-11", "2026-05-18"),
    ("vendredi dernier", "2026-05-08", "2026-05-09"),
    ("the first quarter of last year", "2025-01-01", "2025-04-01"),
    ("the last day of July", "2025-07-31", "2025-08-01"),
    ("the Wednesday of last week", "2026-05-06", "2026-05-07"),
    ("in Saturday's", "2026-05-09", "2026-05-10"),
    ("last weekend", "2026-05-09", "2026-05-11"),
    ("this weekend", "2026-05-16", "2026-05-18"),
    ("the first weekend of this month", "2026-05-02", "2026-05-04"),
    ("the Saturday just gone", "2026-05-09", "2026-05-10"),
    ("in March this year", "2026-03-01", "2026-04-01"),
    ("Valentine's Day last year", "2025-02-14", "2025-02-15"),
    ("KW 10 dieses Jahres", "2026-03-02", "2026-03-09"),
    ("today", "2026-05-14", "2026-05-15"),
    ("yesterday", "2026-05-13", "2026-05-14"),
    ("3 days ago", "2026-05-11", "2026-05-12"),
    ("a month ago", "2026-04-14", "2026-04-15"),
    ("this week", "2026-05-11", "2026-05-18"),
    ("last week", "2026-05-04", "2026-05-11"),
    ("last month", "2026-04-01", "2026-05-01"),
    ("last quarter", "2026-01-01", "2026-04-01"),
    ("this year", "2026-01-01", "2027-01-01"),
    ("last year", "2025-01-01", "2026-01-01"),
    ("the past week", "2026-05-07", "2026-05-15"),
    ("the last two weeks", "2026-04-30", "2026-05-15"),
    ("past 3 months", "2026-02-14", "2026-05-15"),
    ("the last 48 hours", "2026-05-12", "2026-05-15"),
    ("on Friday", "2026-05-08", "2026-05-09"),
    ("last Thursday", "2026-05-07", "2026-05-08"),
    ("last March", "2026-03-01", "2026-04-01"),
    ("last May", "2025-05-01", "2025-06-01"),
    ("last winter", "2025-12-01", "2026-03-01"),
    ("more than 2 years ago", None, "2024-05-14"),
    ("less than a week old", "2026-05-07", "2026-05-15"),
]
RANGES = [
    ("since March", "2026-03-01", None),
    ("since 2024", "2024-01-01", None),
    ("from 2021 on", "2021-01-01", None),
    ("from 2021", "2021-01-01", "2022-01-01"),
    ("2021 onwards", "2021-01-01", None),
    ("2021 or later", "2021-01-01", None),
    ("after 2021", "2022-01-01", None),
    ("after March 5, 2024", "2024-03-06", None),
    ("before 2021", None, "2021-01-01"),
    ("until March 2024", None, "2024-04-01"),
    ("by the end of 2024", None, "2025-01-01"),
    ("no later than 5 March 2024", None, "2024-03-06"),
    ("not before 2020", "2020-01-01", None),
    (">= 2024-03-05", "2024-03-05", None),
    ("between March and May 2023", "2023-03-01", "2023-06-01"),
    ("from 2019 to 2021", "2019-01-01", "2022-01-01"),
    ("between 6 November 2023 and 10 January 2024", "2023-11-06", "2024-01-11"),
    ("November to February", "2025-11-01", "2026-03-01"),
    ("2019-2021", "2019-01-01", "2022-01-01"),
    ("from November 2023 to February", "2023-11-01", "2024-03-01"),
    ("since the turn of the year", "2026-01-01", None),
    ("since Christmas", "2025-12-25", None),
    ("from 1 May 2025 up to and including 15 August 2025", "2025-05-01", "2025-08-16"),
    ("from 1 October up to and including Christmas Eve 2025", "2025-10-01", "2025-12-25"),
    ("from the 10th to the 20th of June 2025", "2025-06-10", "2025-06-21"),
    ("that predate 2023", None, "2023-01-01"),
    ("by the time 2024 began", None, "2024-01-01"),
    ("nothing written earlier than 1 June 2025", "2025-06-01", None),
    ("dated May to June 2025", "2025-05-01", "2025-07-01"),
    ("nothing older than 1 June 2025", "2025-06-01", None),
    ("from the ninth of February onwards", "2026-02-09", None),
    ("2023 or further back", None, "2024-01-01"),
    ("from May 2026 on", "2026-05-01", None),
]
LANGUAGES = [
    ("am 6. November 2023", "2023-11-06", "2023-11-07"),
    ("seit März 2024", "2024-03-01", None),
    ("vor 2020", None, "2020-01-01"),
    ("vor drei Tagen", "2026-05-11", "2026-05-12"),
    ("letzte Woche", "2026-05-04", "2026-05-11"),
    ("in den letzten zwei Monaten", "2026-03-14", "2026-05-15"),
    ("zwischen 2019 und 2021", "2019-01-01", "2022-01-01"),
    ("gestern", "2026-05-13", "2026-05-14"),
    ("le 6 novembre 2023", "2023-11-06", "2023-11-07"),
    ("depuis février 2024", "2024-02-01", None),
    ("avant 2020", None, "2020-01-01"),
    ("la semaine dernière", "2026-05-04", "2026-05-11"),
    ("entre 2019 et 2021", "2019-01-01", "2022-01-01"),
    ("il y a 3 jours", "2026-05-11", "2026-05-12"),
    ("el 6 de noviembre de 2023", "2023-11-06", "2023-11-07"),
    ("desde marzo de 2024", "2024-03-01", None),
    ("antes de 2020", None, "2020-01-01"),
    ("el mes pasado", "2026-04-01", "2026-05-01"),
    ("hace dos semanas", "2026-04-30", "2026-05-01"),
]


@pytest.mark.parametrize(("text", "first", "stop"), [*POINTS, *RELATIVE, *RANGES, *LANGUAGES])
def test_an_expression_means_these_days(text: str, first: str | None, stop: str | None) -> None:
    assert read(text) == [(first, stop)]
    assert read(f"the report ({text}), please") == [(first, stop)]


@pytest.mark.parametrize(
    "text",
    [
        *("30.2.2024", "2023-02-29", "13/13/2024", "last 5000 years", "", " ", "century", "the 5th", "Q5"),
        *("we may come", "the march of time", "mar the surface", "fall apart", "sun and rain", "mon ami"),
        *("noise from Christmas markets", "Boxing Day", "in his eighties", "week 60", "the 31st of this"),
        *("on New Year's resolutions", "the forties of the river", "twenty twenty-first steps"),
        *("1500%", "$2024", "2024.5", "v2.2024", "year 0", "in 300", "in 12345"),
    ],
)
def test_what_is_no_date_means_none(text: str) -> None:
    assert read(text) == []


def test_a_day_that_a_relative_month_lacks_leaves_the_month() -> None:
    assert read("the 31st of last month") == read("last month")


def test_of_a_day_that_does_not_exist_the_month_is_left() -> None:
    assert read("31 February 2024") == read("February 2024")


def test_ends_in_the_wrong_order_are_two_dates() -> None:
    assert read("from 2021 to 2019") == [("2021-01-01", "2022-01-01"), ("2019-01-01", "2020-01-01")]


@pytest.mark.parametrize(
    ("text", "today", "first", "stop"),
    [
        ("29 February 2024", "2026-05-14", "2024-02-29", "2024-03-01"),
        ("a year ago", "2024-02-29", "2023-02-28", "2023-03-01"),
        ("a month ago", "2026-03-31", "2026-02-28", "2026-03-01"),
        ("this week", "2026-05-11", "2026-05-11", "2026-05-18"),
        ("last week", "2026-05-17", "2026-05-04", "2026-05-11"),
        ("last week", "2026-01-01", "2025-12-22", "2025-12-29"),
        ("last month", "2026-01-31", "2025-12-01", "2026-01-01"),
        ("last quarter", "2026-01-01", "2025-10-01", "2026-01-01"),
        ("last quarter", "2026-12-31", "2026-07-01", "2026-10-01"),
        ("last year", "2026-01-01", "2025-01-01", "2026-01-01"),
        ("in January", "2026-01-01", "2026-01-01", "2026-02-01"),
        ("on Thursday", "2026-05-14", "2026-05-07", "2026-05-08"),
        ("5 May", "2026-05-04", "2025-05-05", "2025-05-06"),
        ("5 May", "2026-05-05", "2026-05-05", "2026-05-06"),
    ],
)
def test_boundaries_of_the_calendar(text: str, today: str, first: str, stop: str) -> None:
    assert read(text, date.fromisoformat(today)) == [(first, stop)]


@pytest.mark.parametrize("today", [date.min, date.max, date(1, 3, 1), date(9999, 12, 31)])
def test_the_ends_of_time_are_no_crash(today: date) -> None:
    for text, *_ in (*RELATIVE, *POINTS, *RANGES):
        read(text, today)


def test_two_dates_share_the_year_of_the_second() -> None:
    assert read("Q1 and Q2 2024") == [("2024-01-01", "2024-04-01"), ("2024-04-01", "2024-07-01")]
    assert read("December and January 2024") == [("2023-12-01", "2024-01-01"), ("2024-01-01", "2024-02-01")]


def test_a_span_holds_the_words_that_make_a_range() -> None:
    text = "all reports since March 2024, please"
    (span,) = read_dates(text.lower(), TODAY)
    assert text[span.start : span.end] == "since March 2024"
    assert text[span.atom_start : span.end] == "March 2024"


@given(st.dates(), st.integers(-3000, 3000))
def test_months_on_keeps_the_day_or_takes_the_last(day: date, months: int) -> None:
    index = day.year * 12 + day.month - 1 + months
    if not 12 <= index < 12 * 10_000:
        with pytest.raises(ValueError):
            months_on(day, months)
        return
    moved = months_on(day, months)
    assert moved.year * 12 + moved.month - 1 == index
    assert moved.day == day.day or (moved.day < day.day and months_on(moved.replace(day=1), 1).day == 1)


@given(st.dates(date(2, 1, 1), date(9990, 1, 1)), st.sampled_from(get_args(CalendarUnit)))
def test_a_unit_holds_its_day_and_ends_where_the_next_begins(day: date, unit: CalendarUnit) -> None:
    first, stop = unit_around(day, unit)
    assert first <= day < stop
    assert unit_around(day, unit, 1)[0] == stop
    assert unit_around(day, unit, -1)[1] == first
    assert ago(day, 0, unit) == day
