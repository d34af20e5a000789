"""Questions through the whole house below the app: real store, embedder and model."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import generate.__main__ as command
from configs.cli import run_main
from configs.errors import InputError
from configs.settings import Settings, load_settings
from generate.answer import ABSTENTION, UNSUPPORTED, Answer, Answerer, Delta, Finished, Found, open_answerer
from generate.engine.engine import ContextOverflowError
from generate.speculate.factory import CHEAP
from generate.speculate.speculator import Speculator
from retrieve.filters import Filter, MatchValue
from retrieve.schema import Chunk, Document
from retrieve.store import open_store

PUMP = (
    "# Pump\n\nThe pump starts at noon and runs for two hours. Its filter is replaced every spring.\n\n"
    "A red lamp means that the filter is blocked. Switch the pump off before you open it."
)
VALVE = (
    "# Valve\n\nThe valve is made of brass. It opens slowly, so that no hammer blow runs through the pipes."
)
LIGHT = ("generate.kv_cache_mb=400", "generate.speculate=always")
"""Room for the model's whole context and no more; drafts, but no planner, who first measures step costs."""
SECRET = "# Safe\n\nThe code of the safe in the cellar is kept by the notary in Bern."


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, embedder: Any) -> Settings:
    """Settings whose store holds three documents, one of a tenant."""
    home = tmp_path_factory.mktemp("home")
    settings = load_settings(None, LIGHT, env={**os.environ, "DRAFTLINE_HOME": str(home)})
    documents = [("pump.md", PUMP, None), ("valve.md", VALVE, None), ("safe.md", SECRET, "acme")]
    chunks = [chunk(number, *document) for number, document in enumerate(documents)]
    with open_store(settings).writer(
        embedder=embedder.name, dimension=embedder.dimension, fields={}, wait_s=1
    ) as writer:
        writer.upsert(chunks, embedder.embed_documents([chunk.embedding_text() for chunk in chunks]))
        writer.commit()
    return settings


def chunk(number: int, path: str, body: str, tenant: str | None) -> Chunk:
    from datetime import UTC, datetime
    from uuid import UUID

    document = Document(
        id=str(UUID(int=number + 1)),
        path=path,
        root="/docs",
        type="markdown",
        body=body,
        metadata={"badge": "red"},
        content_hash=f"{number}",
        modified=datetime(2026, 1, 1, tzinfo=UTC),
        tenant=tenant,
    )
    section = (body.split("\n")[0].lstrip("# "),)
    return Chunk(str(UUID(int=100 + number)), document, 0, body, 0, len(body), section)


@pytest.fixture(scope="module")
def answerer(filled: Settings) -> Iterator[Answerer]:
    answerer = open_answerer(filled)
    yield answerer
    answerer.close()


def with_settings(answerer: Answerer, **changes: Any) -> Answerer:
    """The same engine and store with other answer settings."""
    settings = answerer._settings.model_copy(update=changes)
    return Answerer(answerer._retriever, answerer._service, answerer._tokenizer, settings)


BODIES = {"pump.md": PUMP, "valve.md": VALVE, "safe.md": SECRET}


def assert_true(answer: Answer) -> None:
    assert answer.citations
    for citation in answer.citations:
        assert BODIES[citation.document][citation.start : citation.end] == citation.quote
        assert answer.retrieval.passages[citation.marker - 1].id == citation.passage_id
        assert f"[{citation.marker}]" in answer.answer


def test_an_answer_quotes_truly(answerer: Answerer) -> None:
    answer = answerer.ask("What does a red lamp on the pump mean?")
    assert answer.answer.startswith("A red lamp means that the filter is blocked.")
    assert not answer.abstained
    assert_true(answer)
    assert answer.citations[0].section == ("Pump",)
    assert answer.stats.tokens >= 1
    assert answer.stats.prompt_tokens > 100
    assert answer.stats.ttft_s > 0


def test_events_add_up(answerer: Answerer) -> None:
    events = list(answerer.stream("What is the valve made of?"))
    found, *deltas, finished = events
    assert isinstance(found, Found)
    assert isinstance(finished, Finished)
    assert "".join(delta.text for delta in deltas if isinstance(delta, Delta)) == finished.answer.answer
    assert found.retrieval is finished.answer.retrieval


def test_the_lead_is_shown_before_the_model_has_read_the_prompt(answerer: Answerer) -> None:
    events = answerer.stream("What is the valve made of?")
    assert isinstance(next(events), Found)
    first = next(events)
    assert isinstance(first, Delta)
    assert VALVE.split("\n\n")[1].startswith(first.text[:10])
    events.close()  # type: ignore[attr-defined]


def test_a_model_may_write_by_itself(answerer: Answerer) -> None:
    free = with_settings(answerer, lead=0, min_support=0.0, max_tokens=24)
    answer = free.ask("What does a red lamp on the pump mean?")
    assert 1 < answer.stats.tokens <= 24
    assert answer.answer not in ("", ABSTENTION, UNSUPPORTED)


def test_an_answer_without_support_is_none(answerer: Answerer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generate.prompt.INSTRUCTIONS", "Answer in French, in a poem about the sea.")
    strict = with_settings(answerer, lead=0, min_support=1.0, min_quote_words=40)
    answer = strict.ask("What does a red lamp on the pump mean?")
    assert (answer.answer, answer.abstained, answer.citations) == (UNSUPPORTED, True, ())


def test_what_is_not_in_the_documents_is_not_answered(answerer: Answerer) -> None:
    answer = answerer.ask("Who won the chess tournament in Reykjavik?")
    assert (answer.answer, answer.abstained, answer.citations) == (ABSTENTION, True, ())
    assert answer.retrieval.passages == ()
    assert answer.to_json()["stats"]["tokens"] == 0


def test_another_tenants_documents_are_not_there(answerer: Answerer) -> None:
    question = "Who keeps the code of the safe in the cellar?"
    assert answerer.ask(question).abstained
    assert answerer.ask(question, tenant="other").abstained
    answer = answerer.ask(question, tenant="acme")
    assert "notary in Bern" in answer.answer
    assert_true(answer)


def test_a_follow_up_finds_its_prefix_and_a_stranger_does_not(answerer: Answerer) -> None:
    question = "When does the pump start, and for how long?"
    answerer.ask(question)
    again = answerer.ask(question)
    assert again.stats.cached_prompt_tokens > again.stats.prompt_tokens / 2
    assert answerer.ask(question, access=["hr"]).stats.cached_prompt_tokens == 0


def test_a_filter_holds(answerer: Answerer) -> None:
    only_valve = Filter(must=(MatchValue("_dl.document", "valve.md"),))
    answer = answerer.ask("What is the valve made of?", filter=only_valve)
    assert {passage.document for passage in answer.retrieval.passages} == {"valve.md"}


def test_earlier_turns_are_shown(answerer: Answerer) -> None:
    question = "What is the valve made of?"
    alone = answerer.ask(question).stats.prompt_tokens
    history = [("What is a pump?", "A machine. " * 20)] * 9
    assert alone + 9 * 40 > answerer.ask(question, history=history).stats.prompt_tokens > alone + 4 * 40
    assert (
        with_settings(answerer, history_turns=0).ask(question, history=history).stats.prompt_tokens == alone
    )


def test_a_question_longer_than_the_context_says_by_how_much(answerer: Answerer) -> None:
    with pytest.raises(InputError, match=r"the question is \d+ tokens too long") as error:
        answerer.ask("What is the valve made of? " * 3000)
    assert not isinstance(error.value, ContextOverflowError)


def test_closing_a_stream_frees_the_engine(answerer: Answerer) -> None:
    free = with_settings(answerer, lead=0, min_support=0.0, max_tokens=160)
    events = free.stream("When does the pump start?")
    for event in events:
        if isinstance(event, Delta):
            break
    events.close()  # type: ignore[attr-defined]
    assert answerer.ask("When does the pump start?").citations


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to reach beyond this machine fails and is recorded."""
    attempts: list[Any] = []
    connect = socket.socket.connect

    def refuse(_: Any, address: Any, *more: Any) -> None:
        attempts.append(address)
        raise OSError("no network in this test")

    def within(own: socket.socket, address: Any) -> None:
        return connect(own, address) if own.family == socket.AF_UNIX else refuse(own, address)

    monkeypatch.setattr(socket.socket, "connect", within)  # processes of this machine may talk
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **names: refuse(None, host))
    return attempts


@pytest.fixture
def run(
    filled: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """``python -m generate`` over the filled store: exit code, stdout, stderr."""
    monkeypatch.setenv("DRAFTLINE_HOME", str(filled.home))

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        light = [word for override in LIGHT for word in ("--set", override)]
        code = run_main("generate", "Answers questions.", command.COMMANDS, argv=[*words, *light])
        return code, *capsys.readouterr()

    return run


def test_the_command_says_how_a_follow_up_was_read(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("ask", "And when does it start?", "--after", "What does the pump do?")
    assert code == 0
    assert "read together with “What does the pump do?”" in err
    assert "[1] pump.md > Pump\n" in out


def test_the_command_prints_answer_and_proof(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("ask", "What does a red lamp on the pump mean?")
    assert code == 0
    assert "A red lamp means that the filter is blocked. [1]" in out
    assert "[1] pump.md > Pump\n" in out
    assert "first words after" in out


def test_with_json_there_is_nothing_else(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("ask", "--json", "What does a red lamp on the pump mean?")
    assert code == 0
    assert json.loads(out).keys() == {"answer", "abstained", "citations", "plan", "passages", "stats"}


BADGE = '{"must": [{"key": "badge", "match": {"value": "blue"}}]}'


def test_the_command_s_filter_holds(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("ask", "--json", "What does a red lamp on the pump mean?", "--filter", BADGE)
    assert code == 0
    assert json.loads(out)["passages"] == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["ask", "  "], "the question is empty"),
        (["ask", "What?", "--filter", "{"], "--filter is not JSON"),
        (["ask", "What?", "--filter", '{"must": 3}'], "filter"),
        (["ask", "What?", "--filter", BADGE, "--set", "retrieve.fields={badge: {private: true}}"], "badge"),
        (["ask", "What?", "--model", "no-such-model"], "no-such-model"),
    ],
)
def test_a_bad_question_is_one_line(
    run: Callable[..., tuple[int, str, str]], words: list[str], line: str
) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert line in err
    assert "Traceback" not in err


def test_the_whole_way_without_a_network(
    run: Callable[..., tuple[int, str, str]],
    home: Path,
    tmp_path: Path,
    no_network: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    from ingest.__main__ import main as ingest

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "pump.md").write_text(PUMP)
    (tmp_path / "docs" / "valve.html").write_text(f"<html><body><p>{VALVE[9:]}</p></body></html>")
    assert ingest([str(tmp_path / "docs")]) == 0
    capsys.readouterr()
    code, out, _ = run("ask", "--json", "What does a red lamp on the pump mean?")
    assert code == 0
    assert json.loads(out)["citations"][0]["document"] == "pump.md"
    assert (home / "store").is_dir()
    assert no_network == []


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_text_and_citations_are_the_same_without_drafts(answerer: Answerer, temperature: float) -> None:
    engine = answerer._service._engine
    free = with_settings(answerer, lead=0, min_support=0.0, max_tokens=40, temperature=temperature)
    before = engine.speculator
    try:
        engine.speculator = Speculator([CHEAP["copy"](), CHEAP["recycle"]()], limit=16, planner=None)
        drafted = free.ask("What does a red lamp on the pump mean?")
        engine.speculator = None
        plain = free.ask("What does a red lamp on the pump mean?")
    finally:
        engine.speculator = before
    assert drafted.answer == plain.answer
    assert drafted.citations == plain.citations
    assert drafted.stats.tokens == plain.stats.tokens > 5
    assert drafted.stats.tokens_per_step > 1 == plain.stats.tokens_per_step
