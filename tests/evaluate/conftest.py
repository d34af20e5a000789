"""A small corpus in a real store, and answers about it in the form that the contract gives them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from configs.settings import Settings
from retrieve.schema import RESERVED_FIELDS, Chunk, Document
from retrieve.store import open_store

LOCK = "A second ingest waits for ten seconds."
BODY = f"# Locks\n\n{LOCK}\n\nThen it gives up with code 2."


def make_document(path: str = "ingest.md", body: str = BODY, root: str = "/docs") -> Document:
    return Document(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{root}/{path}")),
        path=path,
        root=root,
        type="markdown",
        body=body,
        metadata={},
        content_hash="0",
        modified=datetime(2026, 1, 1, tzinfo=UTC),
    )


def make_chunk(document: Document, start: int, end: int) -> Chunk:
    return Chunk(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{document.id} {start}")),
        document=document,
        ordinal=start,
        text=document.body[start:end],
        start=start,
        end=end,
    )


@pytest.fixture
def store_chunks(settings: Settings) -> Callable[..., None]:
    """Put chunks into the store of the test's own home."""

    def put(*chunks: Chunk) -> None:
        store = open_store(settings)
        vectors = np.eye(384, dtype=np.float32)[: len(chunks)]
        embedder = settings.models.embed
        with store.writer(embedder=embedder, dimension=384, fields=RESERVED_FIELDS, wait_s=1) as writer:
            writer.upsert(list(chunks), vectors)
            writer.commit()
        store.close()

    return put


def answer_json(
    text: str = "", *, passages: tuple[Chunk, ...] = (), citations: tuple[dict[str, Any], ...] = ()
) -> dict[str, Any]:
    """An answer as ``python -m generate ask --json`` prints it; without passages an abstention."""
    return {
        "answer": text or "I found nothing.",
        "abstained": not passages,
        "citations": list(citations),
        "plan": {"semantic_query": "", "filter": None, "relaxed": [], "explanation": ""},
        "passages": [
            {
                "id": chunk.id,
                "text": chunk.text,
                "score": 0.5,
                "metadata": {
                    "_dl.document": chunk.document.path,
                    "_dl.start": chunk.start,
                    "_dl.end": chunk.end,
                },
            }
            for chunk in passages
        ],
        "stats": {"ttft_s": 0.5, "tokens": 9, "tokens_per_step": 1.0, "tokens_per_s": 20.0},
    }


def citation_json(chunk: Chunk, quote: str, *, marker: int = 1, shift: int = 0) -> dict[str, Any]:
    """A citation of ``quote`` in ``chunk``; ``shift`` makes it untrue."""
    start = chunk.start + chunk.text.index(quote) + shift
    return {
        "marker": marker,
        "passage_id": chunk.id,
        "document": chunk.document.path,
        "section": [],
        "quote": quote,
        "start": start,
        "end": start + len(quote),
    }
