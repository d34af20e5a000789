"""What a store of chunks is: the interface that the embedded store and the server both keep.

A store is read by many processes and written by one at a time. Readers never wait for a writer
and always see a whole published state: everything of it, and nothing of what is being written.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from configs.errors import StoreError
from configs.models import identity
from retrieve.filters import Filter
from retrieve.fusion import Fusion
from retrieve.schema import RESERVED, Chunk, FieldType, Passage, embedding_text

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class SearchRequest:
    """A hybrid search: dense and BM25 candidates, fused."""

    text: str
    """For BM25."""
    vector: Vector
    """Shape (dim,), unit length."""
    limit: int
    prefetch: int
    """Candidates from each of the two searches."""
    filter: Filter | None = None
    fusion: Fusion = field(default_factory=Fusion)
    embedder: str | None = None
    """Who made the vector: searching vectors of another embedder is then an error, whenever they came."""


@dataclass(frozen=True)
class Record:
    """A stored chunk, whole: what is moved to another store, or embedded again."""

    id: str
    payload: Mapping[str, Any]
    """As `Chunk.payload` has it."""
    vector: Vector
    """Shape (dim,), unit length."""

    def embedding_text(self) -> str:
        """See `Chunk.embedding_text`."""
        ours = self.payload[RESERVED]
        return embedding_text(ours["section"], ours["text"], ours.get("header", ""))


@dataclass(frozen=True)
class StoreInfo:
    """What is in a store."""

    chunks: int
    documents: int
    embedder: str | None
    """Name of the model that made the vectors; None while the store is empty."""
    dimension: int | None
    fields: Mapping[str, FieldType]
    """The user's fields and ours, all of them indexed."""
    generation: str
    """Changes whenever something was published."""
    settled: bool = True
    """False: the last writer published quickly and died before it had built the index and compacted."""


class StoreWriter(Protocol):
    """The one writer of a store. Nothing it does is visible before `commit`.

    Left without a commit (an exception, Ctrl-C, kill -9), the store stays as it was. In a large store
    `commit` publishes at once and leaves the slow rest, the index and the compaction, to `settle`,
    which leaving the writer without an exception also does.
    """

    @property
    def side(self) -> Path:
        """Folder of files published together with the chunks (the ingest ledger lives there).

        Its path stays the same over commits, each of which publishes a copy: files may be kept open,
        but must be whole when `commit` is called. Names that begin with a dot are not published.
        """
        ...

    def upsert(self, chunks: Sequence[Chunk], vectors: Vector) -> None:
        """Add or replace chunks; ``vectors`` has shape (len(chunks), dim)."""
        ...

    def put(self, records: Sequence[Record]) -> None:
        """Add or replace chunks as they came from a store; the writer was given their fields."""
        ...

    def lacking(self, records: Sequence[Record]) -> list[Record]:
        """Those that are still to be put: all of them, unless this writer resumed a rebuild."""
        ...

    def delete_documents(self, ids: Sequence[str]) -> None:
        """Remove every chunk of these documents (`Document.id`)."""
        ...

    def delete_chunks(self, ids: Sequence[str]) -> None:
        """Remove chunks by `Chunk.id`."""
        ...

    def commit(self) -> None:
        """Publish everything since the last commit, at once; writing may go on afterwards."""
        ...

    @property
    def settled(self) -> bool:
        """Whether the published state needs no `settle`."""
        ...

    def settle(self) -> None:
        """Build the index of what was published and remove every byte of what was deleted.

        Readers go on with what is published meanwhile; what was not committed is dropped.
        """
        ...


class Store(Protocol):
    """A place where chunks live and are searched."""

    def search(self, request: SearchRequest) -> list[Passage]:
        """The best passages, best first.

        Raises:
            StoreError: the store cannot be read, or holds vectors of another embedder than the request's.
        """
        ...

    async def asearch(self, request: SearchRequest) -> list[Passage]:
        """`search` without blocking the event loop."""
        ...

    def scroll(self, filter: Filter | None = None) -> Iterator[dict[str, Any]]:
        """Payloads of all chunks that pass, in no particular order, each with its ``id``."""
        ...

    def records(self, filter: Filter | None = None) -> Iterator[Record]:
        """All chunks of one published state that pass, whole; see `Record`.

        Raises:
            StoreError: something was published meanwhile, and this store keeps no older state to read.
        """
        ...

    def facet(self, field: str, filter: Filter | None = None, limit: int = 100) -> dict[Any, int]:
        """The values of a field and how many chunks have each, most frequent first."""
        ...

    def extent(self, field: str, filter: Filter | None = None) -> tuple[Any, Any] | None:
        """The least and the greatest value of an integer, float or datetime field; None: it has no values."""
        ...

    def info(self) -> StoreInfo: ...

    def check(self) -> None:
        """Raise StoreError when something published is missing or truncated, by a look at names and sizes."""
        ...

    def side(self, name: str) -> Path | None:
        """A published side file to read, or None; hold it only briefly, a commit may replace it."""
        ...

    def side_names(self) -> list[str]:
        """Names of the published side files."""
        ...

    def writer(
        self,
        *,
        embedder: str,
        dimension: int,
        fields: Mapping[str, FieldType],
        wait_s: float,
        rebuild: str | None = None,
    ) -> AbstractContextManager[StoreWriter]:
        """Become the writer.

        Args:
            fields: types that fields have from now on, whatever they had; those not named keep theirs.
            rebuild: begin with no chunks, beside the published ones, which the first commit replaces all
                at once; a name of what is being built, so that a store that can do so resumes it.

        Raises:
            StoreError: another writer held the store for longer than ``wait_s``, the store is
                corrupt, or it holds vectors of another embedder.
        """
        ...

    def recover(self) -> None:
        """Finish the commit of a writer that died in the middle of one; see `writer` for errors.

        A writer that is alive finishes its own.
        """
        ...

    def settle(self, wait_s: float) -> None:
        """Do what a writer that died has put off; see `StoreWriter.settle`, and `writer` for errors."""
        ...

    def close(self) -> None: ...


def other_embedder(theirs: str | None, ours: str) -> StoreError:
    """The error for a store that holds vectors of another embedder."""
    return StoreError(
        f"the store holds vectors of the embedder {theirs!r}, the settings name {ours!r}; "
        f"set models.embed={theirs}, or embed the stored chunks anew with: "
        f"python -m ingest reembed --set models.embed={ours}"
    )


def same_embedder(theirs: str | None, ours: str | None) -> bool:
    """Whether two names mean one embedder: stores may remember a folder as it was once spelled."""
    if theirs is None or ours is None:
        return theirs == ours
    return theirs == ours or identity(theirs) == identity(ours)


def check_embedder(request: SearchRequest, theirs: str | None) -> None:
    """Raise StoreError when a request's vector is another embedder's than the stored ones."""
    if request.embedder is not None and theirs is not None and not same_embedder(theirs, request.embedder):
        raise other_embedder(theirs, request.embedder)


def records_of(chunks: Sequence[Chunk], vectors: Vector, dimension: int) -> list[Record]:
    """Chunks with their vectors, shape (len(chunks), dimension); raises ValueError for another shape."""
    if vectors.shape != (len(chunks), dimension):
        raise ValueError(f"vectors {vectors.shape} for {len(chunks)} chunks of {dimension} components")
    return [Record(chunk.id, chunk.payload(), vector) for chunk, vector in zip(chunks, vectors, strict=True)]


ORDERED: Sequence[FieldType] = ("integer", "float", "datetime")
"""Types of fields whose values have an order."""
_READ: Mapping[FieldType, Callable[[Any], Any]] = {
    "integer": int,
    "float": float,
    "datetime": lambda value: datetime.fromisoformat(str(value)),
}


def extent_of(payloads: Sequence[Mapping[str, Any]], field: str, kind: FieldType) -> tuple[Any, Any] | None:
    """The least and the greatest value of a field in these payloads; datetimes as such."""
    found: list[Any] = []
    for payload in payloads:
        value = payload.get("_dl", {}).get(field[4:]) if field.startswith("_dl.") else payload.get(field)
        for item in value if isinstance(value, list) else [] if value is None else [value]:
            with contextlib.suppress(ValueError):  # stored before the field's type was declared
                found.append(_READ[kind](item))
    return (min(found), max(found)) if found else None


def count_values(payloads: Iterator[dict[str, Any]], field: str, limit: int) -> dict[Any, int]:
    """The values of a field with their counts, most frequent first, by reading them all."""
    values: Counter[Any] = Counter()
    for payload in payloads:
        value = payload.get("_dl", {}).get(field[4:]) if field.startswith("_dl.") else payload.get(field)
        values.update(set(value) if isinstance(value, list) else [] if value is None else [value])
    return dict(values.most_common(limit))
