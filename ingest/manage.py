"""What is in the store, by the ledger, and taking documents out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from configs.errors import InputError
from configs.settings import Settings
from ingest.fields.cache import forget_answers
from ingest.journal import replace_report
from ingest.ledger import Entry, KnownFailure, Ledger, LedgerChanges, apply_changes, place, read_ledger
from ingest.report import Report
from ingest.sources import Failure, Key, absolute, display, is_within
from ingest.web.sites import forget_site, place_of_given
from ingest.web.urls import WEB, is_url
from retrieve.embed import load_embedder
from retrieve.store.base import Store

UNKNOWN = "nothing there was ingested; `python -m ingest status` lists the roots"

PART = "a part of {} goes with it: remove that"


def describe(store: Store, paths: Sequence[str] = ()) -> dict[str, Any]:
    """Documents, chunks, roots, failures, and when the newest document was ingested.

    Args:
        paths: tell of what is at and below them only, document by document; none: of everything.

    Raises:
        InputError: nothing at one of the paths was ever ingested.
    """
    store.check()
    ledger, info = read_ledger(store), store.info()
    if paths:
        return _described(ledger, paths)
    roots: dict[str, dict[str, Any]] = {}
    for entry in ledger.documents.values():
        root = roots.setdefault(entry.key[0], {"documents": 0, "chunks": 0, "ingested": ""})
        root["documents"] += 1
        root["chunks"] += entry.chunks
        root["ingested"] = max(root["ingested"], entry.ingested)
    return {
        "documents": len(ledger.documents),
        "chunks": info.chunks,
        "embedder": info.embedder,
        "fields": {name: kind for name, kind in sorted(info.fields.items()) if not name.startswith("_dl.")},
        "roots": [{"path": path, **roots[path]} for path in sorted(roots)],
        "failed": _failed(ledger.failures.values()),
    }


def _described(ledger: Ledger, paths: Sequence[str]) -> dict[str, Any]:
    entries: dict[Key, Entry] = {}
    failures: dict[Key, KnownFailure] = {}
    for path in paths:
        where = _place(path)
        found = {key: e for key, e in ledger.documents.items() if is_within(place(*key), where)}
        failed = {key: f for key, f in ledger.failures.items() if is_within(f.file, where)}
        if not (found or failed):
            raise InputError(f"{display(path)}: {UNKNOWN}")
        entries, failures = entries | found, failures | failed
    return {
        "documents": len(entries),
        "chunks": sum(entry.chunks for entry in entries.values()),
        "found": [
            {"path": place(*key), "chunks": entries[key].chunks, "ingested": entries[key].ingested}
            for key in sorted(entries)
        ],
        "failed": _failed(failures.values()),
    }


def _failed(failures: Iterable[KnownFailure]) -> list[dict[str, str]]:
    ordered = sorted(failures, key=lambda failure: failure.key)
    return [{"path": failure.file, "error": failure.error} for failure in ordered]


def remove(paths: Sequence[str], settings: Settings, store: Store) -> Report:
    """Take the documents at and below these paths out of the store, whether their files exist or not.

    Raises:
        InputError: nothing at any of the paths was ever ingested.
        StoreError: the store is locked or damaged.
    """
    report = Report()
    store.recover()
    _select(read_ledger(store), paths, report)
    embedder = load_embedder(settings)
    with store.writer(
        embedder=store.info().embedder or embedder.name,
        dimension=store.info().dimension or embedder.dimension,
        fields={},
        wait_s=settings.ingest.lock_wait_s,
    ) as writer:
        report = Report(started=report.started)
        # Read again: another writer may have been at work until now.
        changes, entries = _select(read_ledger(store), paths, report)
        writer.delete_documents([entry.id for entry in entries])
        apply_changes(writer.side, changes)
        writer.commit()
    forget_answers(settings, store)
    for path in filter(is_url, paths):
        forget_site(path, settings.home / WEB)
    report.deleted = len(entries)
    # The report of the run before may name what was just removed, and this one's paths and failures do.
    replace_report(settings.home, replace(report, failed=[]))
    return report


def _select(ledger: Ledger, paths: Sequence[str], report: Report) -> tuple[LedgerChanges, list[Entry]]:
    entries: dict[Key, Entry] = {}
    changes = LedgerChanges()
    for path in paths:
        where = _place(path)
        found = {e.key: e for e in ledger.documents.values() if is_within(e.file, where)}
        failed = [f.key for f in ledger.failures.values() if is_within(f.file, where)]
        below = [root for root in ledger.roots if is_within(root, where)]
        containers = [c.key for c in ledger.containers.values() if is_within(c.file, where)]
        if not (found or failed or below or containers):
            whole = next((c.file for c in ledger.containers.values() if is_within(where, c.file)), None)
            report.failed.append(Failure(display(path), PART.format(whole) if whole else UNKNOWN))
        entries |= found
        changes.forgive += failed
        changes.drop_roots += below
        changes.drop_containers += containers
    if len(report.failed) == len(paths):
        raise InputError("; ".join(f"{failure.path}: {failure.error}" for failure in report.failed))
    changes.drop = list(entries)
    return changes, list(entries.values())


def _place(path: str) -> str:
    """Where the ledger has what is at and below a path or an address."""
    return place_of_given(path) if is_url(path) else str(absolute(path))
