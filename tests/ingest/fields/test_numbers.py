"""Numbers as people write them, with thousands, scales and units."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from ingest.fields.numbers import read_number, unit_named
from ingest.fields.spelling import Spelling, UnfitError
from retrieve.self_query.lexicon import amount_words
from retrieve.self_query.text import fold

ANY = Spelling()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("-3.5", -3.5),
        ("−3", -3),
        (".5", 0.5),
        ("007", 7),
        ("1e6", 1e6),
        ("1,200", 1200),
        ("1,200.5", 1200.5),
        ("1.200,5", 1200.5),
        ("1.200", 1.2),
        ("0,123", 0.123),
        ("3,5", 3.5),
        ("1.234.567", 1234567),
        ("1 200 000", 1200000),
        ("1\u202f200", 1200),
        ("1'200.50", 1200.5),
        ("1_000", 1000),
        ("5 million", 5e6),
        ("2.5 Mio", 2.5e6),
        ("300k", 300_000),
        ("five million", 5e6),
    ],
)
def test_numbers(text: str, number: float) -> None:
    assert float(read_number(text, None, ANY)) == number


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("3.2 GB", "MB", 3200),
        ("3.2", "MB", 3.2),
        ("12 km", "km", 12),
        ("12 km", "m", 12000),
        ("5 m", "km", 0.005),
        ("2 h", "minutes", 120),
        ("two hours", "minutes", 120),
        ("45 %", "%", 45),
        ("1 GiB", "MB", 1073.741824),
        ("1024 KiB", "MB", 1.048576),
        ("1 TiB", "GiB", 1024),
        ("1 GB", "GiB", 0.931322574615),
        ("3 oz", "g", 85.048569375),
        ("150 pounds", "kg", 68.0388555),
        ("100 km/h", "m/s", 27.7777777778),
        ("60 mph", "km/h", 96.56064),
        ("750 ml", "l", 0.75),
        ("2 m³", "litres", 2000),
        ("1.5 kW", "W", 1500),
        ("20 °C", "celsius", 20),
        ("80 m²", "m²", 80),
        ("45 percent", "%", 45),
        ("$5m", "USD", 5e6),
        ("US$ 3.5 million", "USD", 3.5e6),
        ("5 million dollars", "USD", 5e6),
        ("12 pages", "pages", 12),
        ("1 page", "pages", 1),
    ],
)
def test_units_become_the_fields_own(text: str, unit: str, number: float) -> None:
    assert float(read_number(text, unit_named(unit), ANY)) == number


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", None),
        ("abc", None),
        ("1.2.3", None),
        ("1,2,3", None),
        ("12,34.5", None),
        ("1,200,", None),
        ("3-5", None),
        ("about 5", None),
        ("5 to 6", None),
        ("12 km", None),
        ("45%", None),
        ("12 pages", None),
        ("12 km", "kg"),
        ("10 USD", "EUR"),
        ("€ 10 USD", "EUR"),
        ("5k", "km"),
        ("9" * 200, None),
    ],
)
def test_what_is_no_number_here(text: str, unit: str | None) -> None:
    with pytest.raises(UnfitError):
        read_number(text, unit_named(unit) if unit else None, ANY)


@pytest.mark.parametrize(
    ("text", "unit", "problem"),
    [
        ("3 smoots", "kg", "has a unit that is not known: smoots"),
        ("70 °F", "celsius", "has a unit that is not known: °f"),
        ("3 kg", "km", "is in a unit that the field's unit does not compare with"),
        ("3 pages", None, "has a unit, and the field has none"),
        ("5 to 6", "kg", "is no number"),
        ("3 of them", "kg", "is no number"),
    ],
)
def test_what_is_wrong_with_a_unit_is_said(text: str, unit: str | None, problem: str) -> None:
    with pytest.raises(UnfitError, match=re.escape(problem)):
        read_number(text, unit_named(unit) if unit else None, ANY)


def test_no_digit_is_lost() -> None:
    assert int(read_number("9007199254740993", None, ANY)) == 9007199254740993


def test_the_language_tells_thousands_from_fractions() -> None:
    german, english = Spelling("de"), Spelling("en")
    assert read_number("1.200", None, german) == 1200
    assert float(read_number("1,200", None, german)) == 1.2
    assert float(read_number("1.200", None, english)) == 1.2
    assert read_number("1,200", None, english) == 1200


@given(
    number=st.integers(-(10**12), 10**12) | st.decimals(-(10**6), 10**6, places=2, allow_nan=False),
    language=st.sampled_from(["en", "de", "fr", "es", "it", "pt_BR", "sv", "pl", "de_CH", "da"]),
)
def test_what_babel_writes_is_read(number: float, language: str) -> None:
    text = format_decimal(number, locale=language)
    assert float(read_number(text, None, Spelling(language.replace("_", "-")))) == float(number)


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_writes_is_read(number: float) -> None:
    text = repr(number)
    if len(text) <= 80:
        assert float(read_number(text, None, ANY)) == number


@given(text=st.text(max_size=90) | st.text("0123456789.,' -+e$€%km", max_size=20))
def test_any_text_is_a_number_or_none(text: str) -> None:
    for unit in (None, unit_named("km"), unit_named("EUR")):
        with contextlib.suppress(UnfitError):
            assert read_number(text, unit, ANY).is_finite()


def test_the_handbook_lists_the_units() -> None:
    handbook = (Path(__file__).parents[3] / "docs" / "metadata.md").read_text(encoding="utf-8")
    _, _, table = handbook.partition("| of | units |")
    table = fold(table.partition("\n\n")[0]).replace("²", "2").replace("³", "3")
    words = set(re.findall(r"[^\s,;|]+", table))
    for units in amount_words().units.values():
        for unit in units:
            assert words & set(unit.names) or {"m", "meter"} <= {*words, *unit.names}, unit.names
    assert set(amount_words().currencies) <= words
