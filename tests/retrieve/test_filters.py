"""Filters: reading and refusing their JSON form, and what they mean to both engines."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from retrieve.fields import field_name, field_path, payload_key, resolve_field
from retrieve.filters import (
    MAX_DEPTH,
    Condition,
    Filter,
    HasId,
    IsEmpty,
    IsNull,
    MatchAny,
    MatchExcept,
    MatchValue,
    Range,
    all_of,
    parse_filter,
    to_json,
)
from retrieve.schema import FieldType, Metadata
from retrieve.store.base import Store
from retrieve.store.edge import EdgeStore
from tests.retrieve.conftest import server_store
from tests.retrieve.naive import passes
from tests.retrieve.samples import fill, make_chunk, make_document

FIELDS: dict[str, FieldType] = {
    "author": "keyword",
    "tags": "keyword",
    'odd."name': "keyword",
    "year": "integer",
    "price": "float",
    "draft": "bool",
    "seen": "datetime",
}
WORDS = ["", "a", "b", "Ann", "ü☃", "long " * 20]
YEARS = [-1, 0, 1, 2023, 2024, 2**53]
PRICES = [-0.5, 0.0, 1.5, 2.0, 1e12]
START = datetime(2024, 1, 1, tzinfo=UTC)
MOMENTS = [
    START,
    START + timedelta(microseconds=1),
    START + timedelta(days=31),
    datetime(1969, 7, 20, tzinfo=UTC),
]


def random_metadata(rng: random.Random) -> Metadata:
    def pick(values: list[Any]) -> Any:
        return rng.choice(values) if rng.random() < 0.6 else rng.sample(values, rng.randrange(3))

    values = {
        "author": pick(WORDS),
        "tags": rng.sample(WORDS, rng.randrange(4)),
        'odd."name': pick(WORDS),
        "year": pick(YEARS),
        "price": pick(PRICES),
        "draft": pick([True, False]),
        "seen": pick(MOMENTS),
    }
    return {name: value for name, value in values.items() if rng.random() < 0.8}


def conditions() -> st.SearchStrategy[Condition]:
    def matches(names: list[str], values: list[Any]) -> st.SearchStrategy[Condition]:
        name, value = st.sampled_from(names), st.sampled_from(values)
        several = st.lists(value, max_size=4).map(lambda v: tuple(sorted(set(v))))
        return st.one_of(
            st.builds(MatchValue, name, value),
            st.builds(MatchAny, name, several),
            st.builds(MatchExcept, name, several),
        )

    def ranges(name: str, values: list[Any]) -> st.SearchStrategy[Condition]:
        bound = st.none() | st.sampled_from(values)
        made = st.builds(Range, st.just(name), bound, bound, bound, bound)
        return made.filter(lambda r: bool(r.bounds()))

    ids = [make_chunk(make_document(n)).id for n in range(5)]
    leaf = st.one_of(
        matches(["author", "tags", 'odd."name'], WORDS),
        matches(["year"], YEARS),
        st.builds(MatchValue, st.just("draft"), st.booleans()),
        ranges("year", [*YEARS, 0.5, 1e30, -1e30]),
        ranges("price", PRICES),
        ranges("seen", MOMENTS),
        st.builds(IsEmpty, st.sampled_from([*FIELDS, "_dl.tenant"])),
        st.builds(IsNull, st.sampled_from([*FIELDS, "_dl.tenant"])),
        st.builds(HasId, st.lists(st.sampled_from(ids), unique=True).map(lambda v: tuple(sorted(v)))),
    )
    return st.recursive(leaf, filters, max_leaves=8)


def filters(inner: st.SearchStrategy[Condition] | None = None) -> st.SearchStrategy[Filter]:
    clause = st.lists(inner if inner is not None else conditions(), max_size=3).map(
        lambda c: tuple(dict.fromkeys(c))
    )
    return st.builds(Filter, clause, clause, clause)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    rng = random.Random(7)
    documents = [make_document(n, random_metadata(rng), tenant="north" if n % 3 else None) for n in range(60)]
    folder = tmp_path_factory.mktemp("stores")
    with server_store(folder / "server") as server:
        stores: list[Store] = [EdgeStore(folder / "edge"), server]
        for store in stores:
            fill(store, documents)
        yield stores
        stores[0].close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(filters())
def test_both_engines_and_the_oracle_agree(filled: list[Store], item: Filter) -> None:
    points = list(filled[0].scroll())
    expected = {point["id"] for point in points if passes(item, point)}
    for store in filled:
        assert {point["id"] for point in store.scroll(item)} == expected, (type(store).__name__, item)


def test_ten_thousand_values(filled: list[Store]) -> None:
    item = parse_filter(
        {"must": [{"key": "author", "match": {"any": [f"w{n}" for n in range(10_000)] + ["Ann"]}}]},
        FIELDS,
    )
    for store in filled:
        points = list(store.scroll())
        assert len(list(store.scroll(item))) == sum(passes(item, point) for point in points) > 0


@given(filters())
def test_json_and_back(item: Filter) -> None:
    text = json.dumps(to_json(item))
    again = parse_filter(json.loads(text), FIELDS)
    assert again == item


@given(st.text())
def test_names_and_back(name: str) -> None:
    assert field_name(payload_key(name)) == name
    assert not set('"\\') & set(payload_key(name))
    if name:
        assert resolve_field(field_path(name), {name: "keyword"}) == name


def test_values_are_sorted_and_distinct() -> None:
    item = parse_filter({"must": [{"key": "tags", "match": {"any": ["b", "a", "b"]}}]}, FIELDS)
    assert item == Filter(must=(MatchAny("tags", ("a", "b")),))


def test_a_datetime_without_a_zone_is_utc_and_a_date_is_midnight() -> None:
    item = parse_filter(
        {"must": [{"key": "seen", "range": {"gte": "2024-03-01", "lt": "2024-03-02T01:00:00+01:00"}}]}, FIELDS
    )
    assert to_json(item)["must"][0]["range"] == {"gte": "2024-03-01T00:00:00Z", "lt": "2024-03-02T00:00:00Z"}


def test_equality_of_numbers_and_times_is_a_closed_range() -> None:
    item = parse_filter({"must": [{"key": "price", "match": {"value": 2}}]}, FIELDS)
    assert item == Filter(must=(Range("price", gte=2.0, lte=2.0),))
    item = parse_filter({"must": [{"key": "price", "match": {"any": [2, 1]}}]}, FIELDS)
    assert len(item.must) == 1


def test_the_narrower_of_two_bounds_is_kept() -> None:
    assert Range("year", gt=1, gte=1, lt=5, lte=4) == Range("year", gt=1, lte=4)
    assert Range("year", gt=0, gte=1, lt=4, lte=4) == Range("year", gte=1, lt=4)


def test_a_single_condition_needs_no_list() -> None:
    condition = {"key": "draft", "match": {"value": True}}
    assert parse_filter({"must": condition}, FIELDS) == Filter(must=(MatchValue("draft", True),))


DEEP: dict[str, Any] = {"key": "author", "match": {"value": "a"}}
for _ in range(MAX_DEPTH + 1):
    DEEP = {"must": [DEEP]}


def _must(condition: Any) -> dict[str, Any]:
    return {"must": [condition]}


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ([], "expected an object"),
        ({"most": []}, "'most' is not supported"),
        ({"min_should": {}}, "'min_should' is not supported"),
        (_must(3), "expected a condition"),
        (_must({"key": "author"}), "cannot read"),
        (_must({"key": "author", "geo_radius": {}}), "cannot read"),
        (_must({"key": 3, "match": {"value": "a"}}), "a field name is text"),
        (
            _must({"key": "auhtor", "match": {"value": "a"}}),
            "no field is called 'auhtor'; did you mean 'author'",
        ),
        (_must({"is_empty": {"key": "nope"}}), "no field is called 'nope'"),
        (_must({"key": "author", "match": {"text": "a"}}), "expected one of value, any, except"),
        (_must({"key": "author", "match": {"value": 3}}), "'author' is a keyword field"),
        (_must({"key": "author", "match": {"any": "a"}}), "expected a list"),
        (_must({"key": "author", "match": {"any": ["a", 3]}}), "3 does not fit"),
        (_must({"key": "year", "match": {"value": True}}), "True does not fit"),
        (_must({"key": "year", "match": {"value": 2.5}}), "2.5 does not fit"),
        (_must({"key": "year", "match": {"value": 2**63}}), "out of range"),
        (_must({"key": "draft", "match": {"value": "true"}}), "'true' does not fit"),
        (_must({"key": "draft", "match": {"except": [True]}}), "use must_not"),
        (_must({"key": "author", "range": {"gte": 1}}), "has no ranges"),
        (_must({"key": "year", "range": {}}), "at least one of"),
        (_must({"key": "year", "range": {"ge": 1}}), "at least one of"),
        (_must({"key": "price", "range": {"gte": float("nan")}}), "out of range"),
        (_must({"key": "price", "range": {"gte": 10**400}}), "out of range"),
        (_must({"key": "seen", "range": {"gte": "last week"}}), "write 2024-03-01"),
        (_must({"key": "seen", "range": {"gte": 3}}), "write 2024-03-01"),
        (_must({"key": "seen", "range": {"gte": "0001-01-01T00:00:00+10:00"}}), "out of range"),
        (_must({"has_id": ["x"]}), "expected a list of chunk ids"),
        (_must({"has_id": 3}), "expected a list of chunk ids"),
        (DEEP, "levels deep"),
    ],
)
def test_what_cannot_be_read_is_refused(obj: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_filter(obj, FIELDS)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["must", "should", "must_not", "key", "match", "range", "is_empty", "value", "any", "gte"]
                )
                | st.text(),
                inner | st.sampled_from(list(FIELDS)),
                max_size=3,
            )
        ),
    )
)
def test_anything_is_read_or_refused(obj: Any) -> None:
    try:
        item = parse_filter(obj, FIELDS)
    except InputError:
        return
    assert parse_filter(to_json(item), FIELDS) == item


def test_nothing_restricts_nothing() -> None:
    assert all_of() is None
    assert all_of(None, Filter()) is None


@given(filters(), filters())
def test_both_must_pass(a: Filter, b: Filter) -> None:
    rng = random.Random(1)
    both = all_of(a, b) or Filter()
    for number in range(10):
        chunk = make_chunk(make_document(number, random_metadata(rng)))
        point = {"id": chunk.id, **chunk.payload()}
        assert passes(both, point) == (passes(a, point) and passes(b, point))
