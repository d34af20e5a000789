"""Bringing the store in line with files: plan, convert, embed, publish.

One commit holds whole documents only: the chunks a document loses and those it gains become
visible together, as do the two halves of a renamed file.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

from configs.errors import InputError, StoreError
from configs.sections import IngestSettings
from configs.settings import Settings
from ingest.chunk import make_chunks
from ingest.fields.cache import forget_answers
from ingest.fields.values import with_declared
from ingest.ledger import Entry, KnownFailure, LedgerChanges, apply_changes, read_ledger
from ingest.plan import Plan, Task, conflicts, make_plan
from ingest.prepare import Prepared, Preparer, Spool, UnreadableError
from ingest.progress import Stages
from ingest.report import Report
from ingest.sources import Failure, Key
from retrieve.embed import Embedder, load_embedder
from retrieve.fields import merge_fields
from retrieve.schema import Chunk, FieldType
from retrieve.store.base import Store, StoreWriter

WINDOW = 8
"""Batches that are sorted by length together, so that a batch holds texts of about one length."""
ATTEMPTS = 5


class _OutdatedPlanError(Exception):
    """Another run published something between our plan and our turn to write."""


class Sync:
    """One run, and its report."""

    def __init__(self, settings: Settings, store: Store, stages: Stages) -> None:
        self._settings, self._store, self._stages = settings, store, stages
        self.report = Report()

    def run(self, paths: Sequence[str]) -> Report:
        """Bring the store in line with the files at these paths.

        Raises:
            InputError: none of the paths exists.
            StoreError: the store is locked, damaged, or another embedder's.
            OSError: the disk is full.
        """
        for _ in range(ATTEMPTS):
            self._store.check()
            # The generation first: should the ledger be a newer one, we notice before we write.
            info = self._store.info()
            plan = make_plan(paths, self._settings, read_ledger(self._store), info)
            self._start_report(plan)
            try:
                if not plan.is_idle():
                    self._carry_out(plan)
                    forget_answers(self._settings, self._store)
                if not self._store.info().settled:  # a run that died has left it so, or one is at work
                    with contextlib.suppress(StoreError):
                        self._store.settle(wait_s=0)
                return self.report
            except _OutdatedPlanError:
                self._stages.note("another ingest was faster; comparing again")
        raise StoreError("the store changes faster than this ingest can plan; run it again")

    def _start_report(self, plan: Plan) -> None:
        started = self.report.started
        self.report = Report(started=started, unchanged=len(plan.unchanged), skipped=plan.listing.skipped)
        self.report.failed = list(plan.failures)
        standing = [*(task.known for task in (*plan.unchanged, *plan.tasks)), *plan.kept, *plan.gone]
        self.report.documents = {entry.key: entry.chunks for entry in standing if entry is not None}

    def _carry_out(self, plan: Plan) -> None:
        with Spool() as spool:
            failures, fields = self._prepare(plan, spool)
            if not (failures or spool.documents or plan.has_cleaning()):
                return
            embedder = load_embedder(self._settings)
            with self._store.writer(
                embedder=embedder.name,
                dimension=embedder.dimension,
                fields=fields,
                wait_s=self._settings.ingest.lock_wait_s,
            ) as writer:
                if self._store.info().generation != plan.generation:
                    raise _OutdatedPlanError
                publisher = _Publisher(self._settings.ingest, writer, embedder, self._stages, self.report)
                publisher.publish(plan, spool, fields, failures)
                if not writer.settled:
                    self._stages.stage("completing the index of", self._store.info().chunks, "chunks")

    def _prepare(self, plan: Plan, spool: Spool) -> tuple[list[KnownFailure], dict[str, FieldType]]:
        """Convert what is to be done; what a widened field type touches is converted again as well."""
        failures: list[KnownFailure] = []
        fields = [plan.fields]
        if plan.tasks:
            self._stages.stage("converting", len(plan.tasks), "files")
            preparer = Preparer(self._settings)
            self._convert(plan.tasks, preparer, spool, failures, fields)
            self._ask(spool, fields)
            merged = with_declared(merge_fields(*fields), self._settings.ingest.fields)
            stale = [task for task in plan.unchanged if task.known and conflicts(task.known, merged)]
            if stale:
                self._stages.stage("converting again for a field's new type", len(stale), "files")
                self._convert(stale, preparer, spool, failures, fields)
                self._ask(spool, fields)
                self.report.unchanged -= len(stale)
        return failures, with_declared(merge_fields(*fields), self._settings.ingest.fields)

    def _ask(self, spool: Spool, fields: list[dict[str, FieldType]]) -> None:
        """Let the chat model read the fields that ask for it out of what was just converted."""
        if not any(field.model for field in self._settings.ingest.fields.values()):
            return
        from ingest.fields.model import reading

        self._stages.stage("reading fields of", spool.documents, "documents")
        with reading(self._settings, self._stages) as read:
            spool.rewrite(read, self._settings.generate.max_running)
        fields[:] = [merge_fields(*fields, *(prepared.entry().fields for prepared in spool))]

    def _convert(
        self,
        tasks: Sequence[Task],
        preparer: Preparer,
        spool: Spool,
        failures: list[KnownFailure],
        fields: list[dict[str, FieldType]],
    ) -> None:
        for task in tasks:
            source = task.source
            self._stages.show(source.path)
            try:
                prepared = preparer.prepare(task)
            except InputError as error:
                line = " ".join(str(error).split())
                self.report.failed.append(Failure(source.path, line))
                if not isinstance(error, UnreadableError):
                    failures.append(KnownFailure(source.key, source.stamp, task.attempt, line))
            else:
                for note in prepared.notes:
                    self._stages.note(f"note: {source.path}: {note}")
                fields[:] = [merge_fields(*fields, prepared.entry().fields)]
                spool.put(prepared)
            self._stages.advance()


class _Publisher:
    """Writes prepared documents through one writer, committing every so often."""

    def __init__(
        self,
        settings: IngestSettings,
        writer: StoreWriter,
        embedder: Embedder,
        stages: Stages,
        report: Report,
    ) -> None:
        self._settings, self._writer, self._embedder = settings, writer, embedder
        self._stages, self._report = stages, report
        self._changes = LedgerChanges()
        self._outdated: list[str] = []
        """Ids of documents whose stored chunks go before the next chunks come."""
        self._chunks: list[Chunk] = []
        self._done: list[tuple[Entry, bool]] = []
        """Documents for the next commit, and whether each replaces an older version."""
        self._deleted: list[Entry] = []
        self._written: set[Key] = set()
        self._strangers = False
        self._last_commit = time.monotonic()

    def publish(
        self,
        plan: Plan,
        spool: Spool,
        fields: Mapping[str, FieldType],
        failures: Sequence[KnownFailure],
    ) -> None:
        if spool.chunks:
            self._stages.stage("embedding", spool.chunks, "chunks")
        self._strangers = plan.strangers
        renamed = self._delete_gone(plan.gone, spool)
        for prepared in spool:
            self._add(prepared.typed(fields), renamed)
            if time.monotonic() - self._last_commit > self._settings.commit_every_s:
                self._commit()
        self._changes.put += [entry for entry in plan.touched if entry.key not in self._written]
        self._changes.forgive += plan.forgiven
        self._changes.fail += failures
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
        if prepared.known is not None or self._strangers:
            self._outdated.append(document.id)
        for entry in renamed.pop(document.content_hash, ()):
            self._delete(entry)
        limit = WINDOW * self._settings.embed_batch
        for chunk in make_chunks(document, prepared.spans):
            self._chunks.append(chunk)
            if len(self._chunks) >= limit:
                self._flush()
        entry = prepared.entry()
        self._changes.put.append(entry)
        self._written.add(entry.key)
        self._done.append((entry, prepared.known is not None))

    def _flush(self) -> None:
        """Embed and write the chunks at hand, longest first, a batch at a time."""
        self._writer.delete_documents(self._outdated)
        self._outdated = []
        chunks = sorted(self._chunks, key=lambda chunk: len(chunk.text), reverse=True)
        size = self._settings.embed_batch
        for start in range(0, len(chunks), size):
            batch = chunks[start : start + size]
            vectors = self._embedder.embed_documents([chunk.embedding_text() for chunk in batch])
            self._writer.upsert(batch, vectors)
            self._stages.advance(len(batch))
        self._chunks = []

    def _commit(self) -> None:
        self._flush()
        if self._changes:
            apply_changes(self._writer.side, self._changes)
        self._writer.commit()
        self._count()
        self._changes = LedgerChanges()
        self._last_commit = time.monotonic()

    def _count(self) -> None:
        """Report what has just become visible."""
        for entry in self._deleted:
            self._report.documents.pop(entry.key, None)
        for entry, replaces in self._done:
            self._report.documents[entry.key] = entry.chunks
            self._report.updated += replaces
            self._report.added += not replaces
        self._report.deleted += len(self._deleted)
        self._done, self._deleted = [], []
