"""The writer of a store in a Qdrant server: see `server` for what it promises."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse

from configs.errors import StoreError
from retrieve.fields import fields_of, merge_fields
from retrieve.schema import RESERVED, RESERVED_FIELDS, Chunk, FieldType
from retrieve.store.base import Record, Vector, records_of
from retrieve.store.files import remove
from retrieve.store.manifest import Manifest, write_manifest
from retrieve.store.redo import Redo, drop_redo, write_redo
from retrieve.store.server_client import is_refused, retry
from retrieve.store.server_points import Points
from retrieve.store.server_versions import Layout, Version, Versions
from retrieve.store.side import WorkingSide

OWNER = "builder"


class ServerWriter:
    """See `StoreWriter`.

    Changes of the published version are held back until `commit`. A version that nobody sees yet,
    the first one or a rebuilt one, is filled at once, and published by moving the alias.
    """

    def __init__(
        self,
        client: QdrantClient,
        versions: Versions,
        layout: Layout,
        folder: Path,
        published: Version | None,
        side: str | None,
        embedder: str,
        dimension: int,
        fields: Mapping[str, FieldType],
        *,
        rebuild: str | None = None,
        unfinished: str | None = None,
        patience_s: float,
    ) -> None:
        self._versions, self._folder = versions, folder
        self._points = Points(client, layout, patience_s)
        self._patience_s = patience_s
        self._before = published
        state = published.manifest if published else Manifest()
        self._published = state.model_copy(update={"side": side})
        self._embedder, self._dimension = embedder, dimension
        self._rebuild = rebuild
        self._hidden = published is None or not state.chunks or rebuild is not None
        """Whether we write into a version that nobody sees yet."""
        self._target = None if self._hidden or published is None else published.name
        known: Mapping[str, FieldType] = {} if self._hidden else state.fields
        lacking = published.unindexed if published else frozenset[str]()
        ours = {name: kind for name, kind in RESERVED_FIELDS.items() if name not in lacking}
        self._indexed = {} if self._hidden else {**known, **ours}
        self._expected = fields
        """Types of fields that may come; each is named and indexed with the first chunk that has it."""
        self._fields = {name: fields.get(name, kind) for name, kind in known.items()}
        self._resumed = False
        self._held: dict[str, Record] = {}
        self._documents: set[str] = set()
        """Documents whose chunks go, but for those held back here."""
        self._chunks: set[str] = set()
        """Chunks that go."""
        self._sweep(side, unfinished)  # what a writer left that died before it could publish
        self._side = WorkingSide(folder, side)
        self._owner = owner(folder)

    @property
    def side(self) -> Path:
        return self._side.path

    @property
    def settled(self) -> bool:
        return True  # a server looks after its index and its deleted chunks by itself

    def settle(self) -> None:
        pass

    def upsert(self, chunks: Sequence[Chunk], vectors: Vector) -> None:
        records = records_of(chunks, vectors, self._dimension)
        found = merge_fields(*(fields_of(chunk.document.metadata) for chunk in chunks))
        self._fields = merge_fields(self._fields, found)
        self.put(records)

    def put(self, records: Sequence[Record]) -> None:
        names = {name for record in records for name in record.payload}
        expected = {name: kind for name, kind in self._expected.items() if name in names}
        self._fields = merge_fields(self._fields, expected)
        if self._hidden:
            self._points.upload(self._begun(), records)
            return
        for record in records:
            self._held[record.id] = record
            self._chunks.discard(record.id)

    def lacking(self, records: Sequence[Record]) -> list[Record]:
        target = self._begun() if self._hidden else None
        if target is None or not self._resumed:
            return list(records)
        there = self._points.among(target, [record.id for record in records])
        return [record for record in records if record.id not in there]

    def delete_documents(self, ids: Sequence[str]) -> None:
        gone = set(ids)
        if self._hidden:
            if self._target is not None:
                self._points.delete_documents(self._target, gone)
            return
        self._documents |= gone
        for name, record in list(self._held.items()):
            if record.payload[RESERVED]["document_id"] in gone:
                del self._held[name]

    def delete_chunks(self, ids: Sequence[str]) -> None:
        if self._hidden:
            if self._target is not None:
                self._points.delete(self._target, ids)
            return
        self._chunks |= set(ids)
        for name in ids:
            self._held.pop(name, None)

    def commit(self) -> None:
        if self._hidden and self._rebuild is not None:
            self._begun()  # also what is rebuilt as empty replaces what there was
        held = bool(self._held or self._documents or self._chunks)
        changed = self._target is not None if self._hidden else held
        generation = self._published.generation + 1
        side = self._side.publish(self._published.side, f"side-{generation}")
        if not changed and side == self._published.side:
            return
        after = self._published.model_copy(
            update={"generation": generation, "side": side, "commit": uuid.uuid4().hex}
        )
        if not self._hidden and self._before is not None:
            self._require(self._before, self._before.pending)
            if held:
                self._carry_out(self._before, after)
                self._require(self._before, after.commit)
        self._publish(self._counted(after) if changed else after, changed)

    def _require(self, before: Version, pending: str) -> None:
        """Nobody else has published or begun anything: this narrows the race of two machines to a moment."""
        found = retry(self._versions.published, self._patience_s)
        state = (before.name, before.manifest.commit, pending)
        if found is None or (found.name, found.manifest.commit, found.pending) != state:
            raise StoreError("another machine has written to the collection meanwhile; run it again")

    def _carry_out(self, before: Version, after: Manifest) -> None:
        redo = self._held_back(before, after)
        write_redo(self._folder, redo)
        self._apply(redo)
        self._held, self._documents, self._chunks = {}, set(), set()

    def finish(self, redo: Redo) -> None:
        """Carry out a commit that a writer died over, if the version is still as it was made for.

        If others have written since, or the server refuses what is asked, nobody knows what the chunks
        are: a generation without side files is published, after which ingest compares them all anew.
        """
        before = self._before
        assert before is not None
        state = before.manifest
        if state.commit == redo.commit:  # it was published, and this folder has not learned of it
            self._remember(state.model_copy(update={"side": redo.side}))
            return
        after = state.model_copy(update={"generation": state.generation + 1})
        if redo.base == (before.name, state.commit) and before.pending in ("", redo.commit):
            try:
                self._apply(redo)
                self._publish(
                    self._counted(after.model_copy(update={"side": redo.side, "commit": redo.commit})), True
                )
                return
            except UnexpectedResponse as error:
                if not is_refused(error):
                    raise
        chunks, documents = self._points.count(before.name)
        counts = {"chunks": chunks, "documents": documents, "side": None, "commit": uuid.uuid4().hex}
        self._publish(after.model_copy(update=counts), True)

    def _sweep(self, *kept: str | None) -> None:
        for path in self._folder.glob("side-*"):
            if path.name not in kept:
                remove(path)

    def abandon(self) -> None:
        """Drop a version that was not published, unless its building can be resumed."""
        if self._hidden and self._target is not None and self._rebuild is None:
            with contextlib.suppress(Exception):  # whatever made us give up may be in the way here too
                self._versions.drop(self._target)

    def _held_back(self, before: Version, after: Manifest) -> Redo:
        return Redo(
            commit=after.commit,
            base=(before.name, before.manifest.commit),
            side=after.side,
            embedder=self._embedder,
            fields=self._fields,
            records=list(self._held.values()),
            documents=sorted(self._documents),
            chunks=sorted(self._chunks),
        )

    def _apply(self, redo: Redo) -> None:
        target = self._begun()
        self._versions.announce(target, redo.commit)
        # New chunks first: for that moment a reader may see a document's old and new ones, never neither.
        self._points.upload(target, redo.records)
        self._points.delete_documents(target, redo.documents, keep=[record.id for record in redo.records])
        self._points.delete(target, redo.chunks)

    def _publish(self, after: Manifest, changed: bool) -> None:
        """Make a state the published one: in the server, in this folder; then nothing is left to redo."""
        name = self._target
        if not changed and self._before is not None:
            name = self._before.name  # side files alone, while the store is empty or as it was
        elif name is None:
            name = self._begun()  # side files belong to a state, and a state lies in a version
        self._versions.publish(name, after)
        if self._hidden and name == self._target:
            self._versions.switch(name)
            self._hidden = False
        self._before = Version(name, after, "")
        self._remember(after)

    def _remember(self, after: Manifest) -> None:
        """Note in this folder which state its side files belong to."""
        self._published = after
        known = Manifest(generation=after.generation, commit=after.commit, side=after.side)
        write_manifest(self._folder, known)
        drop_redo(self._folder)
        self._sweep(after.side)

    def _begun(self) -> str:
        """The version to write to, all fields indexed: before the upload, so that HNSW links know them."""
        if self._target is None:
            self._target = self._resume() or self._versions.create(self._dimension, self._build())
        self._versions.index(self._target, self._fields, self._indexed)
        self._indexed = {**self._fields, **RESERVED_FIELDS}
        return self._target

    def _build(self) -> str:
        if self._owner is None:
            self._owner = uuid.uuid4().hex
            (self._folder / OWNER).write_text(self._owner, encoding="utf-8")
        return f"{self._owner} {self._rebuild or 'first ingest'}"

    def _resume(self) -> str | None:
        """What this folder's last writer left of the same rebuild; whatever else it left goes."""
        found, build = None, self._build()
        for version in self._versions.others():
            if not version.build.startswith(f"{self._owner} "):
                continue
            if self._rebuild is not None and version.build == build:
                found, self._resumed = version.name, True
            else:
                self._versions.drop(version.name)
        return found

    def _counted(self, after: Manifest) -> Manifest:
        assert self._target is not None
        chunks, documents = self._points.count(self._target)
        holds = chunks > 0
        return after.model_copy(
            update={
                "embedder": self._embedder if holds else None,
                "dimension": self._dimension if holds else None,
                "fields": dict(self._fields) if holds else {},
                "chunks": chunks,
                "documents": documents,
            }
        )


def owner(folder: Path) -> str | None:
    """The name that a store folder's writers build versions under; None before the first has.

    It lies in the folder, as the lock does that they hold meanwhile: what carries this name and is not
    being written by the lock's holder was left by one that died, whatever its machine is called now.
    """
    path = folder / OWNER
    return path.read_text(encoding="utf-8") if path.is_file() else None
