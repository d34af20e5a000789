"""Question to passages, over the real embedder and the real embedded store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from configs.errors import InputError, ModelError, StoreError
from configs.settings import Settings, load_settings
from retrieve.copies import distinct
from retrieve.embed import Embedder, load_embedder, load_tokenizer, max_tokens
from retrieve.filters import Filter, MatchValue
from retrieve.retriever import Retriever, open_retriever
from retrieve.schema import Chunk, Document, Passage
from retrieve.store import open_store
from retrieve.store.base import SearchRequest, Store
from retrieve.store.edge import EdgeStore
from retrieve.visibility import visible_to
from tests.retrieve.naive import passes
from tests.retrieve.samples import fill, make_chunk, make_document, pages

FACTS = {
    "tides": "The tides are caused by the gravity of the moon and, to a lesser degree, of the sun.",
    "bread": "A sourdough loaf bakes for forty minutes at 230 degrees in a closed pot.",
    "lock": "Only one writer may hold the lock of the store; a second one waits ten seconds and gives up.",
    "whales": "Blue whales eat up to four tonnes of krill a day during the feeding season.",
    "bridge": "The old bridge over the Mur was rebuilt in steel in 1911 after the flood.",
}


def fact_document(name: str, **labels: object) -> Document:
    base = make_document(sorted(FACTS).index(name), {"topic": name})
    return Document(**{**vars(base), "path": f"{name}.md", "body": FACTS[name], **labels})  # type: ignore[arg-type]


def write(store: Store, embedder: Embedder, documents: list[Document]) -> list[Chunk]:
    chunks = [make_chunk(document) for document in documents]
    with store.writer(embedder=embedder.name, dimension=embedder.dimension, fields={}, wait_s=5) as writer:
        writer.upsert(chunks, embedder.embed_documents([chunk.embedding_text() for chunk in chunks]))
        writer.commit()
    return chunks


@pytest.fixture(scope="module")
def facts(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    """Over all facts; to be read only."""
    settings = load_settings(env={"DRAFTLINE_HOME": str(tmp_path_factory.mktemp("facts"))})
    store = open_store(settings)
    write(store, embedder, [fact_document(name) for name in FACTS])
    retriever = Retriever(store, embedder, settings)
    yield retriever
    retriever.close()


@pytest.mark.parametrize(
    ("question", "document"),
    [
        ("What causes the tides?", "tides.md"),
        ("How long does sourdough bread bake?", "bread.md"),
        ("What happens when a second writer wants the lock?", "lock.md"),
        ("How much krill do whales eat?", "whales.md"),
        ("When was the bridge over the Mur rebuilt?", "bridge.md"),
    ],
)
def test_the_passage_that_answers_comes_first(facts: Retriever, question: str, document: str) -> None:
    found = facts.retrieve(question)
    assert found.question == question
    assert found.plan.semantic_query == question
    assert found.plan.filter is None
    assert found.passages[0].document == document


@pytest.mark.parametrize(
    "question",
    ["Who won the chess championship in 1972?", "What does a kilogram of saffron cost?", "qwzx vbnm?", "!?"],
)
def test_a_question_about_something_else_finds_nothing(facts: Retriever, question: str) -> None:
    assert facts.retrieve(question).passages == ()


@pytest.mark.parametrize("question", ["", "  \n\t", "\u3000"])
def test_an_empty_question_is_refused(facts: Retriever, question: str) -> None:
    with pytest.raises(InputError, match="the question is empty"):
        facts.retrieve(question)


@pytest.mark.parametrize(
    "question", ["tides " * 20_000, "tides moon gravity \udcff", "tides, moon?\0 gravity"]
)
def test_odd_questions_are_answered(facts: Retriever, question: str) -> None:
    assert facts.retrieve(question).passages[0].document == "tides.md"


def test_top_k(facts: Retriever) -> None:
    assert len(facts.retrieve("What causes the tides?", top_k=2).passages) == 2
    with pytest.raises(InputError, match="at least 1"):
        facts.retrieve("What causes the tides?", top_k=0)


def test_ties_always_fall_the_same_way(facts: Retriever, monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"hash": "", "ordinal": 0, "start": 0, "end": 9}
    found = [
        Passage(name, f"the moon, {name}", 0.5, {"_dl": {**place, "document_id": name}}, relevance)
        for name, relevance in (("b", 0.8), ("a", 0.8), ("c", 0.9))
    ]
    orders = iter((found, found[::-1]))
    monkeypatch.setattr(facts._store, "search", lambda request: list(next(orders)))
    for _ in range(2):
        assert [p.id for p in facts.retrieve("Why are there tides and the moon?").passages] == ["c", "a", "b"]


def test_the_callers_filter_is_kept_to_and_not_shown(facts: Retriever) -> None:
    found = facts.retrieve("What causes the tides?", filter=Filter(must_not=(MatchValue("topic", "tides"),)))
    assert all(passage.document != "tides.md" for passage in found.passages)
    assert found.plan.filter is None


def test_an_empty_store_finds_nothing_and_loads_nothing(make_settings: Callable[..., Settings]) -> None:
    retriever = open_retriever(make_settings("models.embed=./no-such-model"))
    assert retriever.retrieve("What causes the tides?").passages == ()


def test_a_store_of_another_embedder(settings: Settings, embedder: Embedder) -> None:
    store = open_store(settings)
    fill(store, [make_document(1)])
    with pytest.raises(StoreError, match="embedder 'tests'"):
        Retriever(store, embedder, settings).retrieve("What causes the tides?")


def test_the_next_question_sees_what_ingest_published(settings: Settings, embedder: Embedder) -> None:
    question = "Which colour has the gate of the monastery?"
    write(open_store(settings), embedder, [fact_document("tides")])
    retriever = Retriever(open_store(settings), embedder, settings)
    assert retriever.retrieve(question).passages == ()
    gate = Document(**{**vars(make_document(50)), "body": "The gate of the monastery is painted green."})
    write(open_store(settings), embedder, [gate])
    assert retriever.retrieve(question).passages[0].text == gate.body


def test_several_threads_ask_at_once(facts: Retriever) -> None:
    questions = {f"{text} Or so?": f"{name}.md" for name, text in FACTS.items()}
    wrong: list[object] = []

    def ask() -> None:
        try:
            for question, document in questions.items():
                if facts.retrieve(question).passages[0].document != document:
                    wrong.append(question)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


class TestVisibility:
    def test_tenants_and_access(self, settings: Settings, embedder: Embedder, tmp_path: Path) -> None:
        store = open_store(settings)
        write(
            store,
            embedder,
            [
                fact_document("tides"),
                fact_document("bread", tenant="north"),
                fact_document("lock", tenant="south"),
                fact_document("whales", access=("staff", "board")),
                fact_document("bridge", tenant="north", access=("board",)),
            ],
        )

        def seen(tenant: str | None = None, *access: str) -> list[str]:
            return [page.removesuffix(".md") for page in pages(store, visible_to(tenant, access))]

        assert seen() == ["tides"]
        assert seen("north") == ["bread"]
        assert seen("nobody") == []
        assert seen(None, "staff") == ["tides", "whales"]
        assert seen("north", "board") == ["bread", "bridge"]
        everyone = pages(store, visible_to(None, ["board"], all_tenants=True))
        assert len(everyone) == 5
        retriever = Retriever(store, embedder, settings)
        assert retriever.retrieve("How long does sourdough bread bake?").passages == ()
        found = retriever.retrieve("How long does sourdough bread bake?", tenant="north")
        assert [passage.document for passage in found.passages] == ["bread.md"]

    @pytest.mark.parametrize(("tenant", "access"), [("", None), (None, [""]), (None, "staff")])
    def test_labels_that_would_look_like_none(self, tenant: str | None, access: object) -> None:
        with pytest.raises(InputError):
            visible_to(tenant, access)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeStore]:
    store = EdgeStore(tmp_path_factory.mktemp("tenants"))
    labels: list[tuple[str | None, list[str]]] = [
        (tenant, access)
        for tenant in (None, "north", "south", "no")
        for access in ([], ["staff"], ["board", "staff"], ["north"])
    ]
    fill(store, [make_document(n, {"n": n}, tenant, access) for n, (tenant, access) in enumerate(labels * 3)])
    yield store
    store.close()


names = st.sampled_from(["north", "south", "no", "staff", "board"])


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.none() | names, st.lists(names, max_size=2), st.integers(0, 60), st.booleans())
def test_no_search_crosses_a_tenant_or_an_access_label(
    tenants: EdgeStore, tenant: str | None, access: list[str], least: int, by_search: bool
) -> None:
    where = visible_to(tenant, access)
    if by_search:
        vector = np.full(8, 8**-0.5, dtype=np.float32)
        found = tenants.search(SearchRequest("topic page speaks", vector, 100, 100, where))
        points = [{"id": p.id, **p.payload} for p in found]
    else:
        points = list(tenants.scroll(where))
    expected = [point for point in tenants.scroll() if passes(where, point)]
    assert {point["id"] for point in points} == {point["id"] for point in expected}
    for point in points:
        assert point["_dl"]["tenant"] == tenant
        labels = set(point["_dl"]["access"])
        assert not labels or labels & set(access)


def test_overlapping_passages_of_a_document_are_not_repeated() -> None:
    def passage(name: str, start: int, end: int, document: str = "d") -> Passage:
        ours = {"document_id": document, "start": start, "end": end}
        return Passage(name, f"text {name}", 1.0, {"_dl": ours})

    best, inside, apart, touching, elsewhere = (
        passage("a", 0, 100),
        passage("b", 40, 140),
        passage("c", 70, 170),
        passage("d", 100, 130),
        passage("e", 0, 100, document="other"),
    )
    assert distinct([best, inside, apart, touching, elsewhere]) == [best, apart, elsewhere]
    same = Passage("f", "text a", 0.5, {"_dl": {"document_id": "copy", "start": 0, "end": 9}})
    assert distinct([best, same]) == [best]


class TestEmbedder:
    def test_vectors(self, embedder: Embedder) -> None:
        vectors = embedder.embed_documents(["a cat sleeps", "the kitten is asleep", "tax law reform"])
        assert vectors.shape == (3, embedder.dimension)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert vectors[0] @ vectors[1] > 0.6 > 0.3 > vectors[0] @ vectors[2]
        assert embedder.embed_documents([]).shape == (0, embedder.dimension)

    def test_a_question_is_embedded_like_a_document_and_once(self, embedder: Embedder) -> None:
        first = embedder.embed_query("a cat sleeps")
        np.testing.assert_allclose(first, embedder.embed_documents(["a cat sleeps"])[0], atol=1e-6)
        assert embedder.embed_query("a cat sleeps") is first

    def test_tokenizer_and_limit_without_torch(self, settings: Settings) -> None:
        tokenizer = load_tokenizer(settings)
        assert len(tokenizer.encode("word " * 1000).ids) == 1002
        assert max_tokens(settings) == 256
        assert load_embedder(settings).dimension == 384

    def test_a_missing_model_is_named_when_it_is_needed(self, make_settings: Callable[..., Settings]) -> None:
        embedder = load_embedder(make_settings("models.embed=./no-such-model"))
        with pytest.raises(ModelError, match="no-such-model"):
            embedder.embed_query("x")
