"""The one writer of the embedded store: copy lazily, change the copy, publish it with one rename.

Killed at any moment, it leaves the manifest on the old generation or on the new one, and folders
that nothing names; the next writer sweeps those.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import qdrant_edge as edge

from retrieve.fields import fields_of, merge_fields
from retrieve.filters import Filter, IsEmpty, MatchAny
from retrieve.schema import RESERVED_FIELDS, Chunk, FieldType
from retrieve.store import shard as shards
from retrieve.store.base import Record, Vector, records_of
from retrieve.store.bm25 import Bm25
from retrieve.store.edge_filters import to_edge
from retrieve.store.files import copy_tree, footprint, remove, require_space, sizes, sync_tree
from retrieve.store.manifest import Manifest, read_manifest, write_manifest
from retrieve.store.side import WORKING_SIDE, WorkingSide

WORKING_SHARD = "writing-shard"
DISK_PER_VALUE = 12
"""Bytes on disk per vector component or character of text: stored, indexed, and copied once by `optimize`."""

SMALL = 1_000
"""Chunks up to which a commit that only adds builds no index."""
EAGER = 5_000
"""A commit of a store with so many chunks or fewer settles at once; it takes less than a second. In a
larger one the index takes much longer than everything else, and readers need not wait for it: Edge
searches what is not yet in it exactly."""

PATIENCE = 20_000
"""A commit that would leave more changed chunks than this for later settles at once, too: opening and
searching what is outside the index takes longer the more it is."""


class EdgeWriter:
    """See `StoreWriter`. Everything happens under the store's write lock, which the caller holds."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        embedder: str,
        dimension: int,
        fields: Mapping[str, FieldType],
        *,
        rebuild: bool = False,
    ) -> None:
        self._folder = folder
        self._published = manifest
        self._embedder = embedder
        self._dimension = dimension
        self._base = None if rebuild else manifest.shard
        """The generation that the working copy begins with; None: with nothing."""
        self._expected = fields
        """Types of fields that may come. Their names are written with the first chunk that has them: the name
        of a field is a document's text, too, which a run that is cut short must not leave behind."""
        known: Mapping[str, FieldType] = {} if rebuild else manifest.fields
        self._fields = {name: fields.get(name, kind) for name, kind in known.items()}
        self._bm25 = Bm25()
        self._shard: edge.EdgeShard | None = None
        self._pending = 0
        """Chunks written to the working copy, or deleted from it."""
        self._deleted = False
        """Whether it may hold bytes of chunks that are gone."""
        self._restored = set[str]()
        """Fields of ours that had no index: an older Draftline had fewer, or it was lost."""
        self._sweep()
        self._side = WorkingSide(folder, manifest.side)

    def __enter__(self) -> EdgeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.settle()
        finally:
            self._shard = None
            self._sweep()

    @property
    def side(self) -> Path:
        return self._side.path

    def upsert(self, chunks: Sequence[Chunk], vectors: Vector) -> None:
        records = records_of(chunks, vectors, self._dimension)
        if records:
            fields = merge_fields(*(fields_of(chunk.document.metadata) for chunk in chunks))
            self._index(self._working(), fields)
            self.put(records)

    def put(self, records: Sequence[Record]) -> None:
        if not records:
            return
        values = sum(len(record.payload["_dl"]["text"]) + self._dimension for record in records)
        require_space(self._folder, DISK_PER_VALUE * values)
        shard = self._working()
        names = {name for record in records for name in record.payload}.difference(self._fields)
        self._index(shard, {name: kind for name, kind in self._expected.items() if name in names})
        with shards.edge_errors("writing chunks"):
            # Overwriting in place would leave the old payload's bytes where `optimize` does not look.
            self._delete(shards.existing(shard, [record.id for record in records]))
            points = [shards.point_of(record, self._bm25) for record in records]
            shard.update(edge.UpdateOperation.upsert_points(points))
        self._pending += len(points)

    def lacking(self, records: Sequence[Record]) -> list[Record]:
        return list(records)  # nothing of a rebuild outlives its writer

    def delete_documents(self, ids: Sequence[str]) -> None:
        self._delete_where(MatchAny("_dl.document_id", tuple(sorted(set(ids)))))

    def delete_chunks(self, ids: Sequence[str]) -> None:
        if ids and self._has_chunks():
            shard = self._working()
            with shards.edge_errors("deleting chunks"):
                self._delete(shards.existing(shard, ids))

    def commit(self) -> None:
        after = self._published.model_copy(update={"generation": self._published.generation + 1})
        if self._shard is not None:
            after = self._publish_shard(after)
        elif self._base is None:
            after = Manifest(generation=after.generation, side=after.side)
        side = self._side.publish(after.side, f"side-{after.generation}")
        after = after.model_copy(update={"side": side})
        if after.shard == self._published.shard and after.side == self._published.side:
            return
        self._publish(after)

    @property
    def settled(self) -> bool:
        return not self._published.unsettled

    def settle(self) -> None:
        if self.settled:
            return
        self._shard, self._base, self._pending = None, self._published.shard, 0
        remove(self._folder / WORKING_SHARD)
        self._fields = dict(self._published.fields)
        self._working()
        after = self._published.model_copy(update={"generation": self._published.generation + 1})
        self._publish(self._publish_shard(after, eager=True))

    def restore_indexes(self) -> list[str]:
        """Index again the fields whose index is missing or of another type, and say which; then `commit`."""
        shard = self._working()
        with shards.edge_errors("looking at its fields"):
            missing = shards.unindexed(shard, {**self._fields, **RESERVED_FIELDS})
        self._create_indexes(shard, missing)
        return sorted({*missing, *self._restored})

    def _publish(self, after: Manifest) -> None:
        write_manifest(self._folder, after)
        self._published, self._base = after, after.shard
        self._sweep(keep_working=True)

    def _has_chunks(self) -> bool:
        return self._shard is not None or self._base is not None

    def _working(self) -> edge.EdgeShard:
        """The working copy, made at the first change since the last commit."""
        if self._shard is None:
            path = self._folder / WORKING_SHARD
            if self._base is not None:
                copy_tree(self._folder / self._base, path)
            with shards.edge_errors("opening it for writing"):
                if self._base is not None:
                    self._shard = edge.EdgeShard.load(str(path))
                else:
                    self._shard = shards.create_shard(path, self._dimension)
                    self._create_indexes(self._shard, {**self._fields, **RESERVED_FIELDS})
            if self._base is not None:
                known = self._published.fields
                changed = {name: kind for name, kind in self._fields.items() if known.get(name) != kind}
                with shards.edge_errors("looking at its fields"):
                    lacking = shards.unindexed(self._shard, RESERVED_FIELDS)
                self._create_indexes(self._shard, changed | lacking)
                self._restored = set(lacking)
        return self._shard

    def _index(self, shard: edge.EdgeShard, fields: Mapping[str, FieldType]) -> None:
        """Index fields that are new or whose type has widened, before their values come in."""
        expected = {name: kind for name, kind in self._expected.items() if name in fields}
        known, merged = self._fields, merge_fields(self._fields, expected, fields)
        self._create_indexes(shard, {name: kind for name, kind in merged.items() if known.get(name) != kind})
        self._fields = merged

    def _create_indexes(self, shard: edge.EdgeShard, fields: Mapping[str, FieldType]) -> None:
        with shards.edge_errors("indexing fields"):
            for name, kind in fields.items():
                shards.create_index(shard, name, kind)

    def _delete_where(self, condition: MatchAny) -> None:
        if not (condition.values and self._has_chunks()):
            return
        shard, where = self._working(), Filter(must=(condition,))
        with shards.edge_errors("deleting documents"):
            gone = shards.count(shard, where)
            if gone:
                shard.update(edge.UpdateOperation.delete_points_by_filter(to_edge(where)))
                self._pending += gone
                self._deleted = True

    def _delete(self, ids: Sequence[str]) -> None:
        if ids:
            assert self._shard is not None
            shards.delete_points(self._shard, ids)
            self._pending += len(ids)
            self._deleted = True

    def _publish_shard(self, after: Manifest, *, eager: bool = False) -> Manifest:
        """Finish the working copy and give it its final name; nothing names it yet."""
        shard, path = self._shard, self._folder / WORKING_SHARD
        assert shard is not None
        with shards.edge_errors("finishing the index"):
            chunks = shards.count(shard)
            pending = self._published.unsettled + self._pending
            # Few chunks are searched one by one as fast as by an index, and what replaces nothing leaves
            # no bytes behind that are to go.
            added = not self._deleted and chunks == self._published.chunks + self._pending
            small = added and chunks <= min(SMALL, EAGER) and not self._published.unsettled
            if eager or (chunks <= EAGER and not small) or pending > PATIENCE:
                require_space(self._folder, footprint(path))
                if self._deleted or self._published.unsettled:
                    self._drop_unused_fields(shard)
                shard.optimize()
                pending = 0
            elif small:
                pending = 0
            shard.flush()
            same = self._base == self._published.shard and not self._pending
            documents = self._published.documents if same else _documents(shard, chunks)
            shard.close()
        self._shard, self._pending, self._deleted = None, 0, False
        if not chunks:
            remove(path)
            self._fields = {}
            return Manifest(generation=after.generation, side=after.side)
        with shards.edge_errors("settling the index"):
            # The first opening replays a journal and rewrites the configuration; later ones change nothing.
            edge.EdgeShard.load(str(path)).close()
        sync_tree(path)
        # Never a name that a reader may still have open, not even after the whole store was deleted.
        name = f"shard-{after.generation}-{secrets.token_hex(4)}"
        path.rename(self._folder / name)
        return after.model_copy(
            update={
                "shard": name,
                "shard_files": sizes(self._folder / name),
                "embedder": self._embedder,
                "dimension": self._dimension,
                "fields": dict(self._fields),
                "chunks": chunks,
                "documents": documents,
                "unsettled": pending,
            }
        )

    def _drop_unused_fields(self, shard: edge.EdgeShard) -> None:
        """Forget fields that no chunk has any more: a field's name is a deleted document's text too."""
        for name in list(self._fields):
            if not shards.count(shard, Filter(must_not=(IsEmpty(name),))):
                shards.drop_index(shard, name)
                del self._fields[name]

    def _sweep(self, *, keep_working: bool = False) -> None:
        for path in leftovers(self._folder):
            if not (keep_working and path.name in (WORKING_SHARD, WORKING_SIDE)):
                remove(path)


def _documents(shard: edge.EdgeShard, chunks: int) -> int:
    return len(shards.facet(shard, "_dl.document_id", None, max(chunks, 1)))


def leftovers(folder: Path) -> list[Path]:
    """What the manifest does not name: older generations, and what a writer is at or left when it died."""
    # As it is on disk: a commit that was interrupted right after publishing has published.
    published = read_manifest(folder)
    keep = {published.shard, published.side}
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        ours = path.name.startswith(("shard-", "side-", "writing-")) or path.suffix == ".tmp"
        if ours and path.name not in keep:
            found.append(path)
    return sorted(found)
