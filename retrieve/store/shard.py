"""Qdrant Edge as the embedded store uses it: one shard's configuration, points and searches.

Knows nothing about generations, files or who else reads. A shard is written without a write-ahead
log: nobody reads it before it is flushed and closed, so a log would only keep deleted text alive.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import qdrant_edge as edge

from configs.errors import StoreError
from retrieve.fields import field_path, read_payload, stored_payload
from retrieve.filters import Filter
from retrieve.schema import RESERVED, FieldType, Passage
from retrieve.store.base import Record, SearchRequest
from retrieve.store.bm25 import MAX_TERMS, Bm25, rarity
from retrieve.store.candidates import Candidate, ranked, sparse, unit
from retrieve.store.edge_filters import FALSE_FIELDS, TRUE_FIELDS, to_edge

DENSE, SPARSE = "dense", "bm25"
PAGE = 1000

INDEXING_KB = 16_000
"""Segments with more vector data than this get an HNSW graph; smaller ones are searched exactly."""

SCHEMA_TYPES: Mapping[FieldType, edge.PayloadSchemaType] = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "bool": edge.PayloadSchemaType.Bool,
    "datetime": edge.PayloadSchemaType.Datetime,
}


@contextlib.contextmanager
def edge_errors(doing: str) -> Iterator[None]:
    """Turn what Edge raises (plain Exceptions, and panics of its Rust code) into StoreError."""
    try:
        yield
    except BaseException as error:
        if type(error) is not Exception and type(error).__name__ != "PanicException":
            raise
        if "No space left on device" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise StoreError(f"the store failed while {doing}: {error}") from error


def create_shard(path: Path, dimension: int) -> edge.EdgeShard:
    """A new, empty shard in a folder that is made for it."""
    path.mkdir(parents=True)
    config = edge.EdgeConfig(
        vectors={DENSE: edge.EdgeVectorParams(dimension, edge.Distance.Cosine)},
        sparse_vectors={SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        hnsw_config=edge.HnswIndexConfig(m=16, ef_construct=128, full_scan_threshold=INDEXING_KB),
        optimizers=edge.EdgeOptimizersConfig(
            indexing_threshold=INDEXING_KB,
            default_segment_number=2,
            # Any deletion makes `optimize` rewrite its segment, so that no deleted byte stays.
            deleted_threshold=0.0,
            vacuum_min_vector_number=0,
        ),
        wal_enabled=False,
    )
    shard = edge.EdgeShard.create(str(path), config)
    for field in (TRUE_FIELDS, FALSE_FIELDS):
        shard.update(edge.UpdateOperation.create_field_index(field, SCHEMA_TYPES["keyword"]))
    return shard


def create_index(shard: edge.EdgeShard, field: str, kind: FieldType) -> None:
    """Index a field, instead of any index it had."""
    path = field_path(field)
    if path in shard.info().payload_schema:
        shard.update(edge.UpdateOperation.delete_field_index(path))
    shard.update(edge.UpdateOperation.create_field_index(path, SCHEMA_TYPES[kind]))


def unindexed(shard: edge.EdgeShard, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
    """Those of the fields that have no index, or one of another type."""
    schema = shard.info().payload_schema
    found = {name: schema.get(field_path(name)) for name in fields}
    return {
        name: fields[name]
        for name, index in found.items()
        if index is None or index.data_type != SCHEMA_TYPES[fields[name]]
    }


def drop_index(shard: edge.EdgeShard, field: str) -> None:
    shard.update(edge.UpdateOperation.delete_field_index(field_path(field)))


def point_of(record: Record, bm25: Bm25) -> edge.Point:
    """A chunk as Edge stores it."""
    payload = stored_payload(record.payload)
    bools = {True: set[str](), False: set[str]()}
    for name, value in record.payload.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, bool):
                bools[item].add(name)
    shadow = {"true": sorted(bools[True]), "false": sorted(bools[False])}
    payload[RESERVED] = payload[RESERVED] | {key: names for key, names in shadow.items() if names}
    vectors = {DENSE: record.vector.tolist(), SPARSE: bm25.document(record.embedding_text())}
    return edge.Point(record.id, vectors, payload)


def payload_of(stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """A stored payload as the chunk had it."""
    payload = read_payload(stored or {})
    payload[RESERVED] = {k: v for k, v in payload.get(RESERVED, {}).items() if k not in ("true", "false")}
    return payload


def search(shard: edge.EdgeShard, request: SearchRequest, bm25: Bm25, chunks: int) -> list[Passage]:
    """Dense and BM25 candidates, fused, from one batch of queries; ``chunks``: of the shard."""
    where = to_edge(request.filter) if request.filter else None
    words = bm25.question(request.text)
    terms = words.indices[:MAX_TERMS]
    dense = request.vector.tolist()
    weighted = ((dense, DENSE, request.fusion.dense), (words, SPARSE, request.fusion.bm25))
    searches = [
        edge.QueryRequest(
            limit=request.prefetch,
            query=edge.Query.Nearest(query, using=name),
            filter=where,
            with_payload=True,
            with_vector=[DENSE, SPARSE],
        )
        for query, name, weight in weighted
        if weight
    ]
    lookups = [
        edge.QueryRequest(
            limit=1,
            query=edge.Query.Nearest(edge.SparseVector([term], [1.0]), using=SPARSE),
            filter=where,
            with_vector=[SPARSE],
        )
        for term in terms
    ]
    answers = shard.query_batch(edge.QueryBatchRequest([*searches, *lookups]))
    found: list[tuple[float, float] | None] = []
    for term, hits in zip(terms, answers[len(searches) :], strict=True):
        found.append((hits[0].score, _terms(hits[0].vector)[term]) if hits else None)
    rarities = dict(zip(terms, rarity(found, chunks), strict=True))
    distinct = {str(hit.id): hit for hits in answers[: len(searches)] for hit in hits}
    candidates = (_candidate(name, hit) for name, hit in distinct.items())
    return ranked(candidates, rarities, request)


def _candidate(name: str, hit: edge.ScoredPoint) -> Candidate:
    vectors = hit.vector  # once: each look at it makes Python's numbers of Edge's anew
    assert isinstance(vectors, dict)
    vector = unit(cast("list[float]", vectors[DENSE]))
    return Candidate(name, payload_of(hit.payload), vector, _terms(vectors))


def _terms(vectors: object) -> dict[int, float]:
    vector = vectors.get(SPARSE) if isinstance(vectors, dict) else None
    return sparse(vector.indices, vector.values) if isinstance(vector, edge.SparseVector) else {}


def scroll(shard: edge.EdgeShard, where: Filter | None) -> Iterator[dict[str, Any]]:
    """Payloads of all points that pass, page by page."""
    for point in _points(shard, to_edge(where) if where else None):
        yield {"id": str(point.id), **payload_of(point.payload)}


def records(shard: edge.EdgeShard, where: Filter | None = None) -> Iterator[Record]:
    """All points that pass, whole, page by page."""
    for point in _points(shard, to_edge(where) if where else None, with_vector=[DENSE]):
        vectors = point.vector
        assert isinstance(vectors, dict)
        vector = np.asarray(vectors[DENSE], dtype=np.float32)
        yield Record(str(point.id), payload_of(point.payload), vector)


def _points(
    shard: edge.EdgeShard, where: edge.Filter | None, with_vector: list[str] | None = None
) -> Iterator[edge.Record]:
    offset: Any = None
    while True:
        request = edge.ScrollRequest(
            offset=offset, limit=PAGE, filter=where, with_payload=True, with_vector=with_vector or False
        )
        with edge_errors("reading chunks"):
            page, offset = shard.scroll(request)
        yield from page
        if offset is None:
            return


def facet(shard: edge.EdgeShard, field: str, where: Filter | None, limit: int) -> dict[Any, int]:
    """Values of a field with their counts, most frequent first."""
    response = shard.facet(
        edge.FacetRequest(
            field_path(field), limit=limit, exact=True, filter=to_edge(where) if where else None
        )
    )
    return {hit.value: hit.count for hit in response.hits}


def ends(shard: edge.EdgeShard, field: str, where: Filter | None) -> list[dict[str, Any]]:
    """Payloads of the points with the least and the greatest value of a field that is indexed."""
    found: list[dict[str, Any]] = []
    for direction in (edge.Direction.Asc, edge.Direction.Desc):
        order = edge.OrderBy(field_path(field), direction)
        page, _ = shard.scroll(
            edge.ScrollRequest(
                limit=1, filter=to_edge(where) if where else None, with_payload=True, order_by=order
            )
        )
        found += [payload_of(point.payload) for point in page]
    return found


def count(shard: edge.EdgeShard, where: Filter | None = None) -> int:
    """How many points pass."""
    return shard.count(edge.CountRequest(exact=True, filter=to_edge(where) if where else None))


def existing(shard: edge.EdgeShard, ids: Sequence[str]) -> list[str]:
    """Which of these points there are."""
    return [str(record.id) for record in shard.retrieve(list(ids), with_payload=False, with_vector=False)]


def delete_points(shard: edge.EdgeShard, ids: Sequence[str]) -> None:
    shard.update(edge.UpdateOperation.delete_points(list(ids)))
