"""Answers in the making: each has a thread of its own, and pages only watch.

So a reload, a click or a closed tab never loses an answer: whoever opens the conversation sees it go
on, and it is saved when it is whole. Only `Job.cancel` ends it early. Knows nothing about Streamlit.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Protocol, cast

from app.history import Chat, Chats, Turn
from configs.errors import DraftlineError, EngineStoppedError, InputError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from generate.answer import Event

_log = logging.getLogger(__name__)


class Streams(Protocol):
    """The part of `generate.answer.Answerer` that the chat needs."""

    def stream(self, question: str, *, history: Sequence[tuple[str, str]] = ()) -> Iterator[Event]: ...

    def close(self) -> None: ...


class Job:
    """One question being answered; many threads may watch it."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._version = 0
        self._changed = threading.Condition()
        self._cancelled = threading.Event()
        self.started = time.monotonic()

    @property
    def turn(self) -> Turn:
        """The turn as it is now, with the answer as far as it has come."""
        return self._turn

    @property
    def running(self) -> bool:
        return self._turn.state == "answering"

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stop writing the answer; what is there stays."""
        self._cancelled.set()

    def wait(self, version: int, timeout: float) -> int:
        """Wait until the turn has changed since ``version`` (0 at first), at most ``timeout`` seconds.

        Returns:
            The version of `turn` now.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, timeout)
            return self._version

    def publish(self, turn: Turn) -> None:
        """Show the turn to whoever is watching."""
        with self._changed:
            self._turn = turn
            self._version += 1
            self._changed.notify_all()


class Service:
    """What all pages of the process share: one answerer, and the answers in the making.

    Args:
        open_answerer: called once, when the first page opens; called again if it failed.
    """

    def __init__(self, open_answerer: Callable[[], Streams]) -> None:
        self._open = open_answerer
        self._answerer: Streams | None = None
        self._opening = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Start to load the model, so that it is there when the first question comes."""
        if self._answerer is None and not self._opening.locked():
            threading.Thread(target=self._try_open, name="warm-up", daemon=True).start()

    @property
    def ready(self) -> bool:
        """Whether the model is loaded."""
        return self._answerer is not None

    def job(self, chat_id: str) -> Job | None:
        """The answer in the making in this conversation, if there is one."""
        with self._lock:
            return self._jobs.get(chat_id)

    def ask(self, chats: Chats, chat: Chat, question: str) -> Job:
        """Append a question to a conversation and start to answer it.

        Raises:
            InputError: the conversation's last question is still being answered.
        """
        with self._lock:
            if chat.id in self._jobs:
                raise InputError("the last question is still being answered; wait or stop it first")
            position = chats.add_turn(chat, question)
            job = self._jobs[chat.id] = Job(Turn(question=question))
        threading.Thread(
            target=self._answer, args=(chats, chat, position, job), name=f"answer-{chat.id}", daemon=True
        ).start()
        return job

    def _answer(self, chats: Chats, chat: Chat, position: int, job: Job) -> None:
        end = self._ending(job, chat.history())
        try:
            chats.set_turn(chat.id, position, end)
        except Exception as error:
            _log.exception("a conversation could not be saved")
            reason = error.strerror if isinstance(error, OSError) else type(error).__name__
            end = _failed(end, f"this conversation could not be saved ({reason}); is the disk full?")
        with self._lock:
            del self._jobs[chat.id]
        # Last, so that a page that sees the end finds the conversation saved and free for a question.
        job.publish(end)

    def _ending(self, job: Job, history: list[tuple[str, str]]) -> Turn:
        try:
            return self._follow(job, history)
        except DraftlineError as error:
            return _failed(job.turn, " ".join(str(error).split()))
        except Exception as error:
            _log.exception("a question could not be answered")
            kind = type(error).__name__
            return _failed(job.turn, f"a fault inside Draftline ({kind}); the app's log has the details")

    def _follow(self, job: Job, history: list[tuple[str, str]]) -> Turn:
        from generate.answer import Delta, Finished, Found

        turn, answerer = job.turn, self._opened()
        try:
            events = cast("Generator[Event]", answerer.stream(turn.question, history=history))
            with closing(events):
                for event in events:
                    match event:
                        case Found(retrieval=retrieval):
                            turn = turn.found(retrieval)
                        case Delta(text=text):
                            turn = turn.model_copy(update={"answer": turn.answer + text})
                        case Finished(answer=answer):
                            return turn.finished(answer)
                    if job.cancelled:
                        break
                    job.publish(turn)
        except EngineStoppedError:
            self._let_go(answerer)
            raise
        return turn.model_copy(update={"state": "stopped"})

    def _let_go(self, ended: Streams) -> None:
        """Forget an answerer whose engine has ended: the next question opens another."""
        with self._opening:
            if self._answerer is ended:
                self._answerer = None
                ended.close()

    def _try_open(self) -> None:
        try:
            self._opened()
        except DraftlineError as error:
            # The first question meets the same error and shows it; the log has it earlier.
            _log.warning("%s", error)
        except Exception:
            _log.exception("the model could not be loaded")

    def _opened(self) -> Streams:
        with self._opening:
            if self._answerer is None:
                self._answerer = self._open()
            return self._answerer


def _failed(turn: Turn, error: str) -> Turn:
    return turn.model_copy(update={"state": "failed", "error": error})
