"""What becomes of a follow-up that a chat model rewrites."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import EngineStoppedError, SettingsError
from configs.settings import Settings
from retrieve.embed import Embedder
from retrieve.filters import MatchValue
from retrieve.follow_ups import leans, own_last
from retrieve.retriever import Retriever
from retrieve.rewrite import SCHEMA, rewritten
from retrieve.self_query.lexicon import follow_up_words
from retrieve.self_query.plan import Finding, QueryPlan
from retrieve.self_query.text import clean, words
from retrieve.store import open_store
from retrieve.visibility import visible_to
from tests.retrieve.samples import make_chunk, make_document

EARLIER = ["Who makes the Rotax motor?", "What does the brass valve cost?"]


class Saying:
    """A chat model that always says the same, and what it was asked."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[tuple[Sequence[tuple[str, str]], Mapping[str, Any], str]] = []

    def complete(
        self, messages: Sequence[tuple[str, str]], *, schema: Mapping[str, Any], max_tokens: int, salt: str
    ) -> str:
        self.asked.append((messages, schema, salt))
        return self.answer


def saying(question: object) -> Saying:
    return Saying(json.dumps({"question": question}))


@pytest.mark.parametrize(
    ("question", "proposal"),
    [
        ("And when is it cleaned?", "When is the brass valve cleaned?"),
        ("And when should it not be cleaned?", "When should the brass valve not be cleaned?"),
        ("And what does the steel valve cost?", "What does the steel valve cost?"),
        ("Which one is cheaper?", "Which brass valve is cheaper?"),
        ("Why doesn't it leak?", "Why does the brass valve not leak?"),
        ("What about steel valves?", "What does the steel valve cost?"),
        ("Why?", "Why does the brass valve cost that?"),
    ],
)
def test_what_the_conversation_says_is_taken(question: str, proposal: str) -> None:
    assert rewritten(saying(proposal), question, EARLIER, "") == proposal


@pytest.mark.parametrize(
    ("question", "proposal"),
    [
        ("And when is it cleaned?", "When is the copper valve cleaned?"),  # nobody spoke of copper
        ("And when is it cleaned?", "When is the Rotax motor cleaned?"),  # that was before
        ("And when is it cleaned?", "Why is the brass valve cleaned?"),
        ("And when is it cleaned?", "When is the brass valve not cleaned?"),
        ("And which must not be cleaned?", "Which brass valve must be cleaned?"),
        ("Why?", "What does the brass valve cost?"),
        ("And when is it cleaned?", "What does the brass valve cost?"),  # what was asked is lost
        ("And when is it cleaned?", "When is it cleaned?"),  # nothing is gained
        ("And when is it cleaned?", "And when is it cleaned, the valve?"),  # it leans as before
        ("And when is it cleaned?", "The brass valve is cleaned on Mondays."),
        ("And when is it cleaned?", ""),
        ("And when is it cleaned?", None),
        ("And when is it cleaned?", ["When is the brass valve cleaned?"]),
    ],
)
def test_what_it_does_not_say_is_not(question: str, proposal: object) -> None:
    assert rewritten(saying(proposal), question, EARLIER, "") is None


PUMPS, PANELS, MOTOR, OSEI = (
    "Which pumps must not be cleaned?",
    "How are solar panels recycled?",
    "When was the Rotax motor built?",
    "What did Osei write about pumps?",
)


@pytest.mark.parametrize(
    ("topic", "question", "proposal", "taken"),
    [
        (PUMPS, "And the valves?", "Which valves must not be cleaned?", True),
        (PUMPS, "And the valves?", "Which valves must be cleaned?", False),
        (PUMPS, "What about valves?", "Which valves must be cleaned?", False),
        (PANELS, "What about batteries?", "How are batteries recycled?", True),
        (PANELS, "What about batteries?", "How are batteries not recycled?", False),
        (PANELS, "What about batteries?", "What are batteries?", False),
        (MOTOR, "And the steel valve?", "When was the steel valve built?", True),
        (MOTOR, "And the steel valve?", "Why was the steel valve built?", False),
        (MOTOR, "And who cleans it?", "Who cleans the motor?", True),
        (MOTOR, "And who cleans it?", "Who cleans?", False),
        (MOTOR, "And why can't it be cleaned?", "Why can the motor not be cleaned?", True),
        (MOTOR, "And why can't it be cleaned?", "Why can the motor be cleaned?", False),
        (MOTOR, "Was it expensive?", "Was the Rotax motor expensive?", True),
        (OSEI, "And about Brandt?", "What did Osei write about Brandt?", True),
        (OSEI, "And about Brandt?", "What did Brandt write about pumps?", False),
        ("Who won the cup in 2019?", "And in 2020?", "Who won the cup in 2020?", True),
    ],
)
def test_a_rewriting_asks_what_is_asked(topic: str, question: str, proposal: str, taken: bool) -> None:
    assert (rewritten(saying(proposal), question, [topic], "") == proposal) is taken


@pytest.mark.parametrize("answer", ["", "no JSON", '{"question": "When is the br', "[]", '{"other": 1}', "7"])
def test_an_answer_in_another_form_rewrites_nothing(answer: str) -> None:
    assert rewritten(Saying(answer), "And when is it cleaned?", EARLIER, "") is None


def test_a_model_that_fails_rewrites_nothing() -> None:
    class Failing:
        def complete(self, *args: object, **options: object) -> str:
            raise EngineStoppedError("gone")

    assert rewritten(Failing(), "And when is it cleaned?", EARLIER, "") is None


def test_the_model_is_shown_the_last_questions_and_held_to_the_form() -> None:
    chat = saying("When is the brass valve cleaned?")
    since = [f"And in 20{number}?" for number in range(20, 26)]
    rewritten(chat, "And when is it cleaned?", [*EARLIER, *since], "north")
    (messages, schema, salt) = chat.asked[0]
    shown = messages[-1][1].splitlines()
    assert shown == [
        f"1. {EARLIER[1]}",  # which they all lean on
        "2. And in 2023?",
        "3. And in 2024?",
        "4. And in 2025?",
        "5. And when is it cleaned?",
    ]
    assert (schema, salt) == (SCHEMA, "north")


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_any_text(proposal: str, question: str, earlier: str) -> None:
    said = rewritten(saying(proposal), question, [earlier], "")
    if said is not None:
        assert said == clean(proposal).strip()
        assert not leans(said)
        assert said.casefold() != earlier.casefold()
        spoken = {word.stem for text in (question, earlier) for word in words(text)}
        table = follow_up_words()
        silent = table.grammar | table.interrogatives | table.negations | table.pronouns | table.plural
        assert all(w.stem in spoken for w in words(said) if w.norm not in silent | table.others)


FACTS = {
    "brass.md": "The brass valve costs nine euros. The brass valve is cleaned with vinegar.",
    "motor.md": "The Rotax motor is made in Austria. The Rotax motor is cleaned with petrol.",
}


@pytest.fixture
def ask(
    embedder: Embedder, make_settings: Callable[..., Settings], home: Path
) -> Callable[[Saying, str, Sequence[str]], Any]:
    settings = make_settings("retrieve.follow_ups=model")
    store = open_store(settings)
    chunks = []
    for number, (author, text) in enumerate(zip(("Ada Kovacs", "Ben Osei"), FACTS.values(), strict=True)):
        document = replace(make_document(number, {"author": author}, tenant="acme"), body=text)
        chunks.append(make_chunk(document))
    name, dimension = embedder.name, embedder.dimension
    with store.writer(embedder=name, dimension=dimension, fields={"author": "keyword"}, wait_s=5) as writer:
        writer.upsert(chunks, embedder.embed_documents([chunk.embedding_text() for chunk in chunks]))
        writer.commit()

    def ask(chat: Saying, question: str, earlier: Sequence[str]) -> Any:
        return Retriever(store, embedder, settings, chat).retrieve(question, earlier=earlier, tenant="acme")

    return ask


def test_the_rewritten_question_is_searched_for(ask: Callable[..., Any]) -> None:
    chat = saying("What is the Rotax motor cleaned with?")
    found = ask(chat, "And what is it cleaned with?", EARLIER[:1])
    assert "petrol" in found.passages[0].text
    assert found.question == found.plan.original == "And what is it cleaned with?"
    assert found.plan.question == "What is the Rotax motor cleaned with?"
    assert 'read as "What is the Rotax motor' in found.plan.explanation()
    assert found.plan.to_json()["original"] == "And what is it cleaned with?"
    assert chat.asked[0][2] == repr(visible_to("acme", None, all_tenants=False))


def test_its_conditions_are_read_out_of_it(ask: Callable[..., Any]) -> None:
    chat = saying("What did Ben Osei write about the Rotax motor?")
    found = ask(chat, "And what about the Rotax motor?", ["What did Ben Osei write about petrol?"])
    assert found.plan.filter.must == (MatchValue("author", "Ben Osei"),)


def test_what_the_follow_up_says_itself_is_given_up_last() -> None:
    plan = own_last(
        QueryPlan(
            "What did Ben Osei write about vinegar since 2020?",
            "vinegar",
            (
                Finding(MatchValue("author", "Ben Osei"), ((9, 17),), 1.4, "author"),
                Finding(MatchValue("year", 2020), ((44, 48),), 0.7, "year"),
            ),
        ),
        "And since 2020?",
    )
    assert [finding.confidence for finding in plan.findings] == [0.7, 0.7]


def test_what_does_not_hold_is_read_by_its_words(ask: Callable[..., Any]) -> None:
    found = ask(saying("Who sells whales?"), "And what is it cleaned with?", EARLIER)
    assert "vinegar" in found.passages[0].text
    assert (found.plan.original, found.plan.topic) == ("", EARLIER[-1])


def test_a_question_that_stands_for_itself_is_not_shown_to_the_model(ask: Callable[..., Any]) -> None:
    chat = saying("What is the Rotax motor cleaned with?")
    ask(chat, "What is the brass valve cleaned with?", EARLIER)
    ask(chat, "And what is it cleaned with?", [])
    ask(chat, "Where did Ben Osei learn to clean motors?", EARLIER)  # the linker alone reads conditions
    assert chat.asked == []


def test_no_model_is_a_clear_error(
    embedder: Embedder, make_settings: Callable[..., Settings], home: Path
) -> None:
    settings = make_settings("retrieve.follow_ups=model")
    with pytest.raises(SettingsError, match="set it to words"):
        Retriever(open_store(settings), embedder, settings)


@pytest.mark.parametrize(("old", "way"), [("true", "words"), ("false", "off"), ("model", "model")])
def test_old_values_of_the_setting_still_hold(
    make_settings: Callable[..., Settings], old: str, way: str
) -> None:
    assert make_settings(f"retrieve.follow_ups={old}").retrieve.follow_ups == way
