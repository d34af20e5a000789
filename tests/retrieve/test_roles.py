"""Persons in either of two roles, kinds of documents in the plural, units that a field's name spells out."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from retrieve.filters import to_json
from retrieve.schema import FieldType
from retrieve.self_query.catalog import catalog_of
from retrieve.self_query.linker import Linker

TYPES: dict[str, FieldType] = {
    "author": "keyword",
    "approver": "keyword",
    "format": "keyword",
    "ascent_m": "integer",
    "sales_volume_thousand": "float",
    "due": "datetime",
}
DOCUMENTS: list[dict[str, Any]] = [
    {
        "author": author,
        "approver": approver,
        "format": kind,
        "ascent_m": 300 * i,
        "sales_volume_thousand": 10.0 * i,
        "due": f"2026-0{i}-15",
    }
    for i, (author, approver, kind) in enumerate(
        [
            ("Helga Brandt", "Kofi Mensah", "phone-in"),
            ("June Atwood", "Helga Brandt", "feature"),
            ("Kofi Mensah", "June Atwood", "radio play"),
        ],
        start=4,
    )
]
TODAY = date(2026, 5, 14)


def said(question: str) -> dict[str, Any] | None:
    where = Linker(catalog_of(DOCUMENTS, TYPES, {})).read(question, TODAY).filter
    return to_json(where) if where else None


def equal(key: str, value: object) -> dict[str, Any]:
    return {"key": key, "match": {"value": value}}


@pytest.mark.parametrize(
    "question",
    [
        "tankers; Helga Brandt either wrote the thing or approved it",
        "whether Helga Brandt approved it or is its author: tankers",
        "tankers, no matter if Helga Brandt was the approver or the author",
    ],
)
def test_a_person_may_have_either_of_two_roles(question: str) -> None:
    either = {"should": [equal("author", "Helga Brandt"), equal("approver", "Helga Brandt")]}
    assert said(question) == {"must": [either]}


@pytest.mark.parametrize(
    ("question", "key"),
    [
        ("tankers by either Helga Brandt or nobody", "author"),
        ("written by Helga Brandt, on loading or unloading", "author"),
        ("approved by Helga Brandt, either way", "approver"),
    ],
)
def test_one_role_is_one_condition(question: str, key: str) -> None:
    assert said(question) == {"must": [equal(key, "Helga Brandt")]}


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("phone-ins about gulls", "phone-in"),
        ("radio plays set on a ship", "radio play"),
        ("gulls: features", "feature"),
    ],
)
def test_a_plural_asks_for_a_kind_of_documents(question: str, kind: str) -> None:
    assert said(question) == {"must": [equal("format", kind)]}


@pytest.mark.parametrize(
    ("question", "condition"),
    [
        ("1500 m of ascent minimum", {"key": "ascent_m", "range": {"gte": 1500}}),
        ("a thousand metres of ascent or more", {"key": "ascent_m", "range": {"gte": 1000}}),
        ("sales volume over 40,000", {"key": "sales_volume_thousand", "range": {"gt": 40.0}}),
        ("sales volume over 40", {"key": "sales_volume_thousand", "range": {"gt": 40.0}}),
        (
            "due next month, tankers",
            {"key": "due", "range": {"gte": "2026-06-01T00:00:00Z", "lt": "2026-07-01T00:00:00Z"}},
        ),
        ("by June Atwood, tides", equal("author", "June Atwood")),
    ],
)
def test_names_of_fields_and_values_say_what_is_meant(question: str, condition: dict[str, Any]) -> None:
    assert said(question) == {"must": [condition]}


def test_a_comparison_may_have_the_name_of_its_field_between() -> None:
    assert said("above ascent 600, tankers") == {"must": [{"key": "ascent_m", "range": {"gt": 600}}]}
    assert said("what changed under section 900") is None
