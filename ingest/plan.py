"""What a run has to do: tasks, and all that decides what the store holds of a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from configs.models import identity
from configs.sections import IngestSettings
from configs.settings import Settings
from ingest.convert.kinds import KINDS, SUFFIXES, converter_version, kind_of
from ingest.convert.reader_lm.choice import reader_recipe
from ingest.fields.recipe import fields_recipe
from ingest.globs import any_glob
from ingest.ledger import Entry, KnownFailure, Ledger
from ingest.sources import Failure, Key, Listing, Source
from retrieve.schema import FieldType

CHUNKER_VERSION = "3"
"""Changes whenever the same body may be cut differently; documents are then chunked again."""


@dataclass(frozen=True)
class KnownMember:
    """A member of a container that the store has."""

    hash: str
    recipe: str
    stale: bool = False
    """Whether it is to be converted even if its bytes and recipe are these."""


@dataclass(frozen=True)
class Task:
    """A file to convert."""

    source: Source
    kind: str
    recipe: str
    attempt: str
    """The recipe and the limits: a known failure is tried again when they differ."""
    tenant: str | None
    access: tuple[str, ...]
    known: bool
    """Whether the store has a version of it."""
    members: Mapping[str, KnownMember] = field(default_factory=dict)
    """Of a container: what the store has of it, by path."""

    def anew(self, paths: Iterable[str]) -> Task:
        """The task with these members converted even if they have not changed."""
        marked = {path: replace(self.members[path], stale=True) for path in paths if path in self.members}
        return replace(self, members={**self.members, **marked})


@dataclass
class Plan:
    """What has to be done, and what is fine as it is; `ingest.compare` makes it."""

    listing: Listing
    generation: str
    """The store's, when the plan was made."""
    ledger: Ledger
    fields: dict[str, FieldType]
    """The user's fields that the store has."""
    strangers: bool = False
    """The store has documents that the ledger does not know: another machine ingested them."""
    tasks: list[Task] = field(default_factory=list)
    all: dict[Key, Task] = field(default_factory=dict)
    """What it would take to convert each file anew, changed or not."""
    members: dict[Key, list[Entry]] = field(default_factory=dict)
    """The documents that the store has of each container."""
    broken: dict[Key, list[KnownFailure]] = field(default_factory=dict)
    """The members of each container that could not be converted."""
    unchanged: list[Entry] = field(default_factory=list)
    touched: list[Entry] = field(default_factory=list)
    """Files with another stamp and the same content."""
    kept: list[Entry] = field(default_factory=list)
    """Documents whose file cannot be read or converted now, or is gone and shall stay."""
    gone: list[Entry] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    forgiven: list[Key] = field(default_factory=list)
    """Known failures of files that are fine again, or gone."""
    put_roots: list[str] = field(default_factory=list)
    drop_roots: list[str] = field(default_factory=list)
    drop_containers: list[Key] = field(default_factory=list)

    def is_idle(self) -> bool:
        """Whether the store and the ledger are as they should be."""
        return not (self.tasks or self.has_cleaning())

    def has_cleaning(self) -> bool:
        """Whether something is to be changed beside what is converted."""
        return any((self.gone, self.forgiven, self.put_roots, self.drop_roots, self.drop_containers))

    def restless(self, fields: Mapping[str, FieldType]) -> tuple[list[Task], set[Key]]:
        """Documents that have to be converted again for fields to have these types, and by which tasks.

        They are unchanged no more.
        """
        stale = [entry for entry in self.unchanged if conflicts(entry, fields)]
        keys = {entry.key for entry in stale}
        self.unchanged = [entry for entry in self.unchanged if entry.key not in keys]
        tasks: dict[Key, Task] = {}
        for entry in stale:
            key = (entry.key[0], entry.container or entry.key[1])
            tasks[key] = tasks.get(key, self.all[key]).anew([entry.key[1]])
        return list(tasks.values()), keys


def recipe_of(kind: str, tenant: str | None, access: Sequence[str], settings: Settings) -> str:
    """A digest of all that decides, beside a file's bytes, what the store holds of it."""
    ingest = settings.ingest
    options = [getattr(ingest, option) for option in KINDS[kind].options]
    if KINDS[kind].container:  # its members have recipes of their own
        chosen = [sorted(SUFFIXES), ingest.include, ingest.exclude, ingest.max_file_mb]
        return _digest([converter_version(kind), *options, *chosen])
    parts: list[object] = [
        converter_version(kind),
        *options,
        CHUNKER_VERSION,
        *fields_recipe(settings),
        ingest.chunk_tokens,
        ingest.chunk_overlap,
        ingest.near_duplicates,
        identity(settings.models.embed),
        tenant,
        sorted(access),
    ]
    if kind == "html" and (reader := reader_recipe(settings)) is not None:
        parts.append(reader)
    return _digest(parts)


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def labels_of(path: str, settings: IngestSettings) -> tuple[str | None, tuple[str, ...]]:
    """Tenant and access labels of a document; what a matching rule leaves out, the run's own decide."""
    for rule in settings.rules:
        if any_glob([rule.path])(path):
            given = rule.model_fields_set
            tenant = rule.tenant if "tenant" in given else settings.tenant
            access = rule.access if "access" in given else settings.access
            return tenant, tuple(access)
    return settings.tenant, tuple(settings.access)


def conflicts(entry: Entry, fields: Mapping[str, FieldType]) -> bool:
    """Whether a document's values were stored under types that have since become keywords."""
    return any(kind != "keyword" == fields.get(name) for name, kind in entry.fields.items())


def make_task(source: Source, kind: str, settings: Settings, *, known: bool = False) -> Task:
    """What it takes to convert a file."""
    tenant, access = labels_of(source.path, settings.ingest)
    recipe = recipe_of(kind, tenant, access, settings)
    attempt = f"{recipe}/{settings.ingest.convert_timeout_s:g}"
    return Task(source, kind, recipe, attempt, tenant, access, known)


def member_task(container: Task, path: str, settings: Settings) -> Task:
    """What it takes to convert the member of a container that lies at this path."""
    source, known = replace(container.source, path=path, location=None), path in container.members
    return make_task(source, kind_of(path) or container.kind, settings, known=known)
