"""The stages of a search over both stores, with vectors of our own making."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient

from configs.settings import load_settings
from ingest.chunk import ChunkBudget, chunk_body, make_chunks
from retrieve.embed import load_tokenizer
from retrieve.filters import Filter, MatchAny, MatchValue, Range
from retrieve.fusion import Fusion
from retrieve.schema import Chunk, Passage
from retrieve.search import Searcher
from retrieve.store.base import SearchRequest, Store, Vector
from retrieve.store.edge import EdgeStore
from retrieve.store.server import ServerStore
from tests.retrieve.samples import make_document

SIZE = 24
ISLES = ("Arran", "Bute", "Coll", "Iona", "Jura")
QUESTION = "How is the ferry to Iona run in winter?"


class WordEmbedder:
    """A vector a word, so that texts with the same words are near each other."""

    name, dimension = "words", SIZE

    def embed_documents(self, texts: Sequence[str]) -> Vector:
        rows = np.array([self._sum(text) for text in texts], dtype=np.float32).reshape(len(texts), SIZE)
        unit: Vector = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def embed_query(self, text: str) -> Vector:
        vector: Vector = self.embed_documents([text])[0]
        return vector

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        return self.embed_documents(texts)

    @staticmethod
    def _sum(text: str) -> Any:
        return sum(_word_vector(word) for word in text.lower().split()) + 1e-3


@cache
def _word_vector(word: str) -> Any:
    return np.random.default_rng(sum(word.encode())).normal(size=SIZE)


def isle_chunks(number: int, **labels: object) -> list[Chunk]:
    """A document with a section an isle, several chunks each."""
    body = "\n\n".join(
        f"## {isle}\n\nThe isle of {isle} lies in the sea, number {order} of {number}.  \n"
        f"Boats land there every {order + 2} days.\n\nIn winter the ferry to {isle} is run by the crew of "
        f"Captain {ISLES[-order]}, who waits for calm.\n\nSheep and seals outnumber people."
        for order, isle in enumerate(ISLES)
    )
    document = dataclasses.replace(make_document(number), body=body, **labels)  # type: ignore[arg-type]
    return list(make_chunks(document, chunk_body(body, "markdown", ChunkBudget(28, 0, 64), tokenizer())))


@cache
def tokenizer() -> Any:
    return load_tokenizer(load_settings())


def searcher(store: Store, *overrides: str) -> Searcher:
    return Searcher(store, WordEmbedder(), load_settings(overrides=overrides))


def write(store: Store, chunks: Sequence[Chunk]) -> None:
    embedder = WordEmbedder()
    vectors = embedder.embed_documents([chunk.embedding_text() for chunk in chunks])
    with store.writer(embedder="words", dimension=SIZE, fields={}, wait_s=5) as writer:
        writer.upsert(chunks, vectors)
        writer.commit()


@pytest.fixture(scope="module", params=["edge", "server"])
def isles(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Two documents in a store of each kind; to be read only."""
    folder = tmp_path_factory.mktemp("isles")
    if request.param == "edge":
        store: Store = EdgeStore(folder)
    else:
        store = ServerStore(QdrantClient(":memory:"), "isles", folder)
    write(store, [*isle_chunks(1), *isle_chunks(2)])
    yield store
    store.close()


FUSIONS = [
    Fusion("linear", 1, 1),
    Fusion("linear", 1, 0),
    Fusion("linear", 0, 1),
    Fusion("rrf", 1, 3),
    Fusion("dbsf", 2, 1),
]


def test_both_stores_rank_alike(edge_store: EdgeStore, tmp_path: Path) -> None:
    isles = ServerStore(QdrantClient(":memory:"), "isles", tmp_path)
    for store in (edge_store, isles):
        write(store, [*isle_chunks(1), *isle_chunks(2)])
    vector = WordEmbedder().embed_query(QUESTION)
    where = Filter(must=(Range("_dl.ordinal", gte=3),))
    for fusion in FUSIONS:
        request = SearchRequest(QUESTION, vector, 20, 15, where, fusion=fusion)
        ours, theirs = edge_store.search(request), isles.search(request)
        assert [p.score for p in ours] == pytest.approx([p.score for p in theirs], abs=1e-5)
        assert {p.id for p in ours if p.score > ours[-1].score + 1e-5} <= {p.id for p in theirs}
        assert [p.coverage for p in ours] == pytest.approx([p.coverage for p in theirs], abs=1e-4)


def test_a_search_of_weight_0_takes_no_part(isles: Store) -> None:
    vector = WordEmbedder().embed_query("seals")
    words_alone = SearchRequest(QUESTION, vector, 5, 5, fusion=Fusion("linear", 0, 1))
    assert "Iona" in isles.search(words_alone)[0].text
    vectors_alone = dataclasses.replace(words_alone, fusion=Fusion("linear", 1, 0))
    found = isles.search(vectors_alone)
    assert [p.relevance for p in found] == sorted((p.relevance for p in found), reverse=True)
    assert isles.search(dataclasses.replace(words_alone, text="!?")) == []


def ask(store: Store, *overrides: str, where: Filter | None = None, top_k: int = 3) -> list[Passage]:
    search = searcher(store, *overrides)
    return search.choose(QUESTION, search.candidates(QUESTION, where, top_k), where, top_k)


def test_passages_grow_to_a_budget(isles: Store) -> None:
    bodies = {chunk.document.path: chunk.document.body for n in (1, 2) for chunk in isle_chunks(n)}
    plain = ask(isles)
    grown = ask(isles, "retrieve.expand_tokens=150")
    assert 1 <= len(grown) <= len(plain) == 3
    assert grown[0].id == plain[0].id
    assert len(grown[0].text) > len(plain[0].text)
    assert "Boats land there" in grown[0].text
    for passage in grown:
        assert bodies[passage.document][passage.start : passage.end] == passage.text
    total = sum(len(tokenizer().encode(p.text, add_special_tokens=False).ids) for p in grown)
    assert total <= 150
    assert total > 100


def test_neighbours_keep_to_the_filter(isles: Store) -> None:
    iona = ask(isles)[0]
    ordinal = iona.ours["ordinal"]
    only = Filter(
        must=(
            MatchValue("_dl.document", iona.document),
            MatchAny("_dl.ordinal", (ordinal, ordinal + 1)),
        )
    )
    found = ask(isles, "retrieve.expand_tokens=500", where=only)
    assert [(p.start, p.text[: len(iona.text)]) for p in found] == [(iona.start, iona.text)]


def test_a_new_version_between_search_and_growing_is_left_alone(edge_store: EdgeStore) -> None:
    write(edge_store, isle_chunks(1))
    search = searcher(edge_store, "retrieve.expand_tokens=400")
    found = search.candidates(QUESTION, None, 1)
    newer = isle_chunks(1, content_hash="newer")
    with edge_store.writer(embedder="words", dimension=SIZE, fields={}, wait_s=5) as writer:
        writer.delete_documents([newer[0].document.id])
        writer.upsert(newer, WordEmbedder().embed_documents([c.embedding_text() for c in newer]))
        writer.commit()
    (passage,) = search.choose(QUESTION, found, None, 1)
    assert passage.ours["hash"] != "newer"
    assert passage.text in newer[0].document.body


def test_neighbours_lend_weight(isles: Store) -> None:
    plain = searcher(isles, "retrieve.neighbour_weight=0").candidates(QUESTION, None, 5)
    near = searcher(isles, "retrieve.neighbour_weight=0.2").candidates(QUESTION, None, 5)
    scores = {passage.id: passage.score for passage in plain}
    gains = [passage.score - scores[passage.id] for passage in near if passage.id in scores]
    assert min(gains) == pytest.approx(0)
    assert max(gains) > 0.01


def test_diversity(isles: Store) -> None:
    found = ask(isles, "retrieve.mmr=0.1", top_k=4)
    assert found[0].id == ask(isles)[0].id
    assert found != ask(isles, top_k=4)
