"""Files to documents with their chunks' places, kept on disk until they are embedded.

Everything is converted before anything is embedded: then the fields and their types are known, the
progress bar knows the end, and memory holds one document at a time.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from errno import ENOSPC
from typing import Any, cast

from configs.errors import InputError
from configs.settings import Settings
from ingest.chunk import ChunkBudget, Span, chunk_body, document_id
from ingest.convert.base import Converted, Converter, load_converter, time_limit
from ingest.duplicates import with_copy_keys
from ingest.fields.resolve import Resolver
from ingest.ledger import Entry, now
from ingest.metadata import coerce
from ingest.plan import Task
from ingest.sources import Source, Stamp
from retrieve.fields import fields_of
from retrieve.schema import Document, FieldType, Metadata

UNSETTLED_NS = 50_000_000
"""A file changed this recently may change again without its times showing it."""


_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")


class UnreadableError(InputError):
    """A file that could not be read now; the file itself need not change to be read later."""


@dataclass(frozen=True)
class Prepared:
    """A converted and chunked document, not yet embedded."""

    document: Document
    spans: list[Span]
    stamp: Stamp
    recipe: str
    known: Entry | None
    notes: tuple[str, ...]

    def entry(self) -> Entry:
        """What the ledger will say of it."""
        document = self.document
        key, fields = (document.root, document.path), fields_of(document.metadata)
        size = len(self.spans)
        return Entry(key, document.id, self.stamp, document.content_hash, self.recipe, size, fields, now())

    def typed(self, fields: Mapping[str, FieldType]) -> Prepared:
        """With its metadata as the types of the whole store want it."""
        metadata: Metadata = {n: coerce(v, fields[n]) for n, v in self.document.metadata.items()}
        return replace(self, document=replace(self.document, metadata=metadata))


class Preparer:
    """Converts and chunks files; loads each converter, and the tokenizer, once."""

    def __init__(self, settings: Settings) -> None:
        from retrieve.embed import load_tokenizer, max_tokens

        self._settings = settings.ingest
        self._tokenizer: Any = load_tokenizer(settings)
        whole = max_tokens(settings)
        self._budget = ChunkBudget(settings.ingest.chunk_tokens, settings.ingest.chunk_overlap, whole)
        self._converters: dict[str, Converter] = {}
        self._resolver = Resolver(settings.ingest)

    def prepare(self, task: Task) -> Prepared:
        """Read, convert and chunk a file.

        Raises:
            InputError: it cannot be read or converted; the message does not repeat its path.
        """
        data, stamp = read_source(task.source, self._settings.max_file_mb)
        with time_limit(self._settings.convert_timeout_s):
            converted = self._convert(task.kind, data, task.source)
            spans = chunk_body(converted.body, task.kind, self._budget, self._tokenizer)
        document = Document(
            id=document_id(task.source.root, task.source.path),
            path=task.source.path,
            root=task.source.root,
            type=task.kind,
            body=converted.body,
            metadata=converted.metadata,
            content_hash=hashlib.sha256(data).hexdigest(),
            modified=datetime.fromtimestamp(stamp.mtime_ns / 1e9, UTC),
            tenant=task.tenant,
            access=task.access,
            words=count_words(converted.body),
            origins=converted.origins,
            regions=converted.regions,
        )
        spans = with_copy_keys(spans, document, self._settings.near_duplicates)
        return Prepared(document, spans, stamp, task.recipe, task.known, converted.notes)

    def _convert(self, kind: str, data: bytes, source: Source) -> Converted:
        if kind not in self._converters:
            self._converters[kind] = load_converter(kind, self._settings)
        return self._resolver.resolve(convert(self._converters[kind], data, source), source.path, kind)


def count_words(body: str) -> int:
    """How many words a body has; marks of markup are none."""
    return sum(1 for _ in _WORD.finditer(body))


def convert(converter: Converter, data: bytes, source: Source) -> Converted:
    """Convert a file's bytes, whatever the converter's library may throw.

    Raises:
        InputError: it cannot be converted.
    """
    try:
        converted = converter.convert(data, source.file.suffix.lower())
    except InputError:
        raise
    except MemoryError:
        raise UnreadableError("too large to convert in this machine's memory") from None
    except Exception as error:  # one odd file must not stop the others
        raise InputError(f"cannot be converted: {type(error).__name__}: {error}") from error
    if source.url is None:
        return converted
    metadata, origins = {**converted.metadata, "url": source.url}, {**converted.origins, "url": "address"}
    return replace(converted, metadata=metadata, origins=origins)


def read_source(source: Source, max_mb: float) -> tuple[bytes, Stamp]:
    """A file's bytes, and the stamp that it had when it was opened.

    Raises:
        InputError: it cannot be read, or grew beyond the limit.
    """
    try:
        with source.file.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(int(max_mb * 1e6) + 1)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from None
    if len(data) > max_mb * 1e6:
        raise UnreadableError(f"it grew beyond ingest.max_file_mb = {max_mb:g}")
    fresh = time.time_ns() - status.st_mtime_ns < UNSETTLED_NS
    return data, Stamp(status.st_size, status.st_mtime_ns, -1 if fresh else status.st_ino)


class Spool:
    """Prepared documents on disk, in the order they were put; the file has no name and dies with us."""

    def __init__(self) -> None:
        # An empty name is SQLite's private database, in a file it unlinks at once.
        self._db = sqlite3.connect("")
        self._db.execute("CREATE TABLE spool (item BLOB)")
        self._rewritten = 0
        """The last row that `rewrite` changed."""
        self.documents = 0
        self.chunks = 0
        self.hashes: set[str] = set()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exception: object) -> None:
        self._db.close()

    def put(self, prepared: Prepared) -> None:
        """Keep a document.

        Raises:
            OSError: the disk of temporary files is full.
        """
        try:
            self._db.execute("INSERT INTO spool VALUES (?)", (pickle.dumps(prepared),))
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise OSError(ENOSPC, os.strerror(ENOSPC), tempfile.gettempdir()) from error
            raise
        self.documents += 1
        self.hashes.add(prepared.document.content_hash)
        self.chunks += len(prepared.spans)

    def rewrite(self, change: Callable[[list[Prepared]], list[Prepared]], size: int) -> None:
        """Put changed documents in the place of those that came since the last time, ``size`` at a time."""
        while True:
            rows = self._db.execute(
                "SELECT rowid, item FROM spool WHERE rowid > ? ORDER BY rowid LIMIT ?",
                (self._rewritten, size),
            ).fetchall()
            if not rows:
                return
            changed = change([cast(Prepared, pickle.loads(item)) for _, item in rows])
            self._db.executemany(
                "UPDATE spool SET item = ? WHERE rowid = ?",
                [(pickle.dumps(item), row) for item, (row, _) in zip(changed, rows, strict=True)],
            )
            self._rewritten = rows[-1][0]

    def __iter__(self) -> Iterator[Prepared]:
        with closing(self._db.execute("SELECT item FROM spool ORDER BY rowid")) as rows:
            for (item,) in rows:
                yield cast(Prepared, pickle.loads(item))
