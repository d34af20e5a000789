"""The store in a Qdrant server, through qdrant-client.

A server has no generations. What a writer changes is held back until `commit`, which first adds the
new chunks and then deletes the old ones: for that moment a reader may see both, never neither. What a
writer that dies in between has begun, the next one finishes (`redo`). What replaces everything is built
beside (`server_versions`), and readers see the one or the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from qdrant_client import AsyncQdrantClient, QdrantClient

from retrieve.filters import Filter
from retrieve.schema import FieldType, Passage
from retrieve.store.base import (
    Record,
    SearchRequest,
    StoreInfo,
    check_embedder,
    same_embedder,
)
from retrieve.store.bm25 import Bm25
from retrieve.store.files import remove, sizes
from retrieve.store.lock import LockedError, write_lock
from retrieve.store.manifest import Manifest, read_manifest
from retrieve.store.redo import FILE as REDO
from retrieve.store.redo import drop_redo, read_redo
from retrieve.store.server_client import aretry, is_missing, retry, server_errors
from retrieve.store.server_contents import Contents, replaced
from retrieve.store.server_search import Asked
from retrieve.store.server_state import Published
from retrieve.store.server_versions import Layout, Version, Versions
from retrieve.store.server_writer import ServerWriter

ATTEMPTS = 3
T = TypeVar("T")


class ServerStore:
    """A store in a Qdrant server; several threads may use one.

    Args:
        collection: the alias of its collection.
        folder: keeps the side files and the write lock of this machine.
        patience_s: how long a call that fails in a way that may pass is tried again.
        connect_async: makes the client of an event loop; None: `asearch` uses a thread.
    """

    def __init__(
        self,
        client: QdrantClient,
        collection: str,
        folder: Path,
        *,
        layout: Layout | None = None,
        patience_s: float = 30.0,
        connect_async: Callable[[], AsyncQdrantClient] | None = None,
    ) -> None:
        self._client = client
        self._folder = folder
        self._layout = layout or Layout()
        self.versions = Versions(client, collection, self._layout)
        self._published = Published(self.versions, patience_s)
        self._contents = Contents(client, collection, self._published, patience_s)
        self._patience_s = patience_s
        self._connect_async = connect_async
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncQdrantClient] = (
            weakref.WeakKeyDictionary()
        )
        self._bm25 = Bm25()

    def search(self, request: SearchRequest) -> list[Passage]:
        asked = self._asked(request)
        with server_errors("searching"):
            for attempt in range(ATTEMPTS):
                version = self._published.read() if attempt else self._published.recent()
                if not _has_answers(version, request):
                    return []
                call = partial(self._client.query_batch_points, version.name, asked.queries)
                try:
                    return asked.passages(self._retry(call), version.manifest.chunks)
                except Exception as error:
                    if not is_missing(error):
                        raise
        raise replaced(self.versions.alias)

    async def asearch(self, request: SearchRequest) -> list[Passage]:
        if self._connect_async is None:
            return await asyncio.to_thread(self.search, request)
        client = self._async_client(self._connect_async)
        asked = self._asked(request)
        with server_errors("searching"):
            for attempt in range(ATTEMPTS):
                version = await self._published.arecent(client, at_once=attempt > 0)
                if not _has_answers(version, request):
                    return []
                call = partial(client.query_batch_points, version.name, asked.queries)
                try:
                    answers = await aretry(call, self._patience_s)
                    return asked.passages(answers, version.manifest.chunks)
                except Exception as error:
                    if not is_missing(error):
                        raise
        raise replaced(self.versions.alias)

    def scroll(self, filter: Filter | None = None) -> Iterator[dict[str, Any]]:
        return self._contents.scroll(filter)

    def records(self, filter: Filter | None = None) -> Iterator[Record]:
        return self._contents.records(filter)

    def facet(self, field: str, filter: Filter | None = None, limit: int = 100) -> dict[Any, int]:
        return self._contents.facet(field, filter, limit)

    def extent(self, field: str, filter: Filter | None = None) -> tuple[Any, Any] | None:
        return self._contents.extent(field, filter)

    def info(self) -> StoreInfo:
        version = self._published.now()
        return (version.manifest if version else Manifest()).info()

    def check(self) -> None:
        self._published.now()

    def side(self, name: str) -> Path | None:
        folder = self._side_folder(self._published.now())
        path = folder / name if folder else None
        return path if path and path.exists() else None

    def side_names(self) -> list[str]:
        folder = self._side_folder(self._published.now())
        return sorted(sizes(folder)) if folder else []

    @contextlib.contextmanager
    def writer(
        self,
        *,
        embedder: str,
        dimension: int,
        fields: Mapping[str, FieldType],
        wait_s: float,
        rebuild: str | None = None,
    ) -> Iterator[ServerWriter]:
        with write_lock(self._folder, wait_s):
            self._finish_commit()
            version = self._published.now()
            state = version.manifest if version else Manifest()
            if rebuild is None and state.chunks:
                embedder = state.embedder_for(embedder, dimension)
            with server_errors("writing"):
                writer = self._writer(version, embedder, dimension, fields, rebuild=rebuild)
                try:
                    yield writer
                finally:
                    writer.abandon()
                    remove(writer.side)
                    self._published.forget()

    def recover(self) -> None:
        if (self._folder / REDO).exists():
            with contextlib.suppress(LockedError), write_lock(self._folder, 0):
                self._finish_commit()

    def _finish_commit(self) -> None:
        """Carry out what a writer of this folder has begun and not finished; with the lock held."""
        if (redo := read_redo(self._folder)) is None:
            return
        version = self._published.now()
        state = version.manifest if version else Manifest()
        if not (state.dimension and same_embedder(state.embedder, redo.embedder)):
            drop_redo(self._folder)  # what it was to change is there no more
            return
        with server_errors("finishing a commit that was cut short"):
            writer = self._writer(version, redo.embedder, state.dimension, redo.fields, unfinished=redo.side)
            try:
                writer.finish(redo)
            finally:
                remove(writer.side)
                self._published.forget()

    def _writer(
        self,
        version: Version | None,
        embedder: str,
        dimension: int,
        fields: Mapping[str, FieldType],
        **options: str | None,
    ) -> ServerWriter:
        side = self._local(version).side
        client, versions, folder = self._client, self.versions, self._folder
        layout, patience_s = self._layout, self._patience_s
        return ServerWriter(
            client,
            versions,
            layout,
            folder,
            version,
            side,
            embedder,
            dimension,
            fields,
            patience_s=patience_s,
            **options,
        )

    def settle(self, wait_s: float) -> None:
        """Nothing: a server looks after its index by itself."""

    def close(self) -> None:
        self._client.close()

    async def aclose(self) -> None:
        """Close the running event loop's own connection."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    def _asked(self, request: SearchRequest) -> Asked:
        return Asked.of(request, self._bm25, quantized=self._layout.quantization != "off")

    def _retry(self, call: Callable[[], T]) -> T:
        return retry(call, self._patience_s)

    def _async_client(self, connect: Callable[[], AsyncQdrantClient]) -> AsyncQdrantClient:
        """One client for each event loop, whose connections are its own."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = connect()
        return self._clients[loop]

    def _side_folder(self, version: Version | None) -> Path | None:
        side = self._local(version).side
        return self._folder / side if side else None

    def _local(self, published: Version | None) -> Manifest:
        """This machine's side files, if they belong to the published state.

        They do not when the collection was deleted, or written from another machine, or another
        machine's commit has begun: a ledger that speaks of other chunks must not be believed.
        """
        local, state = read_manifest(self._folder), published.manifest if published else Manifest()
        if (local.generation, local.commit) != (state.generation, state.commit):
            return Manifest()
        if published is not None and published.pending:
            redo = read_redo(self._folder)
            return local if redo is not None and redo.commit == published.pending else Manifest()
        return local


def _has_answers(version: Version | None, request: SearchRequest) -> TypeGuard[Version]:
    """Whether there is anything to search, after a look at who made the vectors."""
    if version is None or not version.manifest.chunks or request.limit < 1:
        return False
    check_embedder(request, version.manifest.embedder)
    return True
