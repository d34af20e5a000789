"""Short windows of real text with their vectors, embedded once and cached."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from rich.progress import track

from configs.errors import InputError
from retrieve.embed import Embedder
from retrieve.schema import Chunk, Document
from retrieve.store.base import Vector

WINDOW_WORDS = 17
"""About 24 tokens."""
QUERY_WORDS = 11
BUCKETS = 1000
"""Values of the field that filters select by: ``bucket < 1`` keeps 0.1 %, ``bucket < 500`` half."""
CACHE = Path(__file__).parents[1] / "cache"


@dataclass(frozen=True)
class Data:
    """Windows and questions with their vectors, each of shape (n, dim)."""

    texts: list[str]
    vectors: Vector
    buckets: list[int]
    questions: list[str]
    question_vectors: Vector

    def chunks(self) -> Iterator[Chunk]:
        """The windows as chunks, a hundred a document."""
        document = None
        for number, text in enumerate(self.texts):
            if number % 100 == 0:
                path = f"windows-{number // 100}.txt"
                name = str(uuid5(NAMESPACE_URL, path))
                document = Document(name, path, "/benchmark", "text", "", {}, path, datetime.now(UTC))
            assert document is not None
            labelled = Document(**{**vars(document), "metadata": {"bucket": self.buckets[number]}})
            yield Chunk(str(uuid5(NAMESPACE_URL, f"{number}")), labelled, number % 100, text, 0, len(text))


def load_data(corpus: Path, count: int, questions: int, embedder: Embedder) -> Data:
    """Windows over all text files below a folder, evenly spaced, and questions cut from other places."""
    words = [
        word
        for path in sorted(corpus.rglob("*"))
        if path.suffix in (".md", ".txt")
        for word in re.findall(r"\S+", path.read_text(encoding="utf-8", errors="replace"))
    ]
    if len(words) < count + WINDOW_WORDS:
        raise InputError(f"{corpus} has {len(words)} words; {count} windows need more than that")
    step = (len(words) - WINDOW_WORDS) / count
    texts = [" ".join(words[int(i * step) : int(i * step) + WINDOW_WORDS]) for i in range(count)]
    rng = random.Random(0)
    starts = [rng.randrange(len(words) - QUERY_WORDS) for _ in range(questions)]
    asked = [" ".join(words[start : start + QUERY_WORDS]) for start in starts]
    return Data(
        texts=texts,
        vectors=_embedded(texts, embedder),
        buckets=[rng.randrange(BUCKETS) for _ in texts],
        questions=asked,
        question_vectors=_embedded(asked, embedder),
    )


def _embedded(texts: list[str], embedder: Embedder) -> Vector:
    digest = hashlib.sha256("\n".join([embedder.name, *texts]).encode()).hexdigest()[:16]
    path = CACHE / f"vectors-{digest}.npy"
    if not path.is_file():
        CACHE.mkdir(exist_ok=True)
        batches = [texts[start : start + 512] for start in range(0, len(texts), 512)]
        vectors = [embedder.embed_documents(batch) for batch in track(batches, "embedding")]
        np.save(path, np.concatenate(vectors))
    loaded: Vector = np.load(path)
    return loaded
