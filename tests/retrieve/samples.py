"""Documents, chunks and vectors to put into a store."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from retrieve.schema import Chunk, Document, Metadata
from retrieve.store.base import SearchRequest, Store, Vector

DIMENSION = 8


def make_document(
    number: int, metadata: Metadata | None = None, tenant: str | None = None, access: Sequence[str] = ()
) -> Document:
    path = f"page-{number}.md"
    return Document(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, path)),
        path=path,
        root="/docs",
        type="markdown",
        body=f"Page {number} speaks of topic{number} and nothing else.",
        metadata=metadata or {},
        content_hash=f"{number:08x}",
        modified=datetime(2024, 3, 1 + number % 28, tzinfo=UTC),
        tenant=tenant,
        access=tuple(access),
    )


def make_chunk(document: Document, ordinal: int = 0, version: str = "") -> Chunk:
    name = str(uuid.uuid5(uuid.UUID(document.id), f"{ordinal}{version}"))
    text = document.body + (f" Version {version}." if version else "")
    return Chunk(name, document, ordinal, text, 0, len(text), ("Pages",))


def vectors_for(chunks: Sequence[Chunk]) -> Vector:
    """Unit vectors, the same for the same chunk."""
    rows = [np.random.default_rng(uuid.UUID(chunk.id).int % 2**32).normal(size=DIMENSION) for chunk in chunks]
    array = np.array(rows, dtype=np.float32).reshape(len(chunks), DIMENSION)
    unit: Vector = array / np.linalg.norm(array, axis=1, keepdims=True)
    return unit


def writing(store: Store, **options: object):  # type: ignore[no-untyped-def]
    """A writer with the tests' usual arguments."""
    arguments = {"embedder": "tests", "dimension": DIMENSION, "fields": {}, "wait_s": 5.0, **options}
    return store.writer(**arguments)  # type: ignore[arg-type]


def fill(store: Store, documents: Sequence[Document], labels: str = "") -> list[Chunk]:
    """Write one chunk a document, in one commit, and a side file if it is to say something."""
    chunks = [make_chunk(document) for document in documents]
    with writing(store) as writer:
        if labels:
            (writer.side / "labels").write_text(labels)
        writer.upsert(chunks, vectors_for(chunks))
        writer.commit()
    return chunks


def request_for(chunk: Chunk, limit: int = 5, **options: object) -> SearchRequest:
    """A search whose best answer is this chunk."""
    return SearchRequest(chunk.text, vectors_for([chunk])[0], limit, 50, **options)  # type: ignore[arg-type]


def pages(store: Store, filter: object = None) -> list[str]:
    """Paths of all documents whose chunks pass a filter."""
    return sorted(payload["_dl"]["document"] for payload in store.scroll(filter))  # type: ignore[arg-type]
