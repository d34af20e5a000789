"""What a run has to do: sources compared with the ledger, mostly by a look at sizes and times.

Nothing heavy is imported here: a run that finds nothing to do ends after this module.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from configs.errors import InputError
from configs.sections import IngestSettings
from configs.settings import Settings
from ingest.convert.kinds import KINDS, converter_version, kind_of
from ingest.convert.reader_lm.choice import reader_recipe
from ingest.fields.recipe import fields_recipe
from ingest.globs import any_glob
from ingest.ledger import Entry, KnownFailure, Ledger
from ingest.listing import list_sources
from ingest.sources import Failure, Key, Listing, Source, is_within
from ingest.web.urls import WEB
from retrieve.schema import RESERVED_FIELDS, FieldType
from retrieve.store.base import StoreInfo

CHUNKER_VERSION = "3"
"""Changes whenever the same body may be cut differently; documents are then chunked again."""


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
    known: Entry | None
    """The version in the store."""


@dataclass
class Plan:
    """What has to be done, and what is fine as it is."""

    listing: Listing
    generation: str
    """The store's, when the plan was made."""
    ledger: Ledger
    fields: dict[str, FieldType]
    """The user's fields that the store has."""
    strangers: bool = False
    """The store has documents that the ledger does not know: another machine ingested them."""
    tasks: list[Task] = field(default_factory=list)
    unchanged: list[Task] = field(default_factory=list)
    touched: list[Entry] = field(default_factory=list)
    """Files with another stamp and the same content."""
    kept: list[Entry] = field(default_factory=list)
    """Documents whose file cannot be read or converted now."""
    gone: list[Entry] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    forgiven: list[Key] = field(default_factory=list)
    """Known failures of files that are fine again, or gone."""
    put_roots: list[str] = field(default_factory=list)
    drop_roots: list[str] = field(default_factory=list)

    def is_idle(self) -> bool:
        """Whether the store and the ledger are as they should be."""
        return not (self.tasks or self.has_cleaning())

    def has_cleaning(self) -> bool:
        """Whether something is to be changed beside what is converted."""
        return bool(self.gone or self.forgiven or self.put_roots or self.drop_roots)


def make_plan(paths: Sequence[str], settings: Settings, ledger: Ledger, info: StoreInfo) -> Plan:
    """Compare what the paths name with what the ledger knows.

    Raises:
        InputError: none of the paths exists.
    """
    listing = list_sources(
        paths,
        settings.ingest,
        accepts=lambda path: kind_of(path) is not None,
        known_roots=ledger.roots,
        avoid=(settings.home,),
        web=settings.home / WEB,
    )
    require_any(listing, paths)
    fields = {name: kind for name, kind in info.fields.items() if name not in RESERVED_FIELDS}
    known = sum(entry.chunks > 0 for entry in ledger.documents.values())
    plan = Plan(listing, info.generation, ledger, fields, info.documents > known)
    plan.failures = list(listing.failures)
    for source in listing.sources:
        _compare(plan, source, settings)
    _find_gone(plan)
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


def recipe_of(kind: str, tenant: str | None, access: Sequence[str], settings: Settings) -> str:
    """A digest of all that decides, beside a file's bytes, what the store holds of it."""
    ingest = settings.ingest
    parts: list[object] = [
        converter_version(kind),
        *(getattr(ingest, option) for option in KINDS[kind].options),
        CHUNKER_VERSION,
        *fields_recipe(settings),
        ingest.chunk_tokens,
        ingest.chunk_overlap,
        ingest.near_duplicates,
        settings.models.embed,
        tenant,
        sorted(access),
    ]
    if kind == "html" and (reader := reader_recipe(settings)) is not None:
        parts.append(reader)
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


def _compare(plan: Plan, source: Source, settings: Settings) -> None:
    kind = kind_of(source.file.name)
    assert kind is not None
    tenant, access = labels_of(source.path, settings.ingest)
    recipe = recipe_of(kind, tenant, access, settings)
    known = plan.ledger.documents.get(source.key)
    failure = plan.ledger.failures.get(source.key)
    attempt = f"{recipe}/{settings.ingest.convert_timeout_s:g}"
    task = Task(source, kind, recipe, attempt, tenant, access, known)
    problem = _known_problem(task, failure, settings)
    if problem is not None:
        plan.failures.append(Failure(source.path, problem))
        plan.kept += [known] if known else []
        return
    if known is None or known.recipe != recipe or conflicts(known, plan.fields):
        plan.tasks.append(task)
        return
    if known.stamp != source.stamp:
        if known.stamp.size != source.stamp.size or _hash(source) != known.hash:
            plan.tasks.append(task)
            return
        plan.touched.append(replace(known, stamp=source.stamp))
    plan.unchanged.append(task)
    if failure is not None:
        plan.forgiven.append(source.key)


def _known_problem(task: Task, failure: KnownFailure | None, settings: Settings) -> str | None:
    size, limit = task.source.stamp.size, settings.ingest.max_file_mb
    if size > limit * 1e6:
        return f"{size / 1e6:.0f} MB is more than ingest.max_file_mb = {limit:g}"
    if failure is not None and (failure.stamp, failure.recipe) == (task.source.stamp, task.attempt):
        return failure.error
    return None


def _hash(source: Source) -> str | None:
    try:
        with source.file.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None  # converting it will say why


def _find_gone(plan: Plan) -> None:
    found = {source.key for source in plan.listing.sources}
    for entry in plan.ledger.documents.values():
        if entry.key in found or not plan.listing.covers(entry.file):
            continue
        if plan.listing.is_unread(entry.file):
            plan.kept.append(entry)
        else:
            plan.gone.append(entry)
    for failure in plan.ledger.failures.values():
        if failure.key not in found and plan.listing.covers(failure.file):
            plan.forgiven.append(failure.key)
