"""Languages and countries by any of their names: documents are labelled with codes, people say words."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from retrieve.filters import to_json
from retrieve.schema import FieldType
from retrieve.self_query.catalog import Catalog, catalog_of
from retrieve.self_query.linker import Linker
from retrieve.self_query.names import other_names

TYPES: dict[str, FieldType] = {"language": "keyword", "country": "keyword"}
LABELS = [("en", "Switzerland"), ("de", "Germany"), ("fr", "FR"), ("es", "Spain"), ("pt-BR", "Brazil")]
DOCUMENTS: list[dict[str, Any]] = [{"language": code, "country": country} for code, country in LABELS]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return catalog_of(DOCUMENTS, TYPES, {})


def said(catalog: Catalog, question: str) -> dict[str, Any] | None:
    where = Linker(catalog).read(question, date(2026, 5, 14)).filter
    return to_json(where) if where else None


@pytest.mark.parametrize(
    ("question", "field", "value"),
    [
        ("documents in German about pumps", "language", "de"),
        ("Spanish articles on trams", "language", "es"),
        ("nur deutsche Dokumente über Pumpen", "language", "de"),
        ("rapports en allemand", "language", "de"),
        ("notas en español: bombas", "language", "es"),
        ("articles in Portuguese on soil", "language", "pt-BR"),
        ("what do the french papers say about trams", "language", "fr"),
        ("reports from Germany", "country", "Germany"),
        ("Berichte aus der Schweiz", "country", "Switzerland"),
        ("reports from France", "country", "FR"),
    ],
)
def test_a_name_means_the_code(catalog: Catalog, question: str, field: str, value: str) -> None:
    assert said(catalog, question) == {"must": [{"key": field, "match": {"value": value}}]}


def test_a_name_may_be_negated(catalog: Catalog) -> None:
    english = {"must_not": [{"key": "language", "match": {"value": "en"}}]}
    assert said(catalog, "documents that are not in English") == english


@pytest.mark.parametrize(
    "question",
    [
        "how do I train a German shepherd",
        "German shepherd dogs",
        "history of the French revolution",
        "the English channel",
        "¿Qué dice en total?",
        "es regnet, no?",
    ],
)
def test_other_things_are_called_so_too(catalog: Catalog, question: str) -> None:
    assert said(catalog, question) is None


def test_only_fields_of_languages_and_countries_have_such_names() -> None:
    catalog = catalog_of([{"team": "de", "code": "FR"}], {"team": "keyword", "code": "keyword"}, {})
    assert [name for field in catalog.fields for name in other_names(field, field.values[0])] == []


def test_names_are_known_by_code_and_by_english_name(catalog: Catalog) -> None:
    language = next(field for field in catalog.fields if field.name == "language")
    by_code, by_name = set(other_names(language, "de-AT")), set(other_names(language, "German"))
    assert by_code == by_name
    assert {"german", "deutsch", "allemand", "aleman"} <= by_code
    assert list(other_names(language, "Klingonish")) == []
