"""The systems that are compared: each gets one corpus and ranks its passages for a question."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import Embeddings

from benchmarks.retrieval.data import Corpus, Span
from benchmarks.speed.data import embedded
from configs.settings import Settings, load_settings
from ingest.chunk import ChunkBudget, chunk_body, document_id, make_chunks
from ingest.duplicates import with_copy_keys
from retrieve.embed import Embedder, load_tokenizer, max_tokens
from retrieve.retriever import Retriever
from retrieve.schema import Document
from retrieve.store.edge import EdgeStore

DEPTH = 60
"""Passages that are ranked: more than any budget pays for."""
CHUNK_SIZES = (400, 800, 1200)
OURS = {
    "dense": ("retrieve.fusion_weights=[1, 0]", "retrieve.neighbour_weight=0", "retrieve.expand_tokens=0"),
    "BM25": ("retrieve.fusion_weights=[0, 1]", "retrieve.neighbour_weight=0", "retrieve.expand_tokens=0"),
    "hybrid": ("retrieve.expand_tokens=0",),
    "hybrid + expansion": (),
}
"""Our rows, by what they set beside the settings that the benchmark was given."""

Ranker = Callable[[str, int], list[Span]]
"""Question and budget of tokens to places in the corpus, best first."""


@dataclass(frozen=True)
class System:
    """A row of the table: makes a ranker for each corpus."""

    name: str
    build: Callable[[Corpus], Ranker]


class Ours:
    """Draftline: the chunks that ingest makes, the embedded store, the retriever with these settings.

    Only the limit of evidence is lifted: a system that may stay silent would be compared with others
    that may not.
    """

    def __init__(
        self, embedder: Embedder, overrides: Sequence[str], settings: Settings, folder: Path, kept: Path
    ) -> None:
        self._embedder, self._overrides = embedder, overrides
        self._settings, self._folder, self._kept = settings, folder, kept

    def systems(self) -> Iterator[System]:
        """A system for each row."""
        for name, more in OURS.items():
            yield System(name, lambda corpus, more=more: self._ranker(corpus, more))

    def _ranker(self, corpus: Corpus, more: Sequence[str]) -> Ranker:
        store = self._store(corpus)
        expands = "retrieve.expand_tokens=0" not in more

        @cache
        def retriever(tokens: int) -> Retriever:
            more_tokens = (f"retrieve.expand_tokens={tokens}",) if expands else ()
            settings = load_settings(
                overrides=(*self._overrides, "retrieve.min_evidence=-1", *more, *more_tokens)
            )
            return Retriever(store, self._embedder, settings)

        @cache
        def find(question: str, tokens: int) -> list[Span]:
            found = retriever(tokens).retrieve(question, top_k=DEPTH)
            return [(passage.start, passage.end) for passage in found.passages]

        return lambda question, budget: find(question, budget if expands else 0)

    def _store(self, corpus: Corpus) -> EdgeStore:
        store = EdgeStore(self._folder / corpus.name)
        if store.info().chunks:
            return store
        ingest = self._settings.ingest
        budget = ChunkBudget(ingest.chunk_tokens, ingest.chunk_overlap, max_tokens(self._settings))
        path = f"{corpus.name}.md"
        document = Document(
            id=document_id("/", path),
            path=path,
            root="/",
            type="markdown",
            body=corpus.text,
            metadata={},
            content_hash="",
            modified=datetime.now(UTC),
        )
        spans = chunk_body(corpus.text, "markdown", budget, load_tokenizer(self._settings))
        chunks = list(make_chunks(document, with_copy_keys(spans, document, ingest.near_duplicates)))
        vectors = embedded([chunk.embedding_text() for chunk in chunks], self._embedder, self._kept)
        with store.writer(
            embedder=self._embedder.name, dimension=self._embedder.dimension, fields={}, wait_s=1
        ) as writer:
            writer.upsert(chunks, vectors)
            writer.commit()
        return store


class Known(Embeddings):
    """Our embedder behind LangChain's interface; the chunks' vectors are read from the cache."""

    def __init__(self, texts: Sequence[str], embedder: Embedder, kept: Path) -> None:
        self._embedder = embedder
        self._vectors = dict(zip(texts, embedded(texts, embedder, kept).tolist(), strict=True))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        new = [text for text in texts if text not in self._vectors]
        made = dict(zip(new, self._embedder.embed_documents(new).tolist(), strict=True)) if new else {}
        return [self._vectors.get(text) or made[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [float(value) for value in self._embedder.embed_query(text)]


def langchain(size: int, overlap: int, embedder: Embedder, kept: Path) -> System:
    """LangChain's default pipeline: recursive splitter, the same embedder, Qdrant, vectors alone."""

    def build(corpus: Corpus) -> Ranker:
        from langchain_qdrant import QdrantVectorStore

        documents = split(corpus, size, overlap)
        known = Known([document.page_content for document in documents], embedder, kept)
        store = QdrantVectorStore.from_documents(documents, known, location=":memory:")

        @cache
        def find(question: str) -> list[Span]:
            return [place_of(document) for document in store.similarity_search(question, k=DEPTH)]

        return lambda question, budget: find(question)

    return System(f"LangChain {size}" + (f"/{overlap}" if overlap else ""), build)


def split(corpus: Corpus, size: int, overlap: int) -> list[LangChainDocument]:
    """A corpus in chunks of at most ``size`` characters, as LangChain cuts it."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=overlap, add_start_index=True)
    return splitter.create_documents([corpus.text])


def place_of(document: LangChainDocument) -> Span:
    start: Any = document.metadata["start_index"]
    return start, start + len(document.page_content)


def budget_of(corpus: Corpus, passages: int) -> int:
    """Tokens that so many of LangChain's chunks of 800 characters take in this corpus, on average."""
    chunks = [corpus.tokens(place_of(document)) for document in split(corpus, 800, 0)]
    return math.floor(passages * sum(chunks) / len(chunks))
