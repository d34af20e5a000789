"""The first half of a run: files to prepared documents on the spool, and what could not be prepared."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from configs.settings import Settings
from ingest.containers import Expanded, Unchanged
from ingest.convert.kinds import KINDS
from ingest.convert.reader_lm.converter import open_reader
from ingest.fields.values import with_declared
from ingest.ledger import ContainerEntry, KnownFailure
from ingest.pages import may_have_pages, prepare_pages
from ingest.plan import Plan, Task
from ingest.pool import WorkerPool
from ingest.prepare import Failed, Outcome, Prepared
from ingest.progress import Stages
from ingest.report import Report, counted
from ingest.sources import Failure, Key
from ingest.spool import Spool
from retrieve.fields import fields_of, merge_fields
from retrieve.schema import FieldType

if TYPE_CHECKING:
    from ingest.ray_engine import RayPool

EQUAL_NOTES = 3
"""Files for which one and the same note is shown; the others are counted."""


@dataclass
class Conversion:
    """What came out of converting a plan's tasks, beside the documents on the spool."""

    plan: Plan
    settings: Settings
    spool: Spool
    stages: Stages
    report: Report
    prune: bool
    """Whether members go that a container has no more."""
    chunked: bool = True
    """Whether documents are cut into chunks."""
    new_text: Callable[[], object] = lambda: None
    """Called with every document whose text the store has not seen yet."""
    engine: str = "local"
    """``ray``: files are converted and embedded by a Ray cluster."""
    fields: dict[str, FieldType] = field(init=False)
    """The user's fields of the store and of what is on the spool."""
    failures: list[KnownFailure] = field(default_factory=list)
    containers: list[ContainerEntry] = field(default_factory=list)
    """Those that were read to their end."""
    _met: dict[Key, set[Key]] = field(default_factory=dict)
    """Members seen of each container."""
    _notes: Counter[str] = field(default_factory=Counter)
    _known: set[str] = field(init=False)
    """Content hashes of stored documents."""
    _unsure: set[Key] = field(default_factory=set)
    """Containers with members that have to be read another time."""

    def __post_init__(self) -> None:
        self.fields = dict(self.plan.fields)
        self._known = {entry.hash for entry in self.plan.ledger.documents.values()}

    def run(self) -> None:
        """Convert what is to be done; what a widened field type touches is converted again as well."""
        tasks, started = self.plan.tasks, time.perf_counter()
        if not tasks:
            return
        with self._pool(len(tasks)) as pool:
            self.stages.stage("converting", len(tasks), "files")
            for task, outcome in self._outcomes(tasks, pool):
                self._take(task, outcome)
            self._ask()
            tasks, keys = self.plan.restless(self.fields)
            if tasks:
                self.stages.stage("converting again for a field's new type", len(tasks), "files")
                for task, outcome in self._outcomes(tasks, pool):
                    if outcome is None or (isinstance(outcome, Prepared | Failed) and outcome.key in keys):
                        self._take(task, outcome)
                self._ask()
        for note, count in self._notes.items():
            if count > EQUAL_NOTES:
                self.stages.note(f"note: {counted(count - EQUAL_NOTES, 'more file')}: {note}")
        self.report.converting_s += time.perf_counter() - started

    def _pool(self, tasks: int) -> WorkerPool | RayPool:
        if self.engine == "ray":
            from ingest.ray_engine import RayPool

            return RayPool(self.settings, tasks, chunked=self.chunked)
        return WorkerPool(self.settings, tasks, chunked=self.chunked)

    def _ask(self) -> None:
        """Let the chat model read the fields that ask for it out of what was just converted."""
        declared = self.settings.ingest.fields
        if any(field.model for field in declared.values()) and self.spool.documents:
            from ingest.fields.model import reading

            self.stages.stage("reading fields of", self.spool.documents, "documents")
            with reading(self.settings, self.stages, self.report) as read:
                self.spool.rewrite(read, self.settings.generate.max_running)
            found = (fields_of(prepared.document.metadata) for prepared in self.spool)
            self.fields = merge_fields(self.fields, *found)
        self.fields = with_declared(self.fields, declared)

    def found_something(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.spool.documents or self.failures or self.containers)

    def _outcomes(
        self, tasks: Sequence[Task], pool: WorkerPool | RayPool
    ) -> Iterator[tuple[Task, Outcome | None]]:
        reader = open_reader(self.settings)
        if reader is not None:
            pages = [task for task in tasks if may_have_pages(task)]
            if pages and reader.notice:
                self.stages.note(reader.notice)
            yield from prepare_pages(pages, reader, self.settings, chunked=self.chunked)
            tasks = [task for task in tasks if not may_have_pages(task)]
        yield from pool.run(tasks)

    def _take(self, task: Task, outcome: Outcome | None) -> None:
        self.stages.show(task.source.path)
        if outcome is None:
            self.stages.advance()
        elif isinstance(outcome, Prepared):
            self._keep(task, outcome)
        elif isinstance(outcome, Failed):
            self._fail(task, outcome)
        elif isinstance(outcome, Unchanged):
            self._meet(task, outcome.key)
            self.plan.unchanged.append(self.plan.ledger.documents[outcome.key])
        else:
            self._finish(task, outcome)

    def _keep(self, task: Task, prepared: Prepared) -> None:
        for note in prepared.notes:
            self.report.note(prepared.document.path, note)
            self._notes[note] += 1
            if self._notes[note] <= EQUAL_NOTES:
                self.stages.note(f"note: {prepared.document.path}: {note}")
        document = prepared.document
        self.report.count_converted(document.path, prepared.seconds, document.origins)
        self.fields = merge_fields(self.fields, fields_of(document.metadata))
        self.spool.put(prepared)
        if prepared.spans and document.content_hash not in self._known:
            self.new_text()
        self._meet(task, prepared.key)

    def _fail(self, task: Task, failed: Failed) -> None:
        self.report.failed.append(Failure(failed.key[1], failed.error))
        self._meet(task, failed.key)
        if failed.passing:
            self._unsure.add(task.source.key)
        else:
            self.failures.append(KnownFailure(failed.key, failed.stamp, failed.attempt, failed.error))

    def _finish(self, task: Task, expanded: Expanded) -> None:
        key, plan = task.source.key, self.plan
        self.report.skipped += expanded.skipped
        if key not in self._unsure:
            self.containers.append(expanded.entry)
        met = self._met.pop(key, set())
        gone = [entry for entry in plan.members.get(key, []) if entry.key not in met]
        (plan.gone if self.prune and expanded.whole else plan.kept).extend(gone)
        # Those that failed again are written down again, after these are forgiven.
        plan.forgiven += [key, *(failure.key for failure in plan.broken.get(key, []))]

    def _meet(self, task: Task, key: Key) -> None:
        if KINDS[task.kind].container:
            self._met.setdefault(task.source.key, set()).add(key)
