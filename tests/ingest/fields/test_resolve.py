"""A document's metadata out of all its sources: the order of conflicts, origins, notes."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from configs.settings import Settings, load_settings
from ingest.convert.base import Converted
from ingest.fields.recipe import fields_recipe
from ingest.fields.resolve import NOTES, Resolver
from ingest.metadata import MAX_FIELDS

PROSE = (
    "The valve is made of brass and opens slowly. It must be closed by hand whenever the pump has stopped, "
    "since nothing else keeps the water from running back."
)


def resolve(converted: Converted, *overrides: str, path: str = "a.md", kind: str = "markdown") -> Converted:
    resolver: Resolver = pickle.loads(pickle.dumps(Resolver(load_settings(None, overrides).ingest)))
    return resolver.resolve(converted, path, kind)


def test_rules_come_before_the_document_and_fallbacks_after_it() -> None:
    rules = (
        "ingest.field_rules=[{path: '{a}/*', put: {b: rule}},"
        " {path: '**', put: {a: late, c: fallback, d: fallback}, fallback: true}]"
    )
    found = resolve(Converted("", {"a": "own", "b": "own", "c": "own"}), rules, path="first/x.md")
    assert found.metadata == {"a": "first", "b": "rule", "c": "own", "d": "fallback"}
    assert found.origins == {"a": "path", "b": "path", "c": "front-matter", "d": "path"}


def test_the_first_rule_decides() -> None:
    rules = "ingest.field_rules=[{pattern: '(?P<x>b)'}, {pattern: '(?P<x>a)(?P<y>b)'}]"
    assert resolve(Converted("ab", {}), rules).metadata == {"x": "b", "y": "b"}


def test_a_value_that_does_not_fit_leaves_its_place_to_the_next() -> None:
    found = resolve(
        Converted("", {"year": 2024}),
        "ingest.fields={year: {type: integer}}",
        "ingest.field_rules=[{path: '{year}/*'}]",
        path="misc/x.md",
    )
    assert found.metadata == {"year": 2024}
    assert found.origins == {"year": "front-matter"}
    assert found.notes == ("year: 'misc' is no number",)


def test_other_names_are_one_field_and_its_own_name_comes_first() -> None:
    fields = "ingest.fields={author: {also: [writer, byline]}}"
    assert resolve(Converted("", {"writer": "Ada"}), fields).metadata == {"author": "Ada"}
    both = resolve(Converted("", {"byline": "B", "writer": "A", "author": "C"}), fields)
    assert both.metadata == {"author": "C"}
    assert resolve(Converted("", {"byline": "B", "writer": "A"}), fields).metadata == {"author": "B"}


@pytest.mark.parametrize(
    ("kind", "origins", "expected"),
    [
        ("markdown", {}, "front-matter"),
        ("html", {}, "page"),
        ("pdf", {}, "pdf"),
        ("html", {"title": "json-ld"}, "json-ld"),
    ],
)
def test_fields_remember_where_they_came_from(kind: str, origins: dict[str, str], expected: str) -> None:
    found = resolve(Converted("", {"title": "T"}, origins=origins), kind=kind)
    assert found.origins == {"title": expected}


def test_a_language_is_derived_where_none_is_declared() -> None:
    found = resolve(Converted(PROSE, {}))
    assert (found.metadata, found.origins) == ({"language": "en"}, {"language": "derived"})
    assert resolve(Converted(PROSE, {"language": "German"})).metadata == {"language": "de"}
    assert resolve(Converted(PROSE, {}), "ingest.detect_language=false").metadata == {}
    assert resolve(Converted("Short.", {})).metadata == {}


def test_dates_are_read_as_the_documents_language_has_them() -> None:
    fields = "ingest.fields={due: {type: datetime}}"
    april, march = datetime(2024, 4, 3, tzinfo=UTC), datetime(2024, 3, 4, tzinfo=UTC)
    given = {"due": "03/04/2024"}
    assert resolve(Converted("", given | {"language": "de"}), fields).metadata["due"] == april
    assert resolve(Converted("", given | {"language": "en-US"}), fields).metadata["due"] == march
    assert resolve(Converted("", given), fields, "ingest.day_first=true").metadata["due"] == april
    unclear = resolve(Converted("", given), fields)
    assert unclear.metadata == {}
    assert unclear.notes == ("due: '03/04/2024' may be two dates; ingest.day_first says which is meant",)
    kept = resolve(Converted("", {"date": "03/04/2024"}))
    assert kept.metadata == {"date": "03/04/2024"}
    assert "may be two dates" in kept.notes[0]


def test_notes_and_fields_are_bounded() -> None:
    fields = ", ".join(f"f{i}: {{type: integer}}" for i in range(50))
    found = resolve(
        Converted("", {f"f{i}": "x" for i in range(50)}, ("before",)), f"ingest.fields={{{fields}}}"
    )
    assert len(found.notes) == 2 + NOTES
    assert found.notes[0] == "before"
    full = Converted("", {f"k{i}": i for i in range(MAX_FIELDS)})
    more = resolve(full, "ingest.field_rules=[{path: '**', put: {one: 1, two: 2}}]")
    assert len(more.metadata) == len(more.origins) == MAX_FIELDS


def test_the_rest_of_a_conversion_stays() -> None:
    converted = Converted("body", {"a": 1}, ("note",), {"a": "x", "body": "reader-lm"})
    assert resolve(converted) == converted


def test_settings_that_decide_are_part_of_the_recipe(make_settings: Callable[..., Settings]) -> None:
    plain = fields_recipe(make_settings())
    assert fields_recipe(make_settings("ingest.embed_batch=7")) == plain
    assert fields_recipe(make_settings("ingest.model_characters=900")) == plain  # nothing is asked
    asked = "ingest.fields={x: {model: what}}"
    changed = [
        fields_recipe(make_settings(*words))
        for words in (
            ["ingest.day_first=true"],
            ["ingest.detect_language=false"],
            ["ingest.fields={x: {type: bool}}"],
            ["ingest.field_rules=[{path: '{x}'}]"],
            [asked],
            [asked, "ingest.model_characters=900"],
            [asked, "models.answer=other"],
        )
    ]
    assert len({repr(recipe) for recipe in [plain, *changed]}) == 8


VALUES = st.one_of(
    st.text(min_size=1, max_size=12).map(str.strip).filter(bool),
    st.integers(0, 3000),
    st.booleans(),
    st.lists(st.integers(0, 9), min_size=1, max_size=3),
    st.sampled_from(["03/04/2024", "3 GB", "en", "yes", "5 March 2024"]),
)
FIELDS = (
    "ingest.fields={date: {type: datetime}, n: {type: integer}, size: {unit: MB, also: [m]},"
    " ok: {type: bool}, language: {type: language}, s: {values: [a, b]}}"
)
RULES = (
    "ingest.field_rules=[{path: '{n}/{s}/*'}, {pattern: '(?P<ok>yes|no)'},"
    " {path: '**', put: {s: b}, fallback: true}]"
)


@given(
    metadata=st.dictionaries(
        st.sampled_from(["date", "n", "size", "m", "ok", "language", "s", "free"]), VALUES, max_size=6
    ),
    path=st.sampled_from(["a.md", "3/a/x.md", "x/y/z.md"]),
    body=st.sampled_from(["", "yes", PROSE]),
)
@budget(max_examples=60)
def test_what_is_resolved_is_typed_has_origins_and_stays(
    metadata: dict[str, Any], path: str, body: str
) -> None:
    resolver = Resolver(load_settings(None, [FIELDS, RULES]).ingest)
    once = resolver.resolve(Converted(body, metadata), path, "markdown")
    assert set(once.origins) == set(once.metadata)
    types = {"date": datetime, "n": int, "size": float, "ok": bool, "language": str, "s": str}
    for name, value in once.metadata.items():
        items = value if isinstance(value, list) else [value]
        assert all(type(item) is types.get(name, type(item)) for item in items)
    again = resolver.resolve(Converted(body, once.metadata, origins=once.origins), path, "markdown")
    assert (again.metadata, again.notes) == (once.metadata, again.notes)
