"""What a version in a Qdrant server holds, read a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from qdrant_client import QdrantClient, models

from configs.errors import StoreError
from retrieve.fields import field_path, read_payload
from retrieve.filters import Filter
from retrieve.store.base import ORDERED, Record, count_values, extent_of
from retrieve.store.server_client import is_missing, retry, server_errors
from retrieve.store.server_filters import to_server
from retrieve.store.server_state import Published
from retrieve.store.server_versions import DENSE, Version

PAGE = 1000


class Contents:
    """Chunks, values and ranges of the version that is published when they are asked for."""

    def __init__(self, client: QdrantClient, alias: str, published: Published, patience_s: float) -> None:
        self._client, self._alias = client, alias
        self._published, self._patience_s = published, patience_s

    def scroll(self, filter: Filter | None = None) -> Iterator[dict[str, Any]]:
        for point in self._points(self._published.now(), filter):
            yield {"id": str(point.id), **read_payload(point.payload or {})}

    def records(self, filter: Filter | None = None) -> Iterator[Record]:
        version = self._published.now()
        for point in self._points(version, filter, with_vectors=[DENSE]):
            dense: Any = point.vector[DENSE] if isinstance(point.vector, dict) else []
            yield Record(
                str(point.id), read_payload(point.payload or {}), np.asarray(dense, dtype=np.float32)
            )
        if self._published.now() != version:
            raise replaced(self._alias)

    def facet(self, field: str, filter: Filter | None = None, limit: int = 100) -> dict[Any, int]:
        version = self._published.now()
        kind = version.manifest.info().fields.get(field) if version else None
        if version is None or not version.manifest.chunks or kind is None:
            return {}
        if kind in ("float", "datetime"):  # the server counts keywords, integers and bools
            return count_values(self.scroll(filter), field, limit)
        where = to_server(filter) if filter else None
        call = partial(
            self._client.facet,
            version.name,
            field_path(field),
            facet_filter=where,
            limit=limit,
            exact=True,
        )
        with server_errors("counting values"):
            return {hit.value: hit.count for hit in retry(call, self._patience_s).hits}

    def extent(self, field: str, filter: Filter | None = None) -> tuple[Any, Any] | None:
        version = self._published.now()
        kind = version.manifest.info().fields.get(field) if version else None
        if version is None or not version.manifest.chunks or kind is None or kind not in ORDERED:
            return None
        found: list[dict[str, Any]] = []
        for direction in (models.Direction.ASC, models.Direction.DESC):
            call = partial(
                self._client.scroll,
                version.name,
                scroll_filter=to_server(filter) if filter else None,
                order_by=models.OrderBy(key=field_path(field), direction=direction),
                limit=1,
            )
            with server_errors("looking for a field's range"):
                page, _ = retry(call, self._patience_s)
                found += [read_payload(point.payload or {}) for point in page]
        return extent_of(found, field, kind)

    def _points(
        self, version: Version | None, where: Filter | None, with_vectors: list[str] | None = None
    ) -> Iterator[models.Record]:
        if version is None or not version.manifest.chunks:
            return
        offset: Any = None
        while True:
            call = partial(
                self._client.scroll,
                version.name,
                scroll_filter=to_server(where) if where else None,
                limit=PAGE,
                offset=offset,
                with_payload=True,
                with_vectors=with_vectors or False,
            )
            with server_errors("reading chunks"):
                try:
                    page, offset = retry(call, self._patience_s)
                except Exception as error:
                    if is_missing(error):
                        raise replaced(self._alias) from error
                    raise
            yield from page
            if offset is None:
                return


def replaced(alias: str) -> StoreError:
    """Another process has changed the collection while it was read."""
    return StoreError(
        f"the collection {alias!r} was changed by another process while it was read; run it again"
    )
