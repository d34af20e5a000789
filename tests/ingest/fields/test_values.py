"""Values as their field's declared type holds them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.sections import FieldSettings
from ingest.fields.spelling import Spelling
from ingest.fields.values import KNOWN, field_specs, fitted, with_declared
from ingest.front_matter import dump_front_matter, split_front_matter
from ingest.metadata import clean_metadata
from retrieve.fields import type_of

DAY = datetime(2024, 3, 5, tzinfo=UTC)
ANY = Spelling()


def fit(value: Any, **declared: Any) -> tuple[Any, list[str]]:
    spec = field_specs({"x": FieldSettings(**declared)})["x"]
    return fitted(value, spec, ANY)


@pytest.mark.parametrize(
    ("value", "declared", "expected"),
    [
        ("5 March 2024", {"type": "datetime"}, DAY),
        (DAY, {"type": "datetime"}, DAY),
        (2024, {"type": "datetime"}, datetime(2024, 1, 1, tzinfo=UTC)),
        ("1709596800", {"type": "datetime"}, DAY),
        ("3", {"type": "integer"}, 3),
        (3.0, {"type": "integer"}, 3),
        ("1,200", {"type": "integer"}, 1200),
        (3, {"type": "float"}, 3.0),
        ("3.2 GB", {"unit": "MB"}, 3200.0),
        ("2 h", {"type": "integer", "unit": "minutes"}, 120),
        ("yes", {"type": "bool"}, True),
        ("No", {"type": "bool"}, False),
        (1, {"type": "bool"}, True),
        ("English", {"type": "language"}, "en"),
        (["en", "German"], {"type": "language"}, ["en", "de"]),
        (3, {"type": "keyword"}, "3"),
        (True, {"type": "keyword"}, "true"),
        (DAY, {"type": "keyword"}, "2024-03-05"),
        ("FINAL", {"values": ["draft", "Final"]}, "Final"),
        (["a", 3], {}, ["a", 3]),
    ],
)
def test_what_fits(value: Any, declared: dict[str, Any], expected: Any) -> None:
    found, problems = fit(value, **declared)
    assert (found, problems) == (expected, [])
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "declared", "problem"),
    [
        ("someday", {"type": "datetime"}, "x: 'someday' is no date"),
        (True, {"type": "datetime"}, "x: 'true' is no date"),
        (
            "03/04/2024",
            {"type": "datetime"},
            "x: '03/04/2024' may be two dates; ingest.day_first says which is meant",
        ),
        (3.5, {"type": "integer"}, "x: '3.5' is no whole number"),
        ("9" * 30, {"type": "integer"}, f"x: '{'9' * 30}' is too large"),
        ("1e400", {"type": "float"}, "x: '1e400' is too large"),
        (True, {"type": "integer"}, "x: 'true' is no number"),
        (DAY, {"type": "float"}, "x: '2024-03-05' is no number"),
        ("maybe", {"type": "bool"}, "x: 'maybe' is neither true nor false"),
        ("Elvish of the third age", {"type": "language"}, "x: 'Elvish of the third age' is no language"),
        ("gone", {"values": ["draft", "final"]}, "x: 'gone' is none of draft, final"),
    ],
)
def test_what_does_not_fit_is_left_out_and_said(value: Any, declared: dict[str, Any], problem: str) -> None:
    assert fit(value, **declared) == (None, [problem])


def test_of_a_list_what_fits_stays() -> None:
    found, problems = fit(["3", "x", 4], type="integer")
    assert found == [3, 4]
    assert problems == ["x: 'x' is no number"]


def test_a_long_value_is_cut_in_its_note() -> None:
    assert len(fit("x" * 5000, type="datetime")[1][0]) < 100


def test_what_everybody_means_alike_is_read_and_stays_where_it_cannot_be() -> None:
    assert fitted("5 March 2024", KNOWN["date"], ANY) == (DAY, [])
    assert fitted("March 2024", KNOWN["date"], ANY)[0] == "March 2024"
    assert fitted(2024, KNOWN["date"], ANY) == (2024, [])
    assert fitted("03/04/2024", KNOWN["date"], Spelling("de"))[0] == datetime(2024, 4, 3, tzinfo=UTC)
    assert fitted("en_us", KNOWN["language"], ANY) == ("en-US", [])
    assert fitted("body language", KNOWN["language"], ANY)[0] == "body language"


def test_a_unit_follows_from_the_fields_name_where_none_is_declared() -> None:
    specs = field_specs({name: FieldSettings(type="float") for name in ("size_gb", "cook_minutes", "count")})
    assert fitted("500 MB", specs["size_gb"], ANY)[0] == 0.5
    assert fitted("2 hours", specs["cook_minutes"], ANY)[0] == 120.0
    assert fitted("2 hours", specs["count"], ANY)[0] is None


def test_declared_types_decide_what_is_stored() -> None:
    declared = {
        "when": FieldSettings(type="datetime"),
        "tongue": FieldSettings(type="language"),
        "size": FieldSettings(unit="GB"),
        "plain": FieldSettings(also=["other"]),
        "absent": FieldSettings(type="bool"),
    }
    fields = {"when": "keyword", "tongue": "keyword", "size": "integer", "plain": "integer", "z": "bool"}
    assert with_declared(fields, declared) == {  # type: ignore[arg-type]
        "when": "datetime",
        "tongue": "keyword",
        "size": "float",
        "plain": "integer",
        "z": "bool",
    }


SCALARS = st.one_of(
    st.text(max_size=30),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.datetimes(min_value=datetime(1000, 1, 2), max_value=datetime(9998, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["3 GB", "5 March 2024", "1.200,5", "yes", "German", "draft", "2024", "1e3"]),
)
DECLARED = st.one_of(
    st.sampled_from(["keyword", "integer", "float", "bool", "datetime", "language"]).map(
        lambda t: {"type": t}
    ),
    st.just({"unit": "MB"}),
    st.just({"values": ["draft", "final"]}),
)


@given(value=SCALARS | st.lists(SCALARS, min_size=1, max_size=3), declared=DECLARED)
def test_a_value_that_fits_fits_again_and_survives_a_file(value: Any, declared: dict[str, Any]) -> None:
    metadata = clean_metadata({"x": value})
    if "x" not in metadata:
        return
    found, _ = fit(metadata["x"], **declared)
    if found is None:
        return
    assert fit(found, **declared) == (found, [])
    kind = field_specs({"x": FieldSettings(**declared)})["x"].stored_type
    assert type_of(found) == kind
    read, _ = split_front_matter(dump_front_matter({"x": found}, ""))
    if "x" in read:
        assert fit(read["x"], **declared) == (found, [])
