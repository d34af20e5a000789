"""The store in a Qdrant server, through qdrant-client.

A server has no generations. What a writer does is held back until `commit`, which first adds the
new chunks and then deletes the old ones: for that moment a reader may see both, never neither. A
writer that dies in between has published no side files, so the next ingest does the same again, and
ids that derive from content make that harmless.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qdrant_client import QdrantClient, models

from configs.errors import StoreError
from retrieve.fields import field_path, read_payload
from retrieve.filters import Filter
from retrieve.schema import RESERVED_FIELDS, FieldType, Passage
from retrieve.store.base import SearchRequest, StoreInfo, count_values, other_embedder
from retrieve.store.bm25 import MAX_TERMS, Bm25, rarity
from retrieve.store.candidates import Candidate, ranked, sparse, unit
from retrieve.store.files import remove
from retrieve.store.lock import write_lock
from retrieve.store.manifest import Manifest, read_manifest
from retrieve.store.server_client import server_errors
from retrieve.store.server_filters import to_server
from retrieve.store.server_writer import DENSE, META, SPARSE, ServerWriter

PAGE = 1000


class ServerStore:
    """A collection in a Qdrant server. ``folder`` keeps the side files and the write lock of this machine."""

    def __init__(self, client: QdrantClient, collection: str, folder: Path) -> None:
        self._client = client
        self._collection = collection
        self._folder = folder
        self._bm25 = Bm25()

    def search(self, request: SearchRequest) -> list[Passage]:
        info = self.info()
        if not info.chunks or request.limit < 1:
            return []
        where = to_server(request.filter) if request.filter else None
        words = self._bm25.question(request.text)
        terms = words.indices[:MAX_TERMS]
        lexical = models.SparseVector(indices=words.indices, values=words.values)
        dense = request.vector.tolist()
        weighted = ((dense, DENSE, request.fusion.dense), (lexical, SPARSE, request.fusion.bm25))
        searches = [
            models.QueryRequest(
                query=query,
                using=name,
                filter=where,
                limit=request.prefetch,
                with_payload=True,
                with_vector=[DENSE, SPARSE],
            )
            for query, name, weight in weighted
            if weight
        ]
        with server_errors("searching"):
            answers = self._client.query_batch_points(self._collection, [*searches, *_lookups(terms, where)])
        found = [
            (answer.points[0].score, _terms(answer.points[0])[term]) if answer.points else None
            for term, answer in zip(terms, answers[len(searches) :], strict=True)
        ]
        rarities = dict(zip(terms, rarity(found, info.chunks), strict=True))
        hits = (hit for answer in answers[: len(searches)] for hit in answer.points)
        return ranked(map(_candidate, hits), rarities, request)

    def scroll(self, filter: Filter | None = None) -> Iterator[dict[str, Any]]:
        if not self.info().chunks:
            return
        offset: Any = None
        while True:
            with server_errors("reading chunks"):
                page, offset = self._client.scroll(
                    self._collection,
                    scroll_filter=to_server(filter) if filter else None,
                    limit=PAGE,
                    offset=offset,
                    with_payload=True,
                )
            for record in page:
                yield {"id": str(record.id), **read_payload(record.payload or {})}
            if offset is None:
                return

    def facet(self, field: str, filter: Filter | None = None, limit: int = 100) -> dict[Any, int]:
        info = self.info()
        kind = info.fields.get(field)
        if not info.chunks or kind is None:
            return {}
        if kind in ("float", "datetime"):  # the server counts keywords, integers and bools
            return count_values(self.scroll(filter), field, limit)
        with server_errors("counting values"):
            response = self._client.facet(
                self._collection,
                field_path(field),
                facet_filter=to_server(filter) if filter else None,
                limit=limit,
                exact=True,
            )
        return {hit.value: hit.count for hit in response.hits}

    def info(self) -> StoreInfo:
        manifest = self._published()
        return StoreInfo(
            chunks=manifest.chunks,
            documents=manifest.documents,
            embedder=manifest.embedder,
            dimension=manifest.dimension,
            fields={**manifest.fields, **RESERVED_FIELDS},
            generation=str(manifest.generation),
        )

    def check(self) -> None:
        self._published()

    def side(self, name: str) -> Path | None:
        local = self._local(self._published())
        path = self._folder / local.side / name if local.side else None
        return path if path and path.exists() else None

    @contextlib.contextmanager
    def writer(
        self, *, embedder: str, dimension: int, fields: Mapping[str, FieldType], wait_s: float
    ) -> Iterator[ServerWriter]:
        with write_lock(self._folder, wait_s):
            published = self._published()
            if published.chunks and (published.embedder, published.dimension) != (embedder, dimension):
                raise other_embedder(published.embedder, embedder)
            state = published.model_copy(update={"side": self._local(published).side})
            with server_errors("writing"):
                writer = ServerWriter(
                    self._client, self._collection, self._folder, state, embedder, dimension, fields
                )
                try:
                    yield writer
                finally:
                    remove(writer.side)

    def close(self) -> None:
        self._client.close()

    def _published(self) -> Manifest:
        """The state that the collection's metadata tells; the empty one when there is no collection."""
        with server_errors("asking for its state"):
            if not self._client.collection_exists(self._collection):
                return Manifest()
            metadata = self._client.get_collection(self._collection).config.metadata or {}
        if META not in metadata:
            raise StoreError(
                f"the collection {self._collection!r} was not made by Draftline; "
                "name another with store.collection"
            )
        return Manifest.model_validate(metadata[META])

    def _local(self, published: Manifest) -> Manifest:
        """This machine's side files, if they belong to the published state.

        They do not when the collection was deleted, or written from another machine: a ledger that
        speaks of other chunks than the collection's must not be believed.
        """
        local = read_manifest(self._folder)
        return local if local.generation == published.generation else Manifest()


def _lookups(terms: Sequence[int], where: models.Filter | None) -> list[models.QueryRequest]:
    """For each term, the best chunk that has it."""
    return [
        models.QueryRequest(
            query=models.SparseVector(indices=[term], values=[1.0]),
            using=SPARSE,
            filter=where,
            limit=1,
            with_vector=[SPARSE],
        )
        for term in terms
    ]


def _candidate(hit: models.ScoredPoint) -> Candidate:
    vector: Any = hit.vector[DENSE] if isinstance(hit.vector, dict) else []
    return Candidate(str(hit.id), read_payload(hit.payload or {}), unit(vector), _terms(hit))


def _terms(hit: models.ScoredPoint) -> dict[int, float]:
    vector = hit.vector.get(SPARSE) if isinstance(hit.vector, dict) else None
    return sparse(vector.indices, vector.values) if isinstance(vector, models.SparseVector) else {}
