"""The embedded store examined: manifest, files, index, side files, leftovers, room on the disk."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import qdrant_edge as edge

from configs.errors import StoreError
from configs.settings import Settings
from retrieve.doctor.finding import Finding, embedder_findings, from_error
from retrieve.schema import RESERVED, RESERVED_FIELDS
from retrieve.store import shard as shards
from retrieve.store.edge import EdgeStore
from retrieve.store.edge_writer import leftovers
from retrieve.store.files import footprint, free_space, remove
from retrieve.store.lock import lock_if_there
from retrieve.store.manifest import FILE, Manifest, check_files, read_manifest, write_manifest

AGAIN = "then ingest again what you ingested before: python -m ingest PATH..."


class EdgeDoctor:
    """Examines the embedded store in a folder; reads all of it and changes nothing by itself."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings

    def examine(self) -> list[Finding]:
        """Everything that was looked at, problems or not."""
        try:
            manifest = read_manifest(self._folder)
        except StoreError as error:
            newer = "upgrade Draftline" in str(error)
            return [from_error("manifest", error)] if newer else [self._lost("manifest", str(error))]
        if not manifest.generation:
            return self._nothing()
        held = f"{manifest.chunks:,} chunks of {manifest.documents:,} documents"
        found = [Finding("manifest", "ok", f"generation {manifest.generation}: {held}")]
        found += self._files(manifest)
        if any(finding.repair == self._put_aside for finding in found):
            return found  # nothing else about it matters any more
        found += self._side(manifest)
        found += self._leftovers()
        found += self._room(manifest)
        return found + (embedder_findings(manifest.embedder, self._settings) if manifest.chunks else [])

    def _nothing(self) -> list[Finding]:
        if any(self._folder.glob("shard-*")):
            return [self._lost("manifest", f"{self._folder / FILE} is missing, and the index is still there")]
        empty = Finding("manifest", "note", "the store is empty", "fill it with: python -m ingest PATH...")
        return [empty, *self._leftovers()]

    def _files(self, manifest: Manifest) -> list[Finding]:
        try:
            check_files(self._folder, manifest.model_copy(update={"side": None}))
        except StoreError as error:
            return [self._lost("files", str(error), manifest)]
        if manifest.shard is None:
            return []
        found = [
            Finding("files", "ok", f"{len(manifest.shard_files)} files, all there and of the right size")
        ]
        try:
            with shards.edge_errors("opening it"):
                shard = edge.EdgeShard.load(str(self._folder / manifest.shard))
            return found + self._content(shard, manifest)
        except StoreError as error:
            return [*found, self._lost("index", str(error), manifest)]

    def _content(self, shard: edge.EdgeShard, manifest: Manifest) -> list[Finding]:
        count, whole = 0, True
        for record in shards.records(shard):
            count += 1
            whole &= "text" in record.payload.get(RESERVED, {}) and record.vector.size == manifest.dimension
        if count != manifest.chunks or not whole:
            what = f"{count:,} readable chunks instead of {manifest.chunks:,}"
            return [self._lost("chunks", what if whole else f"{what}, some of them broken", manifest)]
        found = [Finding("chunks", "ok", f"all {count:,} can be read")]
        return found + self._indexes(shard, manifest) + self._index(shard, manifest)

    def _indexes(self, shard: edge.EdgeShard, manifest: Manifest) -> list[Finding]:
        fields = {**manifest.fields, **RESERVED_FIELDS}
        with shards.edge_errors("looking at its fields"):
            missing = shards.unindexed(shard, fields)
        if not missing:
            return [Finding("fields", "ok", f"all {len(fields)} are indexed")]
        message = f"not indexed: {', '.join(missing)}; filters on them are slow"
        return [Finding("fields", "problem", message, "--repair indexes them", self._reindex(manifest))]

    def _index(self, shard: edge.EdgeShard, manifest: Manifest) -> list[Finding]:
        if not manifest.unsettled:
            return [Finding("index", "ok", "complete")]
        with shards.edge_errors("looking at its index"):
            indexed = shard.info().indexed_vectors_count
        message = (
            f"a writer died before it had completed the index: {indexed:,} vectors are in it, "
            "and bytes of deleted chunks may remain"
        )
        return [Finding("index", "problem", message, "--repair completes it", self._settle)]

    def _side(self, manifest: Manifest) -> list[Finding]:
        if manifest.side is None:
            return []
        folder = self._folder / manifest.side
        problem = None if folder.is_dir() else f"{manifest.side} is missing"
        for path in sorted(folder.glob("*.sqlite")):
            problem = problem or _sqlite_problem(path)
        if problem is None:
            return [Finding("ledger", "ok", "readable")]
        message = f"{problem}; every chunk can still be found, but ingest does not know what is up to date"
        advice = "--repair removes it; the next ingest reads and embeds all files again"
        return [Finding("ledger", "problem", message, advice, self._forget_side)]

    def _leftovers(self) -> list[Finding]:
        try:
            with lock_if_there(self._folder):
                left = leftovers(self._folder)
        except StoreError as error:
            return [Finding("leftovers", "note", f"not looked for: {error}")]
        if not left:
            return [Finding("leftovers", "ok", "none")]
        size = sum(footprint(path) if path.is_dir() else path.stat().st_size for path in left)
        message = f"{len(left)} files or folders of writers that died, {size / 1e6:,.0f} MB"
        return [Finding("leftovers", "problem", message, "--repair removes them", self._sweep)]

    def _room(self, manifest: Manifest) -> list[Finding]:
        needed = 2 * footprint(self._folder / manifest.shard) if manifest.shard else 0
        free = free_space(self._folder)
        message = (
            f"{max(0, free) / 1e6:,.0f} MB free; an ingest needs {needed / 1e6:,.0f} MB beside the index"
        )
        if free > needed:
            return [Finding("disk", "ok", message)]
        return [
            Finding("disk", "problem", message, "free some space, or move DRAFTLINE_HOME to a larger disk")
        ]

    def _lost(self, check: str, what: str, manifest: Manifest | None = None) -> Finding:
        lost = "everything in the index"
        if manifest is not None:
            lost = f"{manifest.chunks:,} chunks of {manifest.documents:,} documents"
        message = f"{what}. Lost: {lost}; your documents, chats and evaluations are not touched"
        advice = f"--repair puts the store aside as {self._folder.name}.damaged-DATE, {AGAIN}"
        return Finding(check, "problem", message, advice, self._put_aside)

    def _put_aside(self) -> str:
        with lock_if_there(self._folder):
            aside = self._folder.with_name(f"{self._folder.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
            self._folder.rename(aside)
        return f"the damaged store is now {aside}; {AGAIN}, and delete it when all is well"

    def _forget_side(self) -> str:
        with lock_if_there(self._folder):
            manifest = read_manifest(self._folder)
            changed = {"generation": manifest.generation + 1, "side": None}
            write_manifest(self._folder, manifest.model_copy(update=changed))
            if manifest.side:
                remove(self._folder / manifest.side)
        return "the damaged ledger is gone; the next ingest reads and embeds all files again"

    def _sweep(self) -> str:
        with lock_if_there(self._folder):
            left = leftovers(self._folder)
            for path in left:
                remove(path)
        return f"{len(left)} leftovers removed"

    def _settle(self) -> str:
        EdgeStore(self._folder).settle(self._settings.ingest.lock_wait_s)
        return "the index is complete"

    def _reindex(self, manifest: Manifest) -> Callable[[], str]:
        def repair() -> str:
            assert manifest.embedder is not None
            assert manifest.dimension is not None
            with EdgeStore(self._folder).writer(
                embedder=manifest.embedder,
                dimension=manifest.dimension,
                fields={},
                wait_s=self._settings.ingest.lock_wait_s,
            ) as writer:
                made = writer.restore_indexes()
                writer.commit()
            return f"indexed: {', '.join(made)}"

        return repair


def _sqlite_problem(path: Path) -> str | None:
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        ) as db:
            said = db.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as error:
        return f"{path.name} cannot be read ({error})"
    return None if said == "ok" else f"{path.name} is damaged ({said})"
