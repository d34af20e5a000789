"""Dates as people write them: what is one, what may be two, and what is none."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from babel.dates import format_date
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.fields.dates import moment_of_number, read_moment
from ingest.fields.spelling import Spelling, UnfitError

ANY = Spelling()
DAY = datetime(2024, 3, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-05",
        "2024/3/5",
        "2024.03.05",
        "20240305",
        "2024-W10-2",
        "5.3.2024",
        "05.03.2024",
        "5 March 2024",
        "5th of March, 2024",
        "March 5, 2024",
        "Mar. 5 2024",
        "5-Mar-2024",
        "Tuesday, 5 March 2024",
        "5. März 2024",
        "den 5. März 2024",
        "le 5 mars 2024",
        "5 de marzo de 2024",
        "5 marca 2024",
        "5 mars 2024",
        "2024年3月5日",
        "  5   MARCH 2024 ",
        "2024-03-05T00:00:00Z",
        "Tue, 05 Mar 2024 00:00:00 +0000",
        "2024-03-05 02:00:00 +0200",
        "Mon, 04 Mar 2024 16:00:00 -0800 (PST)",
        "March 5, 2024 at 12:00 AM",
        "5 March 2024, 00:00 UTC",
    ],
)
def test_usual_spellings(text: str) -> None:
    assert read_moment(text, ANY) == DAY


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-03-05T10:30:05.25+01:00", datetime(2024, 3, 5, 9, 30, 5, 250_000, tzinfo=UTC)),
        ("5 March 2024 5:06 pm", datetime(2024, 3, 5, 17, 6, tzinfo=UTC)),
        ("5. März 2024 um 17.06", datetime(2024, 3, 5, 17, 6, tzinfo=UTC)),
        ("March 2024", datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024-03", datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024", datetime(2024, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_months_and_years(text: str, moment: datetime) -> None:
    assert read_moment(text, ANY) == moment


def test_a_month_is_no_day_where_days_are_wanted() -> None:
    for text in ("March 2024", "2024-03", "2024"):
        with pytest.raises(UnfitError):
            read_moment(text, ANY, coarse=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "spring 2024",
        "5 March",
        "10:30",
        "Tuesday",
        "1 2 3 2024",
        "5 March 24",
        "5 Marchember 2024",
        "5 March 2024 EST",
        "2024-13-01",
        "2024-02-30",
        "31 February 2024",
        "5 March 2024 25:00",
        "5 March 2024 13:00 pm",
        "0000-01-01",
        "5 March 2024 and more",
        "5 listopada 2024 2024",
        "x" * 1000,
    ],
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(UnfitError):
        read_moment(text, ANY)


@pytest.mark.parametrize(
    ("spelling", "month"),
    [
        (Spelling("de"), 4),
        (Spelling("fr"), 4),
        (Spelling("en-GB"), 4),
        (Spelling("en-US"), 3),
        (Spelling("en", day_first=True), 4),
        (Spelling("de", day_first=False), 3),
        (Spelling(day_first=True), 4),
    ],
)
def test_the_language_or_the_settings_tell_days_from_months(spelling: Spelling, month: int) -> None:
    for text in ("03/04/2024", "3-4-2024"):
        assert read_moment(text, spelling) == datetime(2024, month, 7 - month, tzinfo=UTC)


@pytest.mark.parametrize("language", [None, "en", "sv", "zh", "xx"])
def test_what_may_be_two_dates_is_none(language: str | None) -> None:
    with pytest.raises(UnfitError, match="day_first"):
        read_moment("03/04/2024", Spelling(language))


@pytest.mark.parametrize("text", ["13/04/2024", "04/13/2024", "13-4-2024"])
def test_a_day_beyond_twelve_is_a_day(text: str) -> None:
    assert read_moment(text, ANY) == datetime(2024, 4, 13, tzinfo=UTC)


def test_a_month_that_two_languages_name_alike_is_the_languages_own() -> None:
    assert read_moment("5 listopada 2023", Spelling("hr")).month == 10
    assert read_moment("5 listopada 2023", Spelling("pl")).month == 11
    assert read_moment("12 мая 2024", Spelling("ru")) == datetime(2024, 5, 12, tzinfo=UTC)


def test_numbers_that_are_moments() -> None:
    assert moment_of_number(2024) == datetime(2024, 1, 1, tzinfo=UTC)
    assert moment_of_number(1_709_596_800) == DAY
    assert moment_of_number(1_709_596_800_000) == DAY
    assert moment_of_number(20240305) == DAY
    with pytest.raises(UnfitError, match="may be two dates"):
        moment_of_number(2024030510)
    assert moment_of_number(2024130510) == datetime.fromtimestamp(2024130510, UTC)
    for number in (3, 12_345, 20240399, 10**11, -2024, 2024.5):
        with pytest.raises(UnfitError):
            moment_of_number(number)


DAYS = st.dates(date(1000, 1, 1), date(9998, 12, 31))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1000, 1, 2), datetime(9998, 12, 30), timezones=ZONES)


@given(moment=MOMENTS)
def test_iso_is_read_whatever_the_zone(moment: datetime) -> None:
    found = read_moment(moment.isoformat(), ANY)
    assert found == moment
    assert found.tzinfo is UTC
    assert read_moment(found.isoformat(), ANY) == found


@given(
    day=DAYS,
    language=st.sampled_from(["en", "en_GB", "de", "fr", "es", "it", "pt", "nl", "da", "pl", "cs", "ru"]),
)
@example(day=date(2000, 4, 1), language="it")
def test_what_babel_writes_out_is_read(day: date, language: str) -> None:
    text = format_date(day, "long", locale=language)
    assert read_moment(text, Spelling(language.replace("_", "-"))).date() == day


@given(day=DAYS, language=st.sampled_from(["en_US", "en_GB", "de", "fr", "es", "it", "pt", "ru", "fi"]))
def test_short_dates_are_read_in_their_language(day: date, language: str) -> None:
    pattern = "M/d/y" if language == "en_US" else "d/M/y"
    text = format_date(day, pattern, locale=language)
    if day.year > 999:
        assert read_moment(text, Spelling(language.replace("_", "-"))).date() == day


@given(text=st.text(max_size=90) | st.text("0123456789-/.: TZ年月日", max_size=30))
def test_any_text_is_a_date_or_none(text: str) -> None:
    with contextlib.suppress(UnfitError):
        assert read_moment(text, ANY).tzinfo is UTC
