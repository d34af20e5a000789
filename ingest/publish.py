"""The second half of a run: prepared documents embedded and published, a commit every so often.

One commit holds whole documents only: the chunks a document loses and those it gains become
visible together, as do the two halves of a renamed file. A text that the store has embedded already
(an edited document's other chunks, a renamed file) keeps its vector.

Writes and commits run in a thread, in order, while the next chunks are embedded: the embedder never
waits for the disk.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import repeat

import numpy as np

from configs.sections import IngestSettings
from ingest.behind import Behind
from ingest.chunk import make_chunks
from ingest.conversion import Conversion
from ingest.ledger import Entry, LedgerChanges, apply_changes
from ingest.plan import Plan
from ingest.prepare import Prepared
from ingest.progress import Stages
from ingest.report import Report
from ingest.reuse import StoredVectors
from ingest.sources import Key
from ingest.spool import Spool
from retrieve.embed import Embedder
from retrieve.schema import Chunk
from retrieve.store.base import Store, StoreWriter, Vector

WINDOW = 8
"""Batches that are sorted by length together, so that a batch holds texts of about one length."""


class Publisher:
    """Writes prepared documents through one writer, committing every so often."""

    def __init__(
        self,
        settings: IngestSettings,
        store: Store,
        writer: StoreWriter,
        embedder: Embedder,
        stages: Stages,
        report: Report,
    ) -> None:
        self._settings, self._writer, self._embedder = settings, writer, embedder
        self._stages, self._report = stages, report
        self._behind = Behind(WINDOW)
        self._stored = StoredVectors(store)
        self._changes = LedgerChanges()
        self._outdated: list[str] = []
        """Ids of documents whose stored chunks go before the next chunks come."""
        self._chunks: list[Chunk] = []
        self._given: list[Vector | None] = []
        """The vectors of chunks that came with one."""
        self._done: list[tuple[Entry, bool]] = []
        """Documents for the next commit, and whether each replaces an older version."""
        self._deleted: list[Entry] = []
        self._written: set[Key] = set()
        self._strangers = False
        self._last_commit = time.monotonic()

    def publish(self, plan: Plan, converted: Conversion) -> None:
        """Write everything of a run, and commit."""
        with self._behind:
            self._publish(plan, converted)

    def _publish(self, plan: Plan, converted: Conversion) -> None:
        spool, fields = converted.spool, converted.fields
        if spool.chunks:
            self._stages.stage("embedding and storing", spool.chunks, "chunks")
        self._strangers = plan.strangers
        renamed = self._delete_gone(plan.gone, spool)
        for prepared in spool:
            self._add(prepared.typed(fields), renamed)
            if time.monotonic() - self._last_commit > self._settings.commit_every_s:
                self._commit()
        self._changes.put += [entry for entry in plan.touched if entry.key not in self._written]
        self._changes.forgive += plan.forgiven
        self._changes.fail += converted.failures
        self._changes.put_containers += converted.containers
        self._changes.drop_containers += plan.drop_containers
        self._changes.drop_roots, self._changes.put_roots = plan.drop_roots, plan.put_roots
        self._commit()

    def _delete_gone(self, gone: Sequence[Entry], spool: Spool) -> dict[str, list[Entry]]:
        """Delete what is gone, but for what arrives under another name: that goes when the new one comes."""
        renamed: dict[str, list[Entry]] = defaultdict(list)
        for entry in gone:
            if entry.hash in spool.hashes:
                renamed[entry.hash].append(entry)
            else:
                self._delete(entry)
        return renamed

    def _delete(self, entry: Entry) -> None:
        self._outdated.append(entry.id)
        self._deleted.append(entry)
        self._changes.drop.append(entry.key)

    def _add(self, prepared: Prepared, renamed: dict[str, list[Entry]]) -> None:
        document = prepared.document
        self._stages.show(document.path)
        moved = renamed.pop(document.content_hash, [])
        self._stored.expect([*(entry.id for entry in moved), *([document.id] if prepared.replaces else [])])
        if prepared.replaces or self._strangers:
            self._outdated.append(document.id)
        for entry in moved:
            self._delete(entry)
        limit = WINDOW * self._settings.embed_batch
        given: Iterable[Vector | None] = repeat(None) if prepared.vectors is None else prepared.vectors
        for chunk, vector in zip(make_chunks(document, prepared.spans), given, strict=False):
            self._chunks.append(chunk)
            self._given.append(vector)
            if len(self._chunks) >= limit:
                self._flush()
        entry = prepared.entry()
        self._changes.put.append(entry)
        self._written.add(entry.key)
        self._done.append((entry, prepared.replaces))

    def _flush(self) -> None:
        """Embed and write the chunks at hand, longest first, a batch at a time."""
        if self._stored.expects:
            self._behind.wait()  # what is read must not be replaced meanwhile
        stored = self._stored.find([chunk.embedding_text() for chunk in self._chunks])
        found = [a if a is not None else b for a, b in zip(self._given, stored, strict=True)]
        if self._outdated:
            self._behind.call(partial(self._writer.delete_documents, self._outdated))
            self._outdated = []
        pairs = list(zip(self._chunks, found, strict=True))
        known = [chunk for chunk, vector in pairs if vector is not None]
        self._write(known, [vector for vector in found if vector is not None])
        new = sorted((chunk for chunk, vector in pairs if vector is None), key=_length, reverse=True)
        size = self._settings.embed_batch
        for start in range(0, len(new), size):
            batch = new[start : start + size]
            self._write(batch, self._embed(batch))
        arrived = sum(vector is not None for vector in self._given)
        self._report.embedded += len(new) + arrived
        self._report.reused += len(known) - arrived
        self._chunks, self._given = [], []

    def _embed(self, chunks: Sequence[Chunk]) -> Vector:
        started = time.perf_counter()
        vectors = self._embedder.embed_documents([chunk.embedding_text() for chunk in chunks])
        self._report.embedding_s += time.perf_counter() - started
        return vectors

    def _write(self, chunks: Sequence[Chunk], vectors: Sequence[Vector] | Vector) -> None:
        def write() -> None:
            self._writer.upsert(chunks, np.asarray(vectors))
            self._stages.advance(len(chunks))

        if chunks:
            self._behind.call(write)

    def _commit(self) -> None:
        self._flush()
        changes, done, deleted = self._changes, self._done, self._deleted

        def commit() -> None:
            if changes:
                apply_changes(self._writer.side, changes)
            self._writer.commit()
            self._count(done, deleted)

        self._behind.call(commit)
        self._changes, self._done, self._deleted = LedgerChanges(), [], []
        self._last_commit = time.monotonic()

    def _count(self, done: Sequence[tuple[Entry, bool]], deleted: Sequence[Entry]) -> None:
        """Report what has just become visible."""
        for entry in deleted:
            self._report.documents.pop(entry.key, None)
        for entry, replaces in done:
            self._report.documents[entry.key] = entry.chunks
            self._report.updated += replaces
            self._report.added += not replaces
        self._report.deleted += len(deleted)


def _length(chunk: Chunk) -> int:
    return len(chunk.text)
