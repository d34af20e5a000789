"""Numbers in questions with their comparisons and units, and the units that names of fields say."""

from __future__ import annotations

import pytest

from retrieve.self_query.numbers import NumberSpan, read_numbers
from retrieve.self_query.text import fold, name_words
from retrieve.self_query.units import Unit, dimension_words, unit_of_field, unit_of_word


def read(text: str) -> list[NumberSpan]:
    return read_numbers(fold(text))


def bounds(span: NumberSpan) -> str:
    """As an interval: (5, -) is more than 5, [3, 5] from 3 to 5."""
    low = "-" if span.low is None else f"{span.low:g}"
    high = "-" if span.high is None else f"{span.high:g}"
    return f"{'(' if span.low_open else '['}{low}, {high}{')' if span.high_open else ']'}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("five", "[5, 5]"),
        ("a dozen", "[12, 12]"),
        ("2,500.75", "[2500.75, 2500.75]"),
        ("1.200,50", "[1200.5, 1200.5]"),
        ("1 200", "[1200, 1200]"),
        ("10k", "[10000, 10000]"),
        ("2.5 million", "[2.5e+06, 2.5e+06]"),
        ("1.2bn", "[1.2e+09, 1.2e+09]"),
        ("three hundred thousand", "[300000, 300000]"),
        ("two and a half", "[2.5, 2.5]"),
        ("twenty-two and a half", "[22.5, 22.5]"),
        ("over 5", "(5, -]"),
        ("more than five", "(5, -]"),
        ("at least 5", "[5, -]"),
        ("5 or more", "[5, -]"),
        ("5+", "[5, -]"),
        ("≥ 4.5", "[4.5, -]"),
        ("under 300k", "[-, 300000)"),
        ("fewer than 3", "[-, 3)"),
        ("< 30", "[-, 30)"),
        ("at most 3", "[-, 3]"),
        ("no more than 3", "[-, 3]"),
        ("3 or fewer", "[-, 3]"),
        ("exactly 7", "[7, 7]"),
        ("a grand", "[1000, 1000]"),
        ("an hour and a half", "[1.5, 1.5]"),
        ("2 hours and a half minimum", "[2.5, -]"),
        ("version 5 or beyond", "[5, -]"),
        ("a dozen people and upwards", "[12, -]"),
        ("a metre tall at the very least", "[1, -]"),
        ("half an hour's downtime at most", "[-, 0.5]"),
        ("1200 metres of ascent minimum", "[1200, -]"),
        ("at the very most 15", "[-, 15]"),
        ("not even 10 cm", "[-, 10)"),
        ("2 stars at best", "[-, 2]"),
        ("no hotter than 170", "[-, 170]"),
        ("25 degrees or hotter", "[25, -]"),
        ("wetter than 80", "(80, -]"),
        ("three quarters of an hour", "[0.75, 0.75]"),
        ("in excess of 40,000", "(40000, -]"),
        ("a bill that tops 50,000", "(50000, -]"),
        ("between 3 and 5", "[3, 5]"),
        ("3 to 5", "[3, 5]"),
        ("3-5", "[3, 5]"),
        ("between 100 and 750 million", "[1e+08, 7.5e+08]"),
        ("mindestens drei", "[3, -]"),
        ("weniger als 20", "[-, 20)"),
        ("zwischen 3 und 5", "[3, 5]"),
        ("moins de 20", "[-, 20)"),
        ("au moins trois", "[3, -]"),
        ("más de 3", "(3, -]"),
        ("entre 3 y 5", "[3, 5]"),
    ],
)
def test_an_expression_means_these_bounds(text: str, expected: str) -> None:
    (span,) = read(text)
    assert bounds(span) == expected
    (span,) = read(f"something ({text}), please")
    assert bounds(span) == expected


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("at most half an hour", "minute", "[-, 30]"),
        ("under an hour", "minute", "[-, 60)"),
        ("a quarter of an hour", "minute", "[15, 15]"),
        ("2 hours", "second", "[7200, 7200]"),
        ("over 5 km", "meter", "(5000, -]"),
        ("2 GB", "mb", "[2000, 2000]"),
        ("2 GiB", "mib", "[2048, 2048]"),
        ("over 90 km/h", "m/s", "(25, -]"),
        ("at least 5 m/s", "kmh", "[18, -]"),
        ("under 2 litres", "ml", "[-, 2000)"),
        ("more than 1.5 kW", "w", "(1500, -]"),
        ("50%", "percent", "[50, 50]"),
        ("$2.5m", "usd", "[2.5e+06, 2.5e+06]"),
        ("5 million dollars", "usd", "[5e+06, 5e+06]"),
        ("20 euros an hour", "eur", "[20, 20]"),
    ],
)
def test_units_are_converted(text: str, unit: str, expected: str) -> None:
    (span,) = read(text)
    own = unit_of_word(unit)
    assert own is not None
    assert span.unit is not None
    low, high = (None if value is None else span.unit.convert(value, own) for value in (span.low, span.high))
    assert bounds(NumberSpan(0, 0, low, high, span.low_open, span.high_open)) == expected


def test_units_of_two_dimensions_or_currencies_do_not_compare() -> None:
    dollar, euro, hour = (unit_of_word(word) for word in ("usd", "eur", "hour"))
    assert dollar is not None
    assert euro is not None
    assert hour is not None
    assert dollar.convert(5, euro) is None
    assert dollar.convert(5, hour) is None
    assert dollar.convert(5, Unit("money", 1)) == 5


@pytest.mark.parametrize("text", ["a cat", "an open ticket", "#5", "v2.0", "x5", "", "9" * 400, "1e400" * 90])
def test_what_is_no_number_gives_none_that_counts(text: str) -> None:
    assert all(span.high is not None and span.high < 10 for span in read(text))


@pytest.mark.parametrize("text", ["between 5 and 3", "10 to 3"])
def test_ends_in_the_wrong_order_are_two_numbers(text: str) -> None:
    assert len(read(text)) == 2


def test_a_span_holds_the_comparison_and_the_unit() -> None:
    text = "recipes that take at most 30 minutes, please"
    (span,) = read(text)
    assert text[span.start : span.end] == "at most 30 minutes"
    assert text[span.number_start : span.end] == "30 minutes"


@pytest.mark.parametrize(
    ("field", "dimension", "factor"),
    [
        ("cook_minutes", "time", 60),
        ("durationMs", "time", 0.001),
        ("revenue_musd", "money", 1e6),
        ("revenue_usd_m", "money", 1e6),
        ("price_eur", "money", 1),
        ("price_min", "money", 1),
        ("size_mb", "bytes", 1e6),
        ("area_sqm", "area", 1),
        ("salary", "money", 1),
    ],
)
def test_a_fields_name_says_its_unit(field: str, dimension: str, factor: float) -> None:
    unit = unit_of_field(name_words(field))
    assert unit is not None
    assert (unit.dimension, unit.factor) == (dimension, factor)


@pytest.mark.parametrize(("field", "dimension"), [("latency", "time"), ("height", "length"), ("pages", None)])
def test_a_name_without_a_unit_may_say_a_dimension(field: str, dimension: str | None) -> None:
    assert unit_of_field([field]) is None
    assert dimension_words([field]) == dimension
