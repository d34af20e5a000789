"""Retrieval inside LangChain: chains, callbacks, events, filters of three kinds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.runnables import ConfigurableField, RunnableLambda, RunnablePassthrough
from langchain_core.structured_query import Comparator, Comparison

from configs.errors import InputError
from configs.settings import Settings, load_settings
from retrieve.embed import Embedder
from retrieve.filters import Filter, MatchAny, MatchValue
from retrieve.langchain import PLAN_EVENT, DraftlineRetriever
from retrieve.retriever import Retriever
from retrieve.store import open_store
from tests.aside import run
from tests.retrieve.test_retriever import FACTS, fact_document, write

TIDES = "What causes the tides?"
NOT_TIDES = Filter(must_not=(MatchValue("topic", "tides"),))


@pytest.fixture(scope="module")
def opened(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    settings = load_settings(env={"DRAFTLINE_HOME": str(tmp_path_factory.mktemp("facts"))})
    store = open_store(settings)
    open_to_all = [fact_document(name) for name in FACTS if name != "bread"]
    write(store, embedder, [*open_to_all, fact_document("bread", tenant="north", access=("staff",))])
    retriever = Retriever(store, embedder, settings)
    yield retriever
    retriever.close()


@pytest.fixture
def retriever(opened: Retriever) -> DraftlineRetriever:
    return DraftlineRetriever(retriever=opened)


def topics(documents: list[Document]) -> list[str]:
    return [document.metadata["topic"] for document in documents]


def test_documents(retriever: DraftlineRetriever, opened: Retriever) -> None:
    documents = retriever.invoke(TIDES)
    passages = opened.retrieve(TIDES).passages
    assert [document.page_content for document in documents] == [passage.text for passage in passages]
    first, passage = documents[0], passages[0]
    assert first.id == first.metadata["_dl.id"] == passage.id
    assert first.metadata["_dl.score"] == passage.score
    assert first.metadata["_dl.relevance"] == passage.relevance
    assert first.metadata.items() >= passage.metadata().items()
    json.dumps(first.metadata)


def test_async_finds_the_same(retriever: DraftlineRetriever) -> None:
    async def ask() -> list[list[Document]]:
        return await asyncio.gather(*(retriever.ainvoke(TIDES) for _ in range(3)))

    assert run(ask()) == [retriever.invoke(TIDES)] * 3


def test_batches(retriever: DraftlineRetriever) -> None:
    found = retriever.batch([TIDES, "How much krill do whales eat?"])
    assert [topics(documents)[0] for documents in found] == ["tides", "whales"]


def test_who_asks(opened: Retriever) -> None:
    question = "How long does sourdough bread bake?"

    def asked(**labels: Any) -> list[str]:
        return topics(DraftlineRetriever(retriever=opened, **labels).invoke(question))

    assert asked() == asked(tenant="north") == asked(tenant="south", access=["staff"]) == []
    assert asked(tenant="north", access=["staff"]) == ["bread"]
    assert len(topics(DraftlineRetriever(retriever=opened, top_k=2).invoke(TIDES))) == 2


@pytest.mark.parametrize(
    "condition",
    [
        NOT_TIDES,
        {"must_not": [{"key": "topic", "match": {"value": "tides"}}]},
        Comparison(comparator=Comparator.NE, attribute="topic", value="tides"),
    ],
)
def test_filters_of_three_kinds(opened: Retriever, condition: Any) -> None:
    everything = opened.retrieve(TIDES, filter=NOT_TIDES).passages
    always = DraftlineRetriever(retriever=opened, filter=condition)
    once = DraftlineRetriever(retriever=opened)
    for documents in (
        always.invoke(TIDES),
        once.invoke(TIDES, filter=condition),
        run(once.ainvoke(TIDES, filter=condition)),
    ):
        assert [document.id for document in documents] == [passage.id for passage in everything]
    assert topics(once.invoke(TIDES))[0] == "tides"


def test_a_calls_filter_does_not_replace_the_retrievers(opened: Retriever) -> None:
    retriever = DraftlineRetriever(retriever=opened, filter=NOT_TIDES)
    either = Filter(must=(MatchAny("topic", ("bread", "lock", "tides")),))
    wider = retriever.invoke("What happens when a second writer wants the lock?", filter=either)
    assert topics(wider) == ["lock"]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("topic = tides", "give a Filter, Qdrant's JSON form"),
        ({"must": [{"key": "topik", "match": {"value": "tides"}}]}, "did you mean 'topic'"),
        (Filter(must=(MatchValue("topik", "tides"),)), "did you mean 'topic'"),
        (Comparison(comparator=Comparator.LIKE, attribute="topic", value="ti%"), "cannot be looked up"),
    ],
)
def test_a_filter_that_does_not_fit(retriever: DraftlineRetriever, condition: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        retriever.invoke(TIDES, filter=condition)


def prompt_of(given: dict[str, Any]) -> str:
    return f"{given['question']} {' '.join(document.page_content for document in given['context'])}"


class Recorder(BaseCallbackHandler):
    """Writes down what LangChain tells of retrievers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, dict[str, Any]]] = []

    def on_retriever_start(self, serialized: Any, query: str, **about: Any) -> None:
        self.calls.append(("start", query, about))

    def on_retriever_end(self, documents: Any, **about: Any) -> None:
        self.calls.append(("end", documents, about))

    def on_retriever_error(self, error: BaseException, **about: Any) -> None:
        self.calls.append(("error", error, about))

    def on_custom_event(self, name: str, data: Any, **about: Any) -> None:
        self.calls.append((name, data, about))


class AsyncRecorder(AsyncCallbackHandler):
    """The same for a chain that runs in a loop."""

    def __init__(self) -> None:
        self.inner = Recorder()

    async def on_retriever_start(self, serialized: Any, query: str, **about: Any) -> None:
        self.inner.on_retriever_start(serialized, query, **about)

    async def on_retriever_end(self, documents: Any, **about: Any) -> None:
        self.inner.on_retriever_end(documents, **about)

    async def on_custom_event(self, name: str, data: Any, **about: Any) -> None:
        self.inner.on_custom_event(name, data, **about)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_callbacks_in_a_chain(opened: Retriever, asynchronous: bool) -> None:
    retriever = DraftlineRetriever(retriever=opened, tags=["handbook"], metadata={"team": "docs"})
    question = RunnablePassthrough() | RunnableLambda(str.strip)
    chain = {"context": question | retriever, "question": question} | RunnableLambda(prompt_of)
    handler = AsyncRecorder() if asynchronous else Recorder()
    config: Any = {"callbacks": [handler], "tags": ["chain"], "metadata": {"user": "u1"}}
    padded = f"  {TIDES} "
    prompt = run(chain.ainvoke(padded, config)) if asynchronous else chain.invoke(padded, config)
    assert prompt.startswith(f"{TIDES} {FACTS['tides']}")
    recorder = handler.inner if isinstance(handler, AsyncRecorder) else handler
    (start, query, about), (event, plan, of_event), (end, documents, of_end) = recorder.calls
    assert (start, event, end) == ("start", PLAN_EVENT, "end")
    assert query == TIDES
    assert about["name"] == "DraftlineRetriever"
    assert {"handbook", "chain"} <= set(about["tags"])
    assert (
        about["metadata"].items() >= {"team": "docs", "user": "u1", "ls_retriever_name": "draftline"}.items()
    )
    assert plan["semantic_query"] == TIDES
    assert about["run_id"] == of_end["run_id"] == of_event["run_id"]
    assert topics(documents)[0] == "tides"


def test_a_runs_name_and_its_errors(retriever: DraftlineRetriever) -> None:
    recorder = Recorder()
    with pytest.raises(InputError, match="empty"):
        retriever.invoke(" ", {"callbacks": [recorder], "run_name": "looking it up"})
    (start, _, about), (name, error, _) = recorder.calls
    assert (start, about["name"], name) == ("start", "looking it up", "error")
    assert isinstance(error, InputError)


def test_events_of_a_stream(retriever: DraftlineRetriever) -> None:
    chain = retriever.with_config(run_name="passages") | RunnableLambda(topics)

    async def events() -> list[Any]:
        return [event async for event in chain.astream_events(TIDES, version="v2")]

    seen = {event["event"]: event for event in run(events()) if event["name"] in ("passages", PLAN_EVENT)}
    assert list(seen) == ["on_retriever_start", "on_custom_event", "on_retriever_end"]
    assert seen["on_custom_event"]["data"]["filter"] is None
    assert topics(seen["on_retriever_end"]["data"]["output"])[0] == "tides"


def test_a_field_can_be_left_to_the_caller(retriever: DraftlineRetriever) -> None:
    configurable = retriever.configurable_fields(top_k=ConfigurableField(id="how_many"))
    assert len(configurable.invoke(TIDES, {"configurable": {"how_many": 1}})) == 1
    assert len(configurable.invoke(TIDES)) > 1


def test_from_settings(settings: Settings) -> None:
    retriever = DraftlineRetriever.from_settings(settings, tenant="north", top_k=3, tags=["t"])
    assert (retriever.tenant, retriever.top_k, retriever.tags) == ("north", 3, ["t"])
    assert retriever.invoke(TIDES) == []  # an empty store
