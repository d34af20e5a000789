"""The embedded store: Qdrant Edge in this process, over immutable generations.

A generation is a folder of Edge's files that never changes once the manifest names it. Readers in
any number of processes open it in place: without a write-ahead log Edge takes no lock, and opening,
searching and closing a settled shard leave every byte of it as it was. A writer works on a copy
(`edge_writer`), replaces the manifest, and deletes the old generation at once: readers that still
have it open keep its files alive, unnamed, until their next search moves them on.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from configs.errors import StoreError
from retrieve.filters import Filter
from retrieve.schema import RESERVED_FIELDS, FieldType, Passage
from retrieve.store import shard as shards
from retrieve.store.base import (
    ORDERED,
    Record,
    SearchRequest,
    StoreInfo,
    check_embedder,
    count_values,
    extent_of,
)
from retrieve.store.bm25 import Bm25
from retrieve.store.edge_writer import EdgeWriter
from retrieve.store.files import sizes
from retrieve.store.lock import write_lock
from retrieve.store.manifest import FILE, Manifest, check_files, damaged, read_manifest

LOAD_ATTEMPTS = 20


@dataclass(frozen=True)
class Snapshot:
    """A published state, opened."""

    stamp: tuple[int, ...] | None
    """Identifies the manifest that was read; None: there was none."""
    manifest: Manifest
    shard: edge.EdgeShard | None


class EdgeStore:
    """A store in a folder; several threads may use one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bm25 = Bm25()
        self._lock = threading.Lock()
        self._opened: Snapshot | None = None

    def search(self, request: SearchRequest) -> list[Passage]:
        snapshot = self._snapshot()
        if snapshot.shard is None or request.limit < 1:
            return []
        check_embedder(request, snapshot.manifest.embedder)
        with shards.edge_errors("searching"):
            return shards.search(snapshot.shard, request, self._bm25, snapshot.manifest.chunks)

    async def asearch(self, request: SearchRequest) -> list[Passage]:
        return await asyncio.to_thread(self.search, request)

    def scroll(self, filter: Filter | None = None) -> Iterator[dict[str, Any]]:
        shard = self._snapshot().shard
        return iter(()) if shard is None else shards.scroll(shard, filter)

    def records(self, filter: Filter | None = None) -> Iterator[Record]:
        shard = self._snapshot().shard
        return iter(()) if shard is None else shards.records(shard, filter)

    def facet(self, field: str, filter: Filter | None = None, limit: int = 100) -> dict[Any, int]:
        snapshot = self._snapshot()
        kind = {**snapshot.manifest.fields, **RESERVED_FIELDS}.get(field)
        if snapshot.shard is None or kind is None:
            return {}
        with shards.edge_errors("counting values"):
            if kind in ("float", "datetime"):  # Edge counts keywords, integers and bools
                return count_values(shards.scroll(snapshot.shard, filter), field, limit)
            return shards.facet(snapshot.shard, field, filter, limit)

    def extent(self, field: str, filter: Filter | None = None) -> tuple[Any, Any] | None:
        snapshot = self._snapshot()
        kind = {**snapshot.manifest.fields, **RESERVED_FIELDS}.get(field)
        if snapshot.shard is None or kind is None or kind not in ORDERED:
            return None
        with shards.edge_errors("looking for a field's range"):
            return extent_of(shards.ends(snapshot.shard, field, filter), field, kind)

    def info(self) -> StoreInfo:
        return self._manifest().info()

    def check(self) -> None:
        for _ in range(LOAD_ATTEMPTS):
            stamp = self._stamp()
            try:
                check_files(self._folder, read_manifest(self._folder))
                return
            except (StoreError, FileNotFoundError):
                if stamp == self._stamp():  # else a commit has just replaced what we looked at
                    raise
        raise self._too_fast()

    def side(self, name: str) -> Path | None:
        for _ in range(LOAD_ATTEMPTS):
            stamp, manifest = self._stamp(), self._manifest()
            path = self._folder / manifest.side / name if manifest.side else None
            if path is None or path.exists():
                return path
            if stamp == self._stamp():
                check_files(self._folder, manifest)
                return None
        raise self._too_fast()

    def side_names(self) -> list[str]:
        manifest = self._manifest()
        return sorted(sizes(self._folder / manifest.side)) if manifest.side else []

    @contextlib.contextmanager
    def writer(
        self,
        *,
        embedder: str,
        dimension: int,
        fields: Mapping[str, FieldType],
        wait_s: float,
        rebuild: str | None = None,
    ) -> Iterator[EdgeWriter]:
        with write_lock(self._folder, wait_s):
            manifest = read_manifest(self._folder)
            fresh = rebuild is not None
            if not fresh:
                if manifest.chunks:
                    embedder = manifest.embedder_for(embedder, dimension)
                check_files(self._folder, manifest)
            with EdgeWriter(self._folder, manifest, embedder, dimension, fields, rebuild=fresh) as writer:
                yield writer

    def recover(self) -> None:
        """Nothing: a commit is one file that is replaced."""

    def settle(self, wait_s: float) -> None:
        """Do what a writer that died has put off; see `StoreWriter.settle`.

        Raises:
            StoreError: another writer held the store for longer than ``wait_s``, or it is damaged.
        """
        info = self.info()
        if not info.settled and info.embedder is not None and info.dimension is not None:
            with self.writer(embedder=info.embedder, dimension=info.dimension, fields={}, wait_s=wait_s):
                pass

    def close(self) -> None:
        with self._lock:
            self._opened = None

    def _manifest(self) -> Manifest:
        opened = self._opened
        if opened is not None and opened.stamp == self._stamp():
            return opened.manifest
        return read_manifest(self._folder)

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            status = (self._folder / FILE).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read the store: {error}") from error
        return (status.st_mtime_ns, status.st_ino, status.st_size)

    def _snapshot(self) -> Snapshot:
        """What is published now; opened once for all threads."""
        stamp = self._stamp()
        opened = self._opened
        if opened is not None and opened.stamp == stamp:
            return opened
        with self._lock:
            if self._opened is None or self._opened.stamp != self._stamp():
                self._opened = self._open(self._opened)
            return self._opened

    def _open(self, before: Snapshot | None) -> Snapshot:
        for _ in range(LOAD_ATTEMPTS):
            stamp = self._stamp()
            manifest = read_manifest(self._folder)
            if before is not None and before.manifest.shard == manifest.shard:
                return Snapshot(stamp, manifest, before.shard)
            try:
                shard = self._load(manifest)
            except (StoreError, FileNotFoundError):
                if stamp == self._stamp():
                    raise
                continue
            # A writer deletes a generation only after the manifest has left it. While the manifest
            # is the same, what was opened is whole.
            if stamp == self._stamp():
                return Snapshot(stamp, manifest, shard)
        raise self._too_fast()

    def _too_fast(self) -> StoreError:
        return StoreError(f"the store in {self._folder} changes faster than it can be opened; try again")

    def _load(self, manifest: Manifest) -> edge.EdgeShard | None:
        if manifest.shard is None:
            return None
        check_files(self._folder, manifest)
        path = self._folder / manifest.shard
        try:
            with shards.edge_errors("opening it"):
                shard = edge.EdgeShard.load(str(path))
                found = shards.count(shard)
        except StoreError as error:
            raise damaged(self._folder, str(error)) from error
        if found != manifest.chunks:
            raise damaged(self._folder, f"{found} chunks instead of {manifest.chunks}")
        return shard
