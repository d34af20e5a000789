"""Containers: files that hold many documents, each a file or record of its own.

A member's path is its container's, a slash, and its name. Members that the store already has with the
same bytes and recipe are passed over, so a large archive that grew by one file converts one file.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from configs.sections import IngestSettings
from configs.settings import Settings
from ingest import archives, records
from ingest.convert.kinds import KINDS, kind_of, suffix_of
from ingest.globs import any_glob
from ingest.ledger import ContainerEntry, now
from ingest.members import Member
from ingest.plan import KnownMember, Task, member_task
from ingest.reading import UnreadableError, stamp_of
from ingest.sources import Key

MAX_DEPTH = 4
"""Containers within containers, the outermost counted; archives in archives have their own limit."""
LOOK = 1 << 16
"""Bytes of a JSON file that tell whether it is a list of records."""


@dataclass(frozen=True)
class Found:
    """A member that is to be converted."""

    task: Task
    data: bytes
    error: str | None
    modified: datetime | None


@dataclass(frozen=True)
class Unchanged:
    """A member that the store has as it is."""

    key: Key


@dataclass(frozen=True)
class Expanded:
    """A container was read as far as it can be."""

    entry: ContainerEntry
    skipped: Counter[str]
    """Members of a kind that cannot be converted, or that the settings leave out, counted by suffix."""
    whole: bool
    """Whether all of it could be read: what was not met on the way is gone then."""


def expand(task: Task, settings: Settings) -> Iterator[Found | Unchanged | Expanded]:
    """All members of a container, one at a time, and at last that this was all.

    Raises:
        InputError: it cannot be read (to its end).
    """
    source, skipped, whole = task.source, Counter[str](), True
    stamp = stamp_of(source)
    included, excluded = any_glob(settings.ingest.include), any_glob(settings.ingest.exclude)
    for member in _readable(_walk(source.file, task.kind, source.path, settings.ingest, depth=1)):
        path = f"{source.path}/{member.name}"
        whole = whole and not member.cut
        if member.error is None and (kind_of(path) is None or not included(path) or excluded(path)):
            skipped[suffix_of(path)] += 1
            continue
        found = member_task(task, path, settings)
        data = member.data or b""
        if _is_stored(task.members.get(path), data, found.recipe):
            yield Unchanged(found.source.key)
        else:
            yield Found(found, data, member.error, member.modified)
    if stamp_of(source) != stamp:
        raise UnreadableError("it changes while it is read; the next run tries it again")
    yield Expanded(ContainerEntry(source.key, stamp, task.recipe, now()), skipped, whole)


def _readable(members: Iterator[Member]) -> Iterator[Member]:
    try:
        yield from members
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from None


def _is_stored(known: KnownMember | None, data: bytes, recipe: str) -> bool:
    if known is None or known.stale or known.recipe != recipe:
        return False
    return hashlib.sha256(data).hexdigest() == known.hash


def _walk(file: Path, kind: str, path: str, settings: IngestSettings, depth: int) -> Iterator[Member]:
    for member in _open(file, kind, path, settings):
        inner = container_kind(member.name, member.data[:LOOK]) if member.data is not None else None
        if inner is None:
            yield member
        elif depth == MAX_DEPTH:
            yield Member(member.name, None, f"more than {MAX_DEPTH} containers within each other", cut=True)
        else:
            yield from _inner(member, inner, path, settings, depth)


def _open(file: Path, kind: str, path: str, settings: IngestSettings) -> Iterator[Member]:
    if kind == "archive":
        wants = archives.wanted(settings, lambda name: kind_of(name) is not None, path)
        return archives.members(file, archives.ArchiveLimits.of(settings), wants)
    form = records.KINDS[file.suffix.lower()]  # the path of a page need not end as its file does
    return records.records(file, form, records.RecordLimits(record_bytes=int(settings.max_file_mb * 1e6)))


def _inner(member: Member, kind: str, path: str, settings: IngestSettings, depth: int) -> Iterator[Member]:
    """The members of a member; containers are read from files, since most can only be read so."""
    assert member.data is not None
    path = f"{path}/{member.name}"
    with tempfile.NamedTemporaryFile(prefix="draftline-", suffix=PurePosixPath(path).suffix) as file:
        file.write(member.data)
        file.flush()
        for inner in _walk(Path(file.name), kind, path, settings, depth + 1):
            modified = inner.modified or member.modified
            yield replace(inner, name=f"{member.name}/{inner.name}", modified=modified)


def container_kind(path: str, head: bytes) -> str | None:
    """The kind of container that a file is by its name and its first `LOOK` bytes; None for a document."""
    kind = kind_of(path)
    if kind == "json":
        return "records" if records.begins_records(head) else None
    return kind if kind is not None and KINDS[kind].container else None
