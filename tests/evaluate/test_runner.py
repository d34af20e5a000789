"""Asking a set: order, failures and interruptions."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from configs.errors import InputError
from evaluate.dataset import Item, Span
from evaluate.progress import progress
from evaluate.references import Place, Reference
from evaluate.runner import Asker, ask_all

from .conftest import BODY, LOCK, answer_json, citation_json, make_chunk, make_document

CHUNK = make_chunk(make_document(), 0, len(BODY))
FOUND = Reference(spans=((Place("ingest.md", BODY.index(LOCK), BODY.index(LOCK) + len(LOCK)),),), missing=())


def items(count: int) -> list[Item]:
    span = Span(document="ingest.md", quote=LOCK)
    return [Item(id=str(n), question=f"Question {n}", answer="Ten.", spans=(span,)) for n in range(count)]


def run(asked: list[Item], ask: Any, references: Mapping[str, Reference] | None = None) -> Any:
    known = references or {item.id: FOUND for item in asked}
    return ask_all(asked, Asker(ask, known), 4, done=lambda _: None, give_up=lambda: None)


def test_outcomes_come_in_the_order_of_the_items() -> None:
    late = threading.Event()

    def ask(question: str) -> dict[str, Any]:
        if question == "Question 0":
            late.wait(5)
        if question == "Question 3":
            late.set()
        return answer_json(LOCK, passages=(CHUNK,), citations=(citation_json(CHUNK, LOCK),))

    outcomes = run(items(4), ask)
    assert [outcome.id for outcome in outcomes] == ["0", "1", "2", "3"]
    assert outcomes[0].scores == {"answered": 1, "citation_overlap": 1, "citation_truth": 1}
    assert outcomes[0].passages[0].end == len(BODY)


def test_a_question_that_fails_is_an_outcome(caplog: pytest.LogCaptureFixture) -> None:
    def ask(question: str) -> dict[str, Any]:
        if question == "Question 0":
            raise InputError("the question is\n too long")
        if question == "Question 1":
            raise ZeroDivisionError("oh")
        return answer_json()

    first, second, third = run(items(3), ask)
    assert first.error == "the question is too long"
    assert second.error == "ZeroDivisionError: oh"
    assert "1 failed" in caplog.text, "a bug leaves its traceback in the log"
    assert third.error is None
    assert third.abstained
    assert not first.answered


def test_a_span_that_is_not_in_the_store_fails_its_item() -> None:
    asked = items(1)
    stale = Reference(spans=(), missing=asked[0].spans)
    (outcome,) = run(asked, answer_json, {"0": stale})
    assert outcome.error == f"the store has no ingest.md with {LOCK!r}"


def test_an_interruption_asks_no_more_and_ends_what_runs() -> None:
    closed, seen = threading.Event(), []

    def ask(question: str) -> dict[str, Any]:
        seen.append(question)
        assert len(seen) == 1 or closed.wait(10), "nobody ended the running answers"
        return answer_json()

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    asked = items(20)
    asker = Asker(ask, {item.id: FOUND for item in asked})
    with pytest.raises(KeyboardInterrupt):
        ask_all(asked, asker, 2, done=interrupt, give_up=closed.set)
    assert len(seen) < 6


@pytest.mark.parametrize("total", [1, 4, 80])
def test_a_log_gets_a_few_lines_of_progress(total: int) -> None:
    log = io.StringIO()
    with progress(total, Console(file=log)) as advance:
        for _ in range(total):
            advance()
    lines = log.getvalue().splitlines()
    assert len(lines) == min(total, 10)
    assert lines[-1] == f"{total}/{total} questions, about 0 s left"


def test_a_terminal_gets_a_bar() -> None:
    screen = io.StringIO()
    with progress(2, Console(file=screen, force_terminal=True)) as advance:
        advance()
        advance()
    assert "2/2" in screen.getvalue()
