"""Containers: files that hold many documents, each a file or record of its own.

A member's path is its container's, a slash, and its name. Members that the store already has with the
same bytes and recipe are passed over, so a large archive that grew by one file converts one file.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path, PurePosixPath

from configs.sections import IngestSettings
from configs.settings import Settings
from ingest.convert.kinds import KINDS, kind_of
from ingest.globs import any_glob
from ingest.ledger import ContainerEntry, now
from ingest.members import Member
from ingest.plan import KnownMember, Task, member_task
from ingest.reading import UnreadableError, stamp_of
from ingest.sources import Key

MAX_DEPTH = 4
"""Containers within containers, the outermost counted; archives in archives have their own limit."""


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
    """A container was read to its end: what of it was not met on the way is gone."""

    entry: ContainerEntry
    skipped: int
    """Members of a kind that cannot be converted, or that the settings leave out."""


def expand(task: Task, settings: Settings) -> Iterator[Found | Unchanged | Expanded]:
    """All members of a container, one at a time, and at last that this was all.

    Raises:
        InputError: it cannot be read (to its end).
    """
    source, skipped = task.source, 0
    stamp = stamp_of(source)
    included, excluded = any_glob(settings.ingest.include), any_glob(settings.ingest.exclude)
    for member in _walk(source.file, task.kind, settings.ingest, depth=1):
        path = f"{source.path}/{member.name}"
        if member.error is None and (kind_of(path) is None or not included(path) or excluded(path)):
            skipped += 1
            continue
        found = member_task(task, path, settings)
        data = member.data or b""
        if _is_stored(task.members.get(path), data, found.recipe):
            yield Unchanged(found.source.key)
        else:
            yield Found(found, data, member.error, member.modified)
    if stamp_of(source) != stamp:
        raise UnreadableError("it changes while it is read; the next run tries it again")
    yield Expanded(ContainerEntry(source.key, stamp, task.recipe, now()), skipped)


def _is_stored(known: KnownMember | None, data: bytes, recipe: str) -> bool:
    if known is None or known.stale or known.recipe != recipe:
        return False
    return hashlib.sha256(data).hexdigest() == known.hash


def _walk(file: Path, kind: str, settings: IngestSettings, depth: int) -> Iterator[Member]:
    opener = import_module(f"ingest.{KINDS[kind].module}")
    for member in opener.members(file, settings):
        inner = kind_of(member.name)
        if member.data is None or inner is None or not KINDS[inner].container:
            yield member
        elif depth == MAX_DEPTH:
            yield Member(member.name, None, f"more than {MAX_DEPTH} containers within each other")
        else:
            yield from _inner(member, inner, settings, depth)


def _inner(member: Member, kind: str, settings: IngestSettings, depth: int) -> Iterator[Member]:
    """The members of a member; containers are read from files, since most can only be read so."""
    assert member.data is not None
    with tempfile.NamedTemporaryFile(prefix="draftline-", suffix=PurePosixPath(member.name).suffix) as file:
        file.write(member.data)
        file.flush()
        for inner in _walk(Path(file.name), kind, settings, depth + 1):
            yield replace(
                inner, name=f"{member.name}/{inner.name}", modified=inner.modified or member.modified
            )
