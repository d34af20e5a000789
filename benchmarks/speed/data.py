"""A large store of short windows of real text, with vectors that are embedded once and kept."""

from __future__ import annotations

import csv
import hashlib
import random
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from rich.progress import track

from configs.errors import InputError
from retrieve.embed import Embedder
from retrieve.schema import Chunk, Document, FieldType, Metadata
from retrieve.store.base import Vector

WINDOW_WORDS = 17
"""About 24 tokens."""
PER_DOCUMENT = 100
PART = 5000
"""Windows whose vectors lie in one file: an interrupted run goes on with the next part."""
BUCKETS = 1000
FIELDS: dict[str, FieldType] = {
    "title": "keyword",
    "source": "keyword",
    "year": "integer",
    "published": "datetime",
    "bucket": "integer",
}
FRESH = "fresh"
"""The ``source`` of chunks that are added while somebody reads."""


@dataclass(frozen=True)
class Windows:
    """Windows over all text of a folder, evenly spaced, with the file that each begins in."""

    texts: list[str]
    sources: list[str]


def read_windows(corpus: Path, count: int) -> Windows:
    """``count`` windows; raises InputError where there are fewer words than that."""
    words: list[str] = []
    starts, names = [], []
    for path in sorted(corpus.rglob("*")):
        if path.suffix in (".md", ".txt"):
            starts.append(len(words))
            names.append(path.stem)
            words += re.findall(r"\S+", path.read_text(encoding="utf-8", errors="replace"))
    if len(words) < count + WINDOW_WORDS:
        raise InputError(f"{corpus} has {len(words)} words; {count} windows need more than that")
    step = (len(words) - WINDOW_WORDS) / count
    places = [int(number * step) for number in range(count)]
    texts = [" ".join(words[place : place + WINDOW_WORDS]) for place in places]
    return Windows(texts, [names[bisect_right(starts, place) - 1] for place in places])


def read_questions(path: Path) -> list[str]:
    """The column ``question`` of a CSV file, each question once."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if "question" not in (rows.fieldnames or ()):
            raise InputError(f"{path} has no column 'question'")
        return list(dict.fromkeys(row["question"] for row in rows))


def embedded(texts: Sequence[str], embedder: Embedder, cache: Path) -> Vector:
    """Vectors of texts, shape (len(texts), dim), read from the cache as far as they are there."""
    cache.mkdir(parents=True, exist_ok=True)
    parts = []
    for start in track(range(0, len(texts), PART), "vectors"):
        part = list(texts[start : start + PART])
        path = cache / f"{digest(embedder.name, part)}.npy"
        if not path.is_file():
            unfinished = path.with_suffix(".tmp.npy")
            np.save(unfinished, embedder.embed_documents(part))
            unfinished.replace(path)
        parts.append(np.load(path))
    return np.concatenate(parts)


def digest(model: str, texts: Sequence[str]) -> str:
    """Names the vectors of texts."""
    return hashlib.sha256("\n".join([model, *texts]).encode()).hexdigest()[:24]


def chunks_of(windows: Windows) -> Iterator[Chunk]:
    """The windows as chunks, a hundred a document.

    A document's title is how its text begins, so that questions and values share words as they do
    outside; the years are spread evenly, the buckets at random.
    """
    rng = random.Random(0)
    for order, (texts, sources) in enumerate(
        zip(by_document(windows.texts), by_document(windows.sources), strict=True)
    ):
        labels: Metadata = {
            "title": " ".join(texts[0].split()[:4]),
            "source": sources[0],
            "year": 1990 + order % 35,
            "published": datetime(1990 + order % 35, 1 + order % 12, 1 + order % 28, tzinfo=UTC),
        }
        buckets = [rng.randrange(BUCKETS) for _ in texts]
        yield from document_chunks(f"{sources[0]}-{order}.txt", texts, labels, buckets)


def fresh_chunks(windows: Windows, count: int) -> Iterator[Chunk]:
    """Chunks that the store does not have yet: windows read backwards."""
    texts = [
        " ".join(reversed(text.split())) for text in windows.texts[:: len(windows.texts) // count][:count]
    ]
    labels: Metadata = {"title": FRESH, "source": FRESH, "year": 2026}
    for order, part in enumerate(by_document(texts)):
        yield from document_chunks(f"{FRESH}-{order}.txt", part, labels, [0] * len(part))


def by_document(items: Sequence[str]) -> list[Sequence[str]]:
    return [items[start : start + PER_DOCUMENT] for start in range(0, len(items), PER_DOCUMENT)]


def document_chunks(
    path: str, texts: Sequence[str], labels: Metadata, buckets: Sequence[int]
) -> Iterator[Chunk]:
    """Texts as the chunks of one document, one after the other; its body is not kept."""
    name, start = str(uuid5(NAMESPACE_URL, path)), 0
    for ordinal, (text, bucket) in enumerate(zip(texts, buckets, strict=True)):
        metadata: Metadata = {**labels, "bucket": bucket}
        moment = datetime(2024, 1, 1, tzinfo=UTC)
        document = Document(name, path, "/benchmark", "text", "", metadata, path, moment)
        chunk_id = str(uuid5(NAMESPACE_URL, f"{path}#{ordinal}"))
        yield Chunk(chunk_id, document, ordinal, text, start, start + len(text))
        start += len(text) + 1
