"""Sources compared with the ledger, mostly by a look at sizes and times: what a run has to do.

Nothing heavy is imported here: a run that finds nothing to do ends after this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from configs.errors import InputError
from configs.settings import Settings
from ingest.convert.kinds import KINDS, kind_of
from ingest.ledger import Entry, KnownFailure, Ledger, place
from ingest.listing import list_sources
from ingest.plan import KnownMember, Plan, Task, conflicts, make_task, member_task
from ingest.records import holds_records, may_hold_records
from ingest.sources import Failure, Key, Listing, Source, is_within
from ingest.web.urls import WEB
from retrieve.schema import RESERVED_FIELDS
from retrieve.store.base import StoreInfo


def make_plan(
    paths: Sequence[str],
    settings: Settings,
    ledger: Ledger,
    info: StoreInfo,
    *,
    prune: bool = True,
    avoid: Sequence[Path] = (),
) -> Plan:
    """Compare what the paths name with what the ledger knows.

    Args:
        prune: whether documents go whose files are gone.
        avoid: absolute folders that are passed over, beside Draftline's own home.

    Raises:
        InputError: none of the paths exists.
    """
    listing = list_sources(
        paths,
        settings.ingest,
        accepts=lambda path: kind_of(path) is not None,
        known_roots=ledger.roots,
        avoid=(settings.home, *avoid),
        web=settings.home / WEB,
    )
    require_any(listing, paths)
    fields = {name: kind for name, kind in info.fields.items() if name not in RESERVED_FIELDS}
    known = sum(entry.chunks > 0 for entry in ledger.documents.values())
    plan = Plan(listing, info.generation, ledger, fields, info.documents > known)
    plan.failures = list(listing.failures)
    comparison = _Comparison(plan, settings)
    for source in listing.sources:
        comparison.compare(source)
    comparison.find_gone(prune=prune)
    plan.put_roots = [root for root in listing.roots if root not in ledger.roots]
    plan.drop_roots = [
        known
        for known in sorted(ledger.roots)
        if any(is_within(known, r) and known != r for r in listing.roots)
    ]
    return plan


def require_any(listing: Listing, paths: Sequence[str]) -> None:
    """Raise InputError when none of the paths given is there."""
    if paths and listing.missing == len(paths):
        raise InputError("; ".join(f"{failure.path}: {failure.error}" for failure in listing.failures))


class _Comparison:
    """Fills a plan, a source at a time."""

    def __init__(self, plan: Plan, settings: Settings) -> None:
        self.plan, self.settings, self.ledger = plan, settings, plan.ledger
        self.found = {source.key for source in plan.listing.sources}
        for entry in self.ledger.documents.values():
            if entry.container is not None:
                plan.members.setdefault((entry.key[0], entry.container), []).append(entry)
        for failure in self.ledger.failures.values():
            if (container := self._container(failure.key)) is not None:
                plan.broken.setdefault(container, []).append(failure)

    def compare(self, source: Source) -> None:
        kind, plan = self._kind(source), self.plan
        known = self.ledger.documents.get(source.key)
        task = make_task(source, kind, self.settings, known=known is not None)
        members = plan.members.get(source.key, [])
        if KINDS[kind].container:
            stored = {entry.key[1]: KnownMember(entry.hash, entry.recipe) for entry in members}
            task = replace(task, members=stored)
            plan.gone += [known] if known else []  # it was one document before
        elif members or source.key in self.ledger.containers:  # it was a container before
            plan.gone += members
            plan.drop_containers.append(source.key)
        plan.all[source.key] = task
        problem = self._known_problem(task)
        if problem is not None:
            plan.failures.append(Failure(source.path, problem))
            plan.kept += members if KINDS[kind].container else [known] if known else []
        elif KINDS[kind].container:
            self._compare_container(task, members)
        else:
            self._compare_file(task, known)

    def _kind(self, source: Source) -> str:
        kind, key = kind_of(source.file.name), source.key
        assert kind is not None
        if kind != "json":
            return kind
        container, known = self.ledger.containers.get(key), self.ledger.documents.get(key)
        if container is not None and container.stamp == source.stamp:
            return "records"
        if known is not None and known.stamp == source.stamp:
            return "json"
        # A list that is empty for now, or half-written, does not make its records go.
        holds = holds_records if container is None else may_hold_records
        try:
            return "records" if holds(source.file) else "json"
        except OSError:  # reading it will say why
            return "json" if container is None else "records"

    def find_gone(self, *, prune: bool) -> None:
        plan = self.plan
        moved = {place(*key) for key in self.found}  # files that are below another root now
        for entry in self.ledger.documents.values():
            file = (entry.key[0], entry.container or entry.key[1])
            if file in self.found or not plan.listing.covers(entry.file):
                continue
            unread = plan.listing.is_unread(entry.file)
            (plan.gone if entry.file in moved or (prune and not unread) else plan.kept).append(entry)
        for container in self.ledger.containers.values():
            if container.key in self.found or not plan.listing.covers(container.file):
                continue
            unread = plan.listing.is_unread(container.file)
            if container.file in moved or (prune and not unread):
                plan.drop_containers.append(container.key)
        for failure in self.ledger.failures.values():
            key = self._container(failure.key) or failure.key
            if key not in self.found and plan.listing.covers(place(*key)):
                plan.forgiven.append(failure.key)

    def _compare_file(self, task: Task, known: Entry | None) -> None:
        source, plan = task.source, self.plan
        if known is None or known.recipe != task.recipe or conflicts(known, plan.fields):
            plan.tasks.append(task)
            return
        if known.stamp != source.stamp:
            if known.stamp.size != source.stamp.size or _hash(source) != known.hash:
                plan.tasks.append(task)
                return
            plan.touched.append(replace(known, stamp=source.stamp))
        plan.unchanged.append(known)
        if source.key in self.ledger.failures:
            plan.forgiven.append(source.key)

    def _compare_container(self, task: Task, members: Sequence[Entry]) -> None:
        source, plan = task.source, self.plan
        whole, failed = self.ledger.containers.get(source.key), plan.broken.get(source.key, [])
        same = whole is not None and (whole.stamp, whole.recipe) == (source.stamp, task.recipe)
        stale = [entry.key[1] for entry in members if conflicts(entry, plan.fields)]
        known: Sequence[Entry | KnownFailure] = [*members, *failed]
        if stale or not same or not all(self._is_current(task, one) for one in known):
            plan.tasks.append(task.anew(stale))
            return
        plan.failures += [Failure(failure.key[1], failure.error) for failure in failed]
        outdated = {failure.key for failure in failed}
        for entry in members:
            (plan.kept if entry.key in outdated else plan.unchanged).append(entry)

    def _is_current(self, container: Task, known: Entry | KnownFailure) -> bool:
        task = member_task(container, known.key[1], self.settings)
        return known.recipe == (task.recipe if isinstance(known, Entry) else task.attempt)

    def _known_problem(self, task: Task) -> str | None:
        size, limit = task.source.stamp.size, self.settings.ingest.max_file_mb
        if size > limit * 1e6 and not KINDS[task.kind].container:
            return f"{size / 1e6:.0f} MB is more than ingest.max_file_mb = {limit:g}"
        failure = self.ledger.failures.get(task.source.key)
        if failure is not None and (failure.stamp, failure.recipe) == (task.source.stamp, task.attempt):
            return failure.error
        return None

    def _container(self, key: Key) -> Key | None:
        """The container, found now or known before, that a path lies in."""
        root, path = key
        parts = path.split("/")
        above = ((root, "/".join(parts[:length])) for length in range(1, len(parts)))
        return next((k for k in above if k in self.found or k in self.ledger.containers), None)


def _hash(source: Source) -> str | None:
    try:
        with source.file.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None  # converting it will say why
