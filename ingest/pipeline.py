"""Bringing the store in line with files: compare, convert, embed, publish."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from threading import Thread

from configs.errors import DraftlineError, InputError, StoreError
from configs.settings import Settings
from ingest.compare import make_plan
from ingest.conversion import Conversion
from ingest.fields.cache import forget_answers
from ingest.fields.values import unit_notes
from ingest.journal import FILE, write_report
from ingest.ledger import read_ledger
from ingest.plan import Plan
from ingest.progress import Stages
from ingest.publish import Publisher
from ingest.report import Report
from ingest.spool import Spool
from retrieve.embed import Embedder, load_embedder
from retrieve.store.base import Store

ATTEMPTS = 5


class _OutdatedPlanError(Exception):
    """Another run published something between our plan and our turn to write."""


class Foresight:
    """Loads an embedder's model while files are still being converted; used as a context."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._thread: Thread | None = None

    def __enter__(self) -> Foresight:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._thread is not None:
            self._thread.join()  # Python must not end in the middle of an import

    def load(self) -> None:
        """Begin, unless it has begun."""
        if self._thread is None:
            self._thread = Thread(target=self._load, daemon=True)
            self._thread.start()

    def _load(self) -> None:
        with contextlib.suppress(DraftlineError):  # embedding says it again
            self._embedder.load()


class Sync:
    """One run, and its report.

    Args:
        prune: whether documents go whose files are gone.
        engine: ``local``: files are converted and embedded by this machine; ``ray``: by a Ray cluster.
        embedder: one that is loaded already, where several runs share it.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        stages: Stages,
        *,
        prune: bool = True,
        engine: str = "local",
        embedder: Embedder | None = None,
    ) -> None:
        self._settings, self._store, self._stages = settings, store, stages
        self._prune, self._engine, self._embedder = prune, engine, embedder
        self.report = Report()

    def run(self, paths: Sequence[str]) -> Report:
        """Bring the store in line with the files at these paths.

        Raises:
            InputError: none of the paths exists.
            StoreError: the store is locked, damaged, or another embedder's.
            OSError: the disk is full.
        """
        self.report.paths = paths
        for _ in range(ATTEMPTS):
            self._store.recover()
            self._store.check()
            # The generation first: should the ledger be a newer one, we notice before we write.
            info = self._store.info()
            plan = make_plan(paths, self._settings, read_ledger(self._store), info, prune=self._prune)
            self._start_report(plan)
            try:
                if not plan.is_idle():
                    self._carry_out(plan)
                    forget_answers(self._settings, self._store)
                    self._keep_report(plan)
                self.report.unchanged = len(plan.unchanged)
                if not self._store.info().settled:  # a run that died has left it so, or one is at work
                    with contextlib.suppress(StoreError):
                        self._store.settle(wait_s=0)
                return self.report
            except _OutdatedPlanError:
                self._stages.note("another ingest was faster; comparing again")
        raise StoreError("the store changes faster than this ingest can plan; run it again")

    def _keep_report(self, plan: Plan) -> None:
        self.report.unchanged = len(plan.unchanged)
        with contextlib.suppress(InputError):  # a home that cannot be written to has failed before
            write_report(self._settings.home / FILE, self.report)

    def _start_report(self, plan: Plan) -> None:
        self.report = Report(
            paths=self.report.paths,
            began=self.report.began,
            started=self.report.started,
            skipped=plan.listing.skipped,
        )
        self.report.failed = list(plan.failures)
        for setting, note in unit_notes(self._settings.ingest.fields) if plan.tasks else ():
            self.report.note(setting, note)
            self._stages.note(f"note: {setting}: {note}")
        before = [plan.ledger.documents.get(task.source.key) for task in plan.tasks]
        members = [entry for task in plan.tasks for entry in plan.members.get(task.source.key, ())]
        standing = [*plan.unchanged, *plan.kept, *plan.gone, *members, *filter(None, before)]
        self.report.documents = {entry.key: entry.chunks for entry in standing}

    def _carry_out(self, plan: Plan) -> None:
        embedder = self._embedder or load_embedder(self._settings)
        with Spool() as spool, Foresight(embedder) as foresight:
            if plan.tasks and not plan.ledger.documents and self._engine == "local":
                foresight.load()  # it will be needed, and the workers take a while to start
            converted = Conversion(
                plan,
                self._settings,
                spool,
                self._stages,
                self.report,
                self._prune,
                new_text=foresight.load if self._engine == "local" else lambda: None,
                engine=self._engine,
            )
            converted.run()
            if not (converted.found_something() or plan.has_cleaning()):
                return
            with self._store.writer(
                embedder=embedder.name,
                dimension=embedder.dimension,
                fields=converted.fields,
                wait_s=self._settings.ingest.lock_wait_s,
            ) as writer:
                if self._store.info().generation != plan.generation:
                    raise _OutdatedPlanError
                publisher = Publisher(
                    self._settings.ingest, self._store, writer, embedder, self._stages, self.report
                )
                publisher.publish(plan, converted)
                if not writer.settled:
                    self._stages.stage("completing the index of", self._store.info().chunks, "chunks")
