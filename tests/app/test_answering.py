"""Answers in the making: shared, stopped, failed, and never lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from app.answering import Job, Service, Streams
from app.history import Chats, Turn, new_chat
from configs.errors import EngineStoppedError, InputError, ModelError
from generate.answer import Event
from tests.app.scripted import GOOD, Reply, ScriptedAnswerer


def finish(job: Job, timeout: float = 5.0) -> Turn:
    deadline = time.monotonic() + timeout
    version = 0
    while job.running and time.monotonic() < deadline:
        version = job.wait(version, 0.1)
    assert not job.running
    return job.turn


def test_the_end_is_saved_before_it_is_shown(chats: Chats) -> None:
    service, chat = Service(lambda: ScriptedAnswerer(lambda question: GOOD)), new_chat()
    turn = finish(service.ask(chats, chat, "One?"))
    assert turn.state == "done"
    assert turn.answer == GOOD.text
    assert chats.load(chat.id).turns == (turn,)
    assert service.job(chat.id) is None


def test_text_grows_while_it_is_written(chats: Chats) -> None:
    reply = Reply("one two three four five", quotes=(), pause_s=0.05)
    service = Service(lambda: ScriptedAnswerer(lambda question: reply))
    job, seen, version = service.ask(chats, new_chat(), "One?"), [], 0
    while job.running:
        version = job.wait(version, 1)
        seen.append(job.turn.answer)
    assert len(set(seen)) >= 4
    assert all(reply.text.startswith(text) for text in seen)


def test_stop_ends_the_generation_and_keeps_what_is_there(chats: Chats) -> None:
    answerer = ScriptedAnswerer(lambda question: Reply("word " * 500, quotes=(), pause_s=0.02))
    service, chat = Service(lambda: answerer), new_chat()
    job = service.ask(chats, chat, "One?")
    while "word" not in job.turn.answer:
        job.wait(0, 0.05)
    job.cancel()
    turn = finish(job)
    assert turn.state == "stopped"
    assert answerer.cancelled == 1
    assert 0 < len(turn.answer) < 500
    assert chats.load(chat.id).turns == (turn,)


def test_one_question_at_a_time_in_a_conversation_many_in_all(chats: Chats) -> None:
    answerer = ScriptedAnswerer(lambda question: Reply("a b c d e f", quotes=(), pause_s=0.05))
    service, busy = Service(lambda: answerer), new_chat()
    jobs = [service.ask(chats, busy, "One?")]
    with pytest.raises(InputError, match="still being answered"):
        service.ask(chats, busy, "Two?")
    started = time.monotonic()
    jobs += [service.ask(chats, new_chat(), f"{number}?") for number in range(5)]
    assert all(finish(job).state == "done" for job in jobs)
    assert time.monotonic() - started < 6 * 6 * 0.05


def test_a_model_that_cannot_load_fails_the_turn_and_is_tried_again(chats: Chats) -> None:
    attempts = []

    def open_answerer() -> Streams:
        attempts.append(1)
        if len(attempts) == 1:
            raise ModelError("the model is not here; fetch it")
        return ScriptedAnswerer(lambda question: GOOD)

    service, chat = Service(open_answerer), new_chat()
    turn = finish(service.ask(chats, chat, "One?"))
    assert (turn.state, turn.error) == ("failed", "the model is not here; fetch it")
    assert not service.ready
    assert finish(service.ask(chats, chats.load(chat.id), "Two?")).state == "done"
    assert service.ready


def test_an_engine_that_has_ended_is_replaced(chats: Chats) -> None:
    class Ended(ScriptedAnswerer):
        closed = False

        def stream(self, question: str, **_: object) -> Iterator[Event]:
            raise EngineStoppedError("the engine failed: out of memory; start again")

        def close(self) -> None:
            self.closed = True

    ended = Ended(lambda question: GOOD)
    answerers = [ended, ScriptedAnswerer(lambda question: GOOD)]
    service, chat = Service(lambda: answerers.pop(0)), new_chat()
    turn = finish(service.ask(chats, chat, "One?"))
    assert turn.state == "failed"
    assert "out of memory" in (turn.error or "")
    assert ended.closed
    assert finish(service.ask(chats, chats.load(chat.id), "Two?")).state == "done"


def test_the_model_is_loaded_once(chats: Chats) -> None:
    opened = []

    def open_answerer() -> Streams:
        time.sleep(0.1)
        opened.append(1)
        return ScriptedAnswerer(lambda question: GOOD)

    service = Service(open_answerer)
    for _ in range(3):
        service.warm_up()
    jobs = [service.ask(chats, new_chat(), f"{number}?") for number in range(4)]
    assert all(finish(job).state == "done" for job in jobs)
    assert opened == [1]


def test_an_answer_that_cannot_be_saved_says_so(chats: Chats, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = Reply("word " * 20, quotes=(), pause_s=0.02)
    service, chat = Service(lambda: ScriptedAnswerer(lambda question: reply)), new_chat()
    job = service.ask(chats, chat, "One?")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    turn = finish(job)
    assert turn.state == "failed"
    assert "No space left" in turn.error
    assert turn.answer.startswith("word")
    assert service.job(chat.id) is None
