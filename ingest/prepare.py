"""Files to documents with their chunks' places: what a worker does, one task at a time.

A file gives one document; a container (an archive, a file of records) gives one a member. What is
wrong with a file or a member is an outcome that says so: preparing never raises for what is in a file.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from configs.errors import InputError
from configs.settings import Settings
from ingest.chunk import ChunkBudget, Span, chunk_body, document_id
from ingest.containers import Expanded, Unchanged, expand
from ingest.convert.base import Converted, Converter, load_converter, time_limit
from ingest.convert.kinds import KINDS
from ingest.duplicates import with_copy_keys
from ingest.fields.resolve import Resolver
from ingest.ledger import Entry, now
from ingest.metadata import coerce
from ingest.plan import Task
from ingest.reading import UnreadableError, read_source
from ingest.sources import Key, Stamp
from retrieve.fields import fields_of
from retrieve.schema import Document, FieldType, Metadata
from retrieve.store.base import Vector

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")


@dataclass(frozen=True)
class Prepared:
    """A converted and chunked document, not yet embedded."""

    document: Document
    spans: list[Span]
    stamp: Stamp
    recipe: str
    replaces: bool
    """Whether the store holds another version of it."""
    notes: tuple[str, ...]
    file_name: str
    """What a copy is called below a folder of copies, but for its suffix."""
    container: str | None = None
    """Path of the file that it is a member of."""
    seconds: float = 0.0
    """Reading, converting and chunking took so long."""
    vectors: Vector | None = None
    """Of the chunks, shape (len(spans), dim), where they are embedded already."""

    @property
    def key(self) -> Key:
        return (self.document.root, self.document.path)

    def entry(self) -> Entry:
        """What the ledger will say of it."""
        document = self.document
        return Entry(
            key=self.key,
            id=document.id,
            stamp=self.stamp,
            hash=document.content_hash,
            recipe=self.recipe,
            chunks=len(self.spans),
            fields=fields_of(document.metadata),
            ingested=now(),
            container=self.container,
        )

    def typed(self, fields: dict[str, FieldType]) -> Prepared:
        """With its metadata as the types of the whole store want it."""
        metadata: Metadata = {n: coerce(v, fields[n]) for n, v in self.document.metadata.items()}
        return replace(self, document=replace(self.document, metadata=metadata))


@dataclass(frozen=True)
class Failed:
    """A file or member that could not be read or converted."""

    key: Key
    error: str
    """One line, without the path."""
    attempt: str
    """See `ingest.plan.Task.attempt`."""
    stamp: Stamp
    passing: bool = False
    """Whether it may be read another time though it has not changed."""


Outcome = Prepared | Failed | Unchanged | Expanded


class Preparer:
    """Converts and chunks files; loads each converter, and the tokenizer, once.

    Args:
        chunked: whether documents are cut into chunks; else no embedder need be there.
        converters: what converts some kinds in place of their own converters.
    """

    def __init__(
        self, settings: Settings, *, chunked: bool = True, converters: Mapping[str, Converter] | None = None
    ) -> None:
        self._settings = settings
        self._chunker = Chunker(settings) if chunked else None
        self._converters = dict(converters or {})
        self._resolver = Resolver(settings.ingest)

    def prepare(self, task: Task) -> Iterator[Outcome]:
        """Read, convert and chunk a file, or all members of a container."""
        if KINDS[task.kind].container:
            yield from self._members(task)
            return
        started = time.perf_counter()
        try:
            data, stamp = read_source(task.source, self._settings.ingest.max_file_mb)
            with self._time_limit():
                prepared = self.finish(task, data, stamp, self._convert(task, data))
        except InputError as error:
            yield failed(task, error)
        else:
            yield replace(prepared, seconds=time.perf_counter() - started)

    def _members(self, task: Task) -> Iterator[Outcome]:
        try:
            for item in expand(task, self._settings):
                if isinstance(item, Expanded | Unchanged):
                    yield item
                    continue
                started = time.perf_counter()
                try:
                    if item.error is not None:
                        raise InputError(item.error)
                    with self._time_limit():
                        found = self._convert(item.task, item.data)
                        document = self.finish(item.task, item.data, task.source.stamp, found, item.modified)
                except InputError as error:
                    yield failed(item.task, error)
                else:
                    seconds = time.perf_counter() - started
                    yield replace(document, container=task.source.path, seconds=seconds)
        except InputError as error:
            yield failed(task, error)

    def finish(
        self,
        task: Task,
        data: bytes,
        stamp: Stamp,
        found: Converted,
        modified: datetime | None = None,
    ) -> Prepared:
        """Make a document of what a converter found in a file's bytes.

        Raises:
            InputError: a rule of the user's cannot be applied to it.
        """
        source = task.source
        converted = self._resolver.resolve(_addressed(found, source.url), source.path, task.kind)
        document = Document(
            id=document_id(source.root, source.path),
            path=source.path,
            root=source.root,
            type=task.kind,
            body=converted.body,
            metadata=converted.metadata,
            content_hash=hashlib.sha256(data).hexdigest(),
            modified=modified or datetime.fromtimestamp(stamp.mtime_ns / 1e9, UTC),
            tenant=task.tenant,
            access=task.access,
            words=count_words(converted.body),
            origins=converted.origins,
            regions=converted.regions,
        )
        spans = self._chunker.cut(document) if self._chunker else []
        return Prepared(document, spans, stamp, task.recipe, task.known, converted.notes, source.file_name)

    def _time_limit(self) -> AbstractContextManager[None]:
        return time_limit(self._settings.ingest.convert_timeout_s)

    def _convert(self, task: Task, data: bytes) -> Converted:
        if task.kind not in self._converters:
            self._converters[task.kind] = load_converter(task.kind, self._settings.ingest)
        return convert(self._converters[task.kind], data, task.source.file.suffix.lower())


class Chunker:
    """Cuts documents as the settings and the embedder want it."""

    def __init__(self, settings: Settings) -> None:
        from retrieve.embed import load_tokenizer, max_tokens

        self._tokenizer: Any = load_tokenizer(settings)
        self._settings, whole = settings.ingest, max_tokens(settings)
        self._budget = ChunkBudget(self._settings.chunk_tokens, self._settings.chunk_overlap, whole)

    def cut(self, document: Document) -> list[Span]:
        """The places of a document's chunks."""
        spans = chunk_body(document.body, document.type, self._budget, self._tokenizer)
        return with_copy_keys(spans, document, self._settings.near_duplicates)


def count_words(body: str) -> int:
    """How many words a body has; marks of markup are none."""
    return sum(1 for _ in _WORD.finditer(body))


def convert(converter: Converter, data: bytes, suffix: str) -> Converted:
    """Convert a file's bytes, whatever the converter's library may throw.

    Raises:
        InputError: it cannot be converted.
    """
    try:
        return converter.convert(data, suffix)
    except InputError:
        raise
    except MemoryError:
        raise UnreadableError("too large to convert in this machine's memory") from None
    except RecursionError:
        raise InputError("cannot be converted: it is nested too deeply") from None
    except Exception as error:  # one odd file must not stop the others
        raise InputError(f"cannot be converted: {type(error).__name__}: {error}") from error


def _addressed(converted: Converted, url: str | None) -> Converted:
    """With the address that a page was fetched from, whatever it says of itself."""
    if url is None:
        return converted
    metadata, origins = {**converted.metadata, "url": url}, {**converted.origins, "url": "address"}
    return replace(converted, metadata=metadata, origins=origins)


def failed(task: Task, error: InputError) -> Failed:
    """The outcome of a task that an error ended."""
    line = " ".join(str(error).split())
    return Failed(task.source.key, line, task.attempt, task.source.stamp, isinstance(error, UnreadableError))
