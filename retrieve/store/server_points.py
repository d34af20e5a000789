"""The points of one version in a Qdrant server: written, deleted and counted, a request at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from qdrant_client import QdrantClient, models

from retrieve.fields import stored_payload
from retrieve.filters import Condition, Filter, HasId, MatchAny
from retrieve.store.base import Record
from retrieve.store.bm25 import Bm25
from retrieve.store.server_client import retry
from retrieve.store.server_filters import to_server
from retrieve.store.server_versions import DENSE, SPARSE, Layout

BATCH = 128


class Points:
    """What a writer asks of a server. Each call is tried again while its failure may pass.

    Every one may be carried out twice: ids are the caller's, and what is gone can be deleted again.
    """

    def __init__(self, client: QdrantClient, layout: Layout, patience_s: float) -> None:
        self._client = client
        self._ordering = models.WriteOrdering(layout.write_ordering)
        self._patience_s = patience_s
        self._bm25 = Bm25()

    def upload(self, version: str, records: Sequence[Record]) -> None:
        for start in range(0, len(records), BATCH):
            points = [self._point(record) for record in records[start : start + BATCH]]
            call = partial(self._client.upsert, version, points, wait=True, ordering=self._ordering)
            retry(call, self._patience_s)

    def delete_documents(self, version: str, ids: Sequence[str] | set[str], keep: Sequence[str] = ()) -> None:
        """Delete the documents' chunks, but for those to keep."""
        if ids:
            gone: Condition = MatchAny("_dl.document_id", tuple(sorted(ids)))
            kept = (HasId(tuple(sorted(keep))),) if keep else ()
            self._delete(
                version, models.FilterSelector(filter=to_server(Filter(must=(gone,), must_not=kept)))
            )

    def delete(self, version: str, ids: Sequence[str]) -> None:
        if ids:
            self._delete(version, models.PointIdsList(points=sorted(set(ids))))

    def among(self, version: str, ids: Sequence[str]) -> set[str]:
        """Those of the ids that are there."""
        call = partial(self._client.retrieve, version, list(ids), with_payload=False)
        return {str(point.id) for point in retry(call, self._patience_s)}

    def count(self, version: str) -> tuple[int, int]:
        """Chunks and documents."""
        count, facet = self._client.count, self._client.facet
        chunks = retry(partial(count, version, exact=True), self._patience_s).count
        call = partial(facet, version, "_dl.document_id", limit=max(chunks, 1), exact=True)
        return chunks, len(retry(call, self._patience_s).hits)

    def _delete(self, version: str, selector: models.FilterSelector | models.PointIdsList) -> None:
        call = partial(self._client.delete, version, selector, wait=True, ordering=self._ordering)
        retry(call, self._patience_s)

    def _point(self, record: Record) -> models.PointStruct:
        terms = self._bm25.document(record.embedding_text())
        vectors: Any = {
            DENSE: record.vector.tolist(),
            SPARSE: models.SparseVector(indices=terms.indices, values=terms.values),
        }
        return models.PointStruct(id=record.id, vector=vectors, payload=stored_payload(record.payload))
