"""The writer of a store in a Qdrant server: see `server` for what it promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from qdrant_client import QdrantClient, models

from retrieve.fields import field_path, fields_of, merge_fields, stored_payload
from retrieve.filters import Condition, Filter, HasId, MatchAny
from retrieve.schema import RESERVED_FIELDS, Chunk, FieldType
from retrieve.store.base import Vector
from retrieve.store.bm25 import Bm25
from retrieve.store.files import remove
from retrieve.store.manifest import Manifest, write_manifest
from retrieve.store.server_client import retry
from retrieve.store.server_filters import to_server
from retrieve.store.side import WorkingSide

DENSE, SPARSE = "dense", "bm25"
META = "draftline"
"""Key of the collection's metadata under which the published state is kept."""
BATCH = 128

SCHEMA_TYPES: Mapping[FieldType, models.PayloadSchemaType] = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "integer": models.PayloadSchemaType.INTEGER,
    "float": models.PayloadSchemaType.FLOAT,
    "bool": models.PayloadSchemaType.BOOL,
    "datetime": models.PayloadSchemaType.DATETIME,
}


class ServerWriter:
    """See `StoreWriter`."""

    def __init__(
        self,
        client: QdrantClient,
        collection: str,
        folder: Path,
        published: Manifest,
        embedder: str,
        dimension: int,
        fields: Mapping[str, FieldType],
    ) -> None:
        self._client = client
        self._collection = collection
        self._folder = folder
        self._published = published
        self._embedder = embedder
        self._dimension = dimension
        self._fields = merge_fields(published.fields, fields)
        self._bm25 = Bm25()
        self._points: dict[str, models.PointStruct] = {}
        self._documents: set[str] = set()
        """Documents whose chunks go, but for the points held back here."""
        self._chunks: set[str] = set()
        """Chunks that go."""
        self._side = WorkingSide(folder, published.side)

    @property
    def side(self) -> Path:
        return self._side.path

    def upsert(self, chunks: Sequence[Chunk], vectors: Vector) -> None:
        if vectors.shape != (len(chunks), self._dimension):
            raise ValueError(
                f"vectors {vectors.shape} for {len(chunks)} chunks of {self._dimension} components"
            )
        self._fields = merge_fields(self._fields, *(fields_of(chunk.document.metadata) for chunk in chunks))
        for chunk, vector in zip(chunks, vectors, strict=True):
            self._points[chunk.id] = self._point(chunk, vector)
            self._chunks.discard(chunk.id)

    def delete_documents(self, ids: Sequence[str]) -> None:
        gone = set(ids)
        self._documents |= gone
        for name, point in list(self._points.items()):
            if (point.payload or {})["_dl"]["document_id"] in gone:
                del self._points[name]

    def delete_chunks(self, ids: Sequence[str]) -> None:
        self._chunks |= set(ids)
        for name in ids:
            self._points.pop(name, None)

    def commit(self) -> None:
        changed = bool(self._points or self._documents or self._chunks)
        if changed and not (self._published.generation == 0 and not self._points):
            self._prepare()
            self._upload()
            self._delete()
            after = self._counted()
        else:
            after = self._published
        generation = self._published.generation + 1
        side = self._side.publish(self._published.side, f"side-{generation}")
        if after is self._published and side == self._published.side:
            return
        after = after.model_copy(update={"generation": generation, "side": side})
        if not self._client.collection_exists(self._collection):
            self._prepare()  # side files belong to a state, and that is where the state is kept
        shared = after.model_copy(update={"side": None})
        self._client.update_collection(self._collection, metadata={META: shared.model_dump()})
        write_manifest(self._folder, Manifest(generation=generation, side=side))
        self._published = after
        for path in self._folder.glob("side-*"):
            if path.name != side:
                remove(path)

    def _point(self, chunk: Chunk, vector: Vector) -> models.PointStruct:
        terms = self._bm25.document(chunk.embedding_text())
        vectors: Any = {
            DENSE: vector.tolist(),
            SPARSE: models.SparseVector(indices=terms.indices, values=terms.values),
        }
        return models.PointStruct(id=chunk.id, vector=vectors, payload=stored_payload(chunk.payload()))

    def _prepare(self) -> None:
        """Make the collection and the indexes: before the upload, so that HNSW links know the fields."""
        indexed: dict[str, FieldType] = {}
        exists = self._client.collection_exists(self._collection)
        if exists and self._published.chunks:
            indexed = {**self._published.fields, **RESERVED_FIELDS}
        else:
            if exists:  # empty, perhaps for vectors of another size, or left by a first commit that died
                self._client.delete_collection(self._collection)
            self._client.create_collection(
                self._collection,
                vectors_config={
                    DENSE: models.VectorParams(size=self._dimension, distance=models.Distance.COSINE)
                },
                sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                metadata={META: Manifest().model_dump()},
            )
        for name, kind in {**self._fields, **RESERVED_FIELDS}.items():
            if indexed.get(name) == kind:
                continue
            path = field_path(name)
            if name in indexed:
                self._client.delete_payload_index(self._collection, path)
            schema: Any = SCHEMA_TYPES[kind]
            if name == "_dl.tenant":
                schema = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
            self._client.create_payload_index(self._collection, path, schema)

    def _upload(self) -> None:
        points = list(self._points.values())
        for start in range(0, len(points), BATCH):
            batch = points[start : start + BATCH]
            retry(partial(self._client.upsert, self._collection, batch, wait=True))

    def _delete(self) -> None:
        if self._documents:
            gone: Condition = MatchAny("_dl.document_id", tuple(sorted(self._documents)))
            fresh = (HasId(tuple(sorted(self._points))),) if self._points else ()
            where = models.FilterSelector(filter=to_server(Filter(must=(gone,), must_not=fresh)))
            retry(lambda: self._client.delete(self._collection, where, wait=True))
        if self._chunks:
            ids = models.PointIdsList(points=sorted(self._chunks))
            retry(lambda: self._client.delete(self._collection, ids, wait=True))
        self._points.clear()
        self._documents.clear()
        self._chunks.clear()

    def _counted(self) -> Manifest:
        chunks = self._client.count(self._collection, exact=True).count
        facet = self._client.facet(self._collection, "_dl.document_id", limit=max(chunks, 1), exact=True)
        holds = chunks > 0
        return self._published.model_copy(
            update={
                "embedder": self._embedder if holds else None,
                "dimension": self._dimension if holds else None,
                "fields": dict(self._fields),
                "chunks": chunks,
                "documents": len(facet.hits),
            }
        )
