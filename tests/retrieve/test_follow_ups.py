"""Questions that lean on the one before, and what is searched for then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.settings import Settings
from retrieve.embed import Embedder
from retrieve.filters import Filter, MatchValue
from retrieve.follow_ups import joined, leans, topic_of
from retrieve.retriever import Retriever
from retrieve.self_query.linker import Linker
from retrieve.self_query.plan import QueryPlan
from retrieve.store import open_store
from tests.retrieve.samples import make_chunk, make_document
from tests.retrieve.test_linker import catalog

TODAY = date(2024, 5, 1)


@pytest.mark.parametrize(
    "question",
    [
        "When does it run?",
        "And who repairs the motor?",
        "What about brass valves?",
        "Why?",
        "How much?",
        "Are they expensive?",
        "What is that?",
        "Who wrote this?",
        "What does this mean?",
        "Where did she work before?",
        "How does that affect the motor?",
        "Is there another?",
        "Which ones are cheaper?",
        "Tell me more.",
        "Can those be cleaned?",
        "Does it need oil?",
        "Do they need oil?",
        "Who makes them?",
        "What happens to them in winter?",
        "What causes these?",
        "Where can I read more about them?",
    ],
)
def test_a_question_that_leans(question: str) -> None:
    assert leans(question)


@pytest.mark.parametrize(
    "question",
    [
        "When does the pump run?",
        "What happens to the pump when it fails?",
        "Does Ada repair what she sells?",
        "Is it possible to clean a valve?",
        "How long does it take to clean a valve?",
        "Why is the sky blue?",
        "Which valve fits this pump?",
        "Which articles did Osei write since March?",
        "Who repairs motors that were made in Graz?",
        "What is the difference between a pump and a motor?",
        "How do employees submit their expenses?",
        "What does IT support do?",
        "What is our IT policy?",
        "What do former employees get?",
        "What if the pump fails?",
        "Do batteries age when they are cold?",
        "泵什么时候运行？",
    ],
)
def test_a_question_that_stands_for_itself(question: str) -> None:
    assert not leans(question)


def test_the_topic_is_the_last_question_that_stands_for_itself() -> None:
    earlier = ["Who makes the motor?", "What does the pump do?", "When does it run?", "And who cleans it?"]
    assert topic_of(earlier) == "What does the pump do?"
    assert topic_of(["Why?", "And when?"]) is None
    assert topic_of([]) is None


def test_a_follow_up_takes_over_conditions_of_which_it_says_nothing() -> None:
    linker = Linker(catalog())
    topic = linker.read("What did Osei write about solar power since 2021?", TODAY)
    plan = linker.read("And since 2023?", TODAY)
    both = joined(topic, plan)
    shown = {
        both.question[start:end] for finding in both.findings for start, end in finding.spans
    }  # the words that each condition came from, in the text that both questions make
    assert any("2023" in words for words in shown)
    assert not any("2021" in words for words in shown)
    assert any("Osei" in words for words in shown)
    assert both.explanation().endswith(f'read together with "{topic.question}"')
    assert both.to_json()["topic"] == topic.question


def test_a_fact_that_is_asked_about_a_list_is_no_list() -> None:
    linker = Linker(catalog())
    topic = linker.read("What did Osei write in 2021?", TODAY)
    assert joined(topic, linker.read("And in 2023?", TODAY)).listing
    for asked in ("And when did Osei write it in 2023?", "And what changed in 2023?", "Has anyone in 2023?"):
        assert not joined(topic, linker.read(asked, TODAY)).listing


def test_conditions_on_one_field_do_not_contradict_each_other() -> None:
    linker = Linker(catalog())
    topic = linker.read("What did Osei write about solar power in 2021 or 2023?", TODAY)
    both = joined(topic, linker.read("And in 2024?", TODAY))
    dates = [finding for finding in both.findings if "published" in finding.keys]
    assert len(dates) == 1
    assert both.question[slice(*dates[0].spans[0])] == "2024"


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=200))
def test_any_text(first: str, second: str, long: str) -> None:
    leans(first)
    topic = topic_of([first, second])
    assert topic is None or topic in (first, second)
    plan = joined(QueryPlan(long, long), QueryPlan(second, second))
    assert plan.question == f"{long} {second}"
    assert plan.topic == long


FACTS = {
    "pump.md": ("acme", "The pump cools the reactor. The pump starts at noon and stops at midnight."),
    "press.md": ("acme", "The printing press starts at six in the morning and stops at eight."),
    "motor.md": ("other", "The pump's motor starts at noon when the reactor is hot. The pump is red."),
}


@pytest.fixture
def retriever(embedder: Embedder, make_settings: Callable[..., Settings], home: Path) -> Iterator[Retriever]:
    settings = make_settings()
    store = open_store(settings)
    documents = [
        replace(make_document(number, tenant=tenant), path=path, body=body)
        for number, (path, (tenant, body)) in enumerate(FACTS.items())
    ]
    chunks = [make_chunk(document) for document in documents]
    with store.writer(embedder=embedder.name, dimension=embedder.dimension, fields={}, wait_s=5) as writer:
        writer.upsert(chunks, embedder.embed_documents([chunk.embedding_text() for chunk in chunks]))
        writer.commit()
    yield Retriever(store, embedder, settings)
    store.close()


def first(retriever: Retriever, question: str, *earlier: str) -> str | None:
    found = retriever.retrieve(question, earlier=earlier, tenant="acme").passages
    return found[0].document if found else None


def test_a_follow_up_is_searched_for_with_its_topic(retriever: Retriever) -> None:
    assert first(retriever, "When does it start?", "What cools the reactor?") == "pump.md"
    assert first(retriever, "When does it start?", "Who owns the printing press?") == "press.md"
    assert (
        first(retriever, "And when does it stop?", "What cools the reactor?", "When does it start?")
        == "pump.md"
    )


def test_a_question_that_stands_for_itself_is_searched_for_alone(retriever: Retriever) -> None:
    question = "When does the printing press start?"
    alone = retriever.retrieve(question, tenant="acme")
    assert retriever.retrieve(question, earlier=["What cools the reactor?"], tenant="acme") == alone
    assert alone.plan.question == question


def test_what_finds_nothing_with_its_topic_is_searched_for_alone(retriever: Retriever) -> None:
    question = "And the printing press?"
    found = retriever.retrieve(
        question, earlier=["How do whales sing under the ice of the Arctic?"], tenant="acme"
    )
    assert found.passages[0].document == "press.md"
    assert found.plan.question == question


def test_the_callers_labels_hold_for_follow_ups_too(retriever: Retriever) -> None:
    for earlier in ("What is red?", "Which motor belongs to the pump?"):
        found = retriever.retrieve("Is it hot?", earlier=[earlier], tenant="acme").passages
        assert all(passage.document != "motor.md" for passage in found)


def test_the_setting_leaves_each_question_alone(
    retriever: Retriever, embedder: Embedder, make_settings: Callable[..., Settings]
) -> None:
    alone = Retriever(open_store(make_settings()), embedder, make_settings("retrieve.follow_ups=off"))
    plan = alone.retrieve("When does it start?", earlier=["What cools the reactor?"], tenant="acme").plan
    assert plan.question == "When does it start?"


def test_the_callers_own_filter_holds_for_follow_ups_too(retriever: Retriever) -> None:
    found = retriever.retrieve(
        "When does it start?",
        earlier=["What cools the reactor?"],
        tenant="acme",
        filter=Filter(must=(MatchValue("_dl.document", "press.md"),)),
    )
    assert {passage.document for passage in found.passages} <= {"press.md"}
