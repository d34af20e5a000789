"""Random schemas, data and filters: every store gives what a naive reading of the filter gives."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieve.filters import (
    Condition,
    Filter,
    HasId,
    IsEmpty,
    IsNull,
    MatchAny,
    MatchExcept,
    MatchValue,
    Range,
    parse_filter,
    to_json,
)
from retrieve.schema import RESERVED_FIELDS, Document, FieldType
from retrieve.store.base import Store
from retrieve.store.edge import EdgeStore
from tests.retrieve.conftest import server_store
from tests.retrieve.naive import passes
from tests.retrieve.samples import fill, make_chunk, make_document, request_for

KINDS: list[FieldType] = ["keyword", "integer", "float", "bool", "datetime"]
MOST = 10
"""Documents in an example."""
NAMES = st.one_of(
    st.sampled_from(["year", "Größe", "a b", 'x"y', "a.b", "tags[]", "must", "-", "%22", "true"]),
    st.text(min_size=1, max_size=8),
).filter(lambda name: not name.startswith("_dl"))
ZONES = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
DECIMALS = st.builds(lambda n, places: n / 10**places, st.integers(-(10**9), 10**9), st.integers(0, 6))
"""Numbers as people write them: Edge keeps 15 digits and may be off in the last bit of longer ones."""
VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    "keyword": st.one_of(st.sampled_from(["", "a", "b", "A", "ü", "1", "true", "null"]), st.text(max_size=6)),
    "integer": st.one_of(st.integers(-3, 3), st.integers(-(2**53), 2**53)),
    "float": st.one_of(st.sampled_from([-0.5, 0.0, 0.1, 1.0, 1e12]), DECIMALS),
    "bool": st.booleans(),
    "datetime": st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC) | ZONES),
}
Schema = dict[str, FieldType]


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    return draw(st.dictionaries(NAMES, st.sampled_from(KINDS), min_size=1, max_size=5))


@st.composite
def documents(draw: st.DrawFn, schema: Schema) -> tuple[list[Document], dict[str, list[Any]]]:
    """Documents, and for each field the values that its filters compare with: mostly ones that occur."""
    pools = {name: draw(st.lists(VALUES[kind], min_size=2, max_size=5)) for name, kind in schema.items()}
    made = []
    for number in range(draw(st.integers(1, MOST))):
        metadata = {}
        for name, pool in pools.items():
            one = st.sampled_from(pool)
            value = draw(st.none() | one | st.lists(one, max_size=3))
            if value is not None:
                metadata[name] = value
        tenant = draw(st.sampled_from([None, "north", "south"]))
        made.append(make_document(number, metadata, tenant, draw(st.sampled_from([(), ("a",), ("a", "b")]))))
    return made, pools


def conditions(schema: Schema, pools: dict[str, list[Any]]) -> st.SearchStrategy[Condition]:
    ids = st.lists(st.sampled_from([make_chunk(make_document(n)).id for n in range(MOST)]), unique=True)
    leaves: list[st.SearchStrategy[Condition]] = [
        st.builds(HasId, ids.map(lambda v: tuple(sorted(v)))),
        st.builds(IsEmpty, st.sampled_from([*schema, "_dl.tenant", "_dl.access"])),
        st.builds(IsNull, st.sampled_from([*schema, "_dl.tenant"])),
        st.builds(MatchValue, st.just("_dl.tenant"), st.sampled_from(["north", "south", "no"])),
        st.builds(MatchAny, st.just("_dl.access"), st.sampled_from([("a",), ("b", "c"), ()])),
    ]
    for name, kind in schema.items():
        value, key = st.sampled_from(pools[name]) | VALUES[kind], st.just(name)
        several = st.lists(value, max_size=4).map(lambda v: tuple(sorted(set(v))))
        if kind in ("keyword", "integer", "bool"):
            leaves.append(st.builds(MatchValue, key, value))
        if kind in ("keyword", "integer"):
            leaves += [st.builds(MatchAny, key, several), st.builds(MatchExcept, key, several)]
        if kind in ("integer", "float", "datetime"):
            bound = st.none() | value.map(lambda v: v.astimezone(UTC) if isinstance(v, datetime) else v)
            ranges = st.builds(Range, key, bound, bound, bound, bound)
            leaves.append(ranges.filter(lambda r: bool(r.bounds())))
    return st.recursive(st.one_of(leaves), clauses, max_leaves=6)


def clauses(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Filter]:
    clause = st.lists(inner, max_size=3).map(lambda c: tuple(dict.fromkeys(c)))
    return st.builds(Filter, clause, clause, clause)


@contextmanager
def both(documents: list[Document], fields: Schema) -> Iterator[list[Store]]:
    with tempfile.TemporaryDirectory() as folder, server_store(Path(folder) / "server") as server:
        stores: list[Store] = [EdgeStore(Path(folder) / "edge"), server]
        for store in stores:
            fill(store, documents)
        yield stores
        stores[0].close()


def naive_facet(points: list[dict[str, Any]], field: str) -> dict[Any, int]:
    counts: Counter[Any] = Counter()
    for point in points:
        value = point["_dl"].get(field[4:]) if field in RESERVED_FIELDS else point.get(field)
        counts.update(set(value) if isinstance(value, list) else [] if value is None else [value])
    return dict(counts)


def check(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    made, pools = data.draw(documents(schema))
    with both(made, schema) as stores:
        points = list(stores[0].scroll())
        assert sorted(points, key=lambda p: p["id"]) == sorted(stores[1].scroll(), key=lambda p: p["id"])
        assert len(points) == len(made)
        fields = stores[0].info().fields
        assert stores[1].info().fields == fields
        for field in fields:
            expected = naive_facet(points, field)
            for store in stores:
                assert store.facet(field, limit=100) == expected, (type(store).__name__, field)
        known = {name: kind for name, kind in schema.items() if fields.get(name) == kind}
        for _ in range(6):
            item = data.draw(clauses(conditions(known, pools)))
            assert parse_filter(to_json(item), known) == item
            expected_ids = {point["id"] for point in points if passes(item, point)}
            request = request_for(make_chunk(made[0]), limit=50, filter=item)
            found = []
            for store in stores:
                assert {point["id"] for point in store.scroll(item)} == expected_ids, (store, item)
                found.append(store.search(request))
                assert {passage.id for passage in found[-1]} == expected_ids, (store, item)
            scores = [{p.id: round(p.relevance, 4) for p in passages} for passages in found]
            assert scores[0] == scores[1]


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_random_schemas(data: st.DataObject) -> None:
    check(data)


@pytest.mark.deep
@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_many_random_schemas(data: st.DataObject) -> None:
    check(data)


@pytest.mark.skipif("DRAFTLINE_TEST_QDRANT_URL" not in os.environ, reason="names no Qdrant server")
def test_a_real_server_was_asked(tmp_path: Path) -> None:
    """That the other tests of this suite ran against the server named, and not in memory."""
    with server_store(tmp_path) as store:
        fill(store, [make_document(1)])
        assert store.check() is None
