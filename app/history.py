"""Conversations, and the files they are kept in: ``home/chats/<id>.json``, one a conversation.

Knows nothing about Streamlit or the engine. A turn holds all that the page shows of it, so that a
conversation looks the same after its documents have changed.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from configs.errors import DraftlineError

if TYPE_CHECKING:
    from generate.answer import Answer
    from retrieve.retriever import Retrieval
    from retrieve.schema import Passage

_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_TITLE_LENGTH = 60
_LISTED = 100


class ChatError(DraftlineError):
    """A conversation that cannot be shown."""


class DamagedChatError(ChatError):
    """A conversation whose file is there and cannot be read."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Quote(_Record):
    """Words of the answer that stand in a source; offsets count code points in the document's body."""

    marker: int
    quote: str
    start: int
    end: int
    page: int | None = None


class Source(_Record):
    """A passage as it was when it was found; ``start`` is its offset in the document's body."""

    id: str
    document: str
    section: tuple[str, ...]
    text: str
    start: int
    header: str = ""
    also_in: tuple[str, ...] = ()


class Figures(_Record):
    """What the engine measured for an answer."""

    ttft_s: float
    tokens: int
    tokens_per_s: float
    tokens_per_step: float
    cached_prompt_tokens: int


State = Literal["answering", "done", "stopped", "failed"]


class Turn(_Record):
    """A question and what became of it. Marker n stands for ``sources[n - 1]``."""

    question: str
    remarks: tuple[str, ...] = ()
    """How it was read: with which conditions, and which of them were given up."""
    state: State = "answering"
    answer: str = ""
    abstained: bool = False
    error: str = ""
    sources: tuple[Source, ...] = ()
    quotes: tuple[Quote, ...] = ()
    figures: Figures | None = None

    def found(self, retrieval: Retrieval) -> Turn:
        """The turn once retrieval has found its passages."""
        sources = tuple(map(_source, retrieval.passages))
        return self.model_copy(update={"sources": sources, "remarks": retrieval.plan.remarks()})

    def finished(self, answer: Answer) -> Turn:
        """The turn once the answer is whole."""
        quotes = tuple(
            Quote(marker=item.marker, quote=item.quote, start=item.start, end=item.end, page=item.page)
            for item in answer.citations
        )
        stats = answer.stats
        figures = Figures(
            ttft_s=stats.ttft_s,
            tokens=stats.tokens,
            tokens_per_s=stats.tokens_per_s,
            tokens_per_step=stats.tokens_per_step,
            cached_prompt_tokens=stats.cached_prompt_tokens,
        )
        return self.found(answer.retrieval).model_copy(
            update={
                "state": "done",
                "answer": answer.answer,
                "abstained": answer.abstained,
                "quotes": quotes,
                "figures": figures,
            }
        )


class Chat(_Record):
    """A conversation."""

    id: str
    title: str = ""
    turns: tuple[Turn, ...] = ()

    def history(self) -> list[tuple[str, str]]:
        """Questions and answers so far, oldest first, for a follow-up question."""
        return [(turn.question, turn.answer) for turn in self.turns if turn.state == "done" and turn.answer]


@dataclass(frozen=True)
class Entry:
    """A line in the list of conversations."""

    id: str
    title: str
    changed: datetime


def new_chat() -> Chat:
    """An empty conversation with an id that cannot be guessed (128 random bits); nothing is saved yet."""
    return Chat(id=secrets.token_urlsafe(16))


def is_chat_id(text: str) -> bool:
    """Whether a text from outside, say from a URL, can be an id (and so part of a file's name)."""
    return _ID.fullmatch(text) is not None


class Chats:
    """Conversations by id; safe to use from many threads of one process.

    Args:
        folder: where they are kept (created when the first is saved); None keeps them in memory only.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._memory: dict[str, Chat] = {}
        self._lock = threading.Lock()

    def load(self, chat_id: str) -> Chat:
        """Read a conversation.

        Raises:
            ChatError: there is none with this id.
            DamagedChatError: its file is damaged.
        """
        if not is_chat_id(chat_id):
            raise ChatError("this address names no conversation; start a new chat")
        if self.folder is None:
            chat = self._memory.get(chat_id)
            if chat is None:
                raise ChatError("this conversation is not kept any more; start a new chat")
            return chat
        path = self._path(self.folder, chat_id)
        try:
            return Chat.model_validate_json(path.read_bytes()).model_copy(update={"id": chat_id})
        except FileNotFoundError:
            raise ChatError("this conversation was deleted or never saved; start a new chat") from None
        except (OSError, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a saved conversation"
            raise DamagedChatError(
                f"{path} cannot be read ({reason}); delete it here, or start a new chat"
            ) from None

    def add_turn(self, chat: Chat, question: str) -> int:
        """Append a question, saving the conversation if it is new; returns the turn's position."""
        with self._lock:
            with contextlib.suppress(ChatError):
                chat = self.load(chat.id)
            turns = (*chat.turns, Turn(question=question))
            self._save(chat.model_copy(update={"turns": turns, "title": chat.title or _title(question)}))
            return len(turns) - 1

    def set_turn(self, chat_id: str, position: int, turn: Turn) -> None:
        """Replace a turn; does nothing where the conversation was deleted meanwhile."""

        def change(chat: Chat) -> Chat:
            turns = [*chat.turns]
            turns[position] = turn
            return chat.model_copy(update={"turns": tuple(turns)})

        self._change(chat_id, change)

    def rename(self, chat_id: str, title: str) -> None:
        """Give a conversation another title; an empty one changes nothing."""
        title = _title(title)
        if title:
            self._change(chat_id, lambda chat: chat.model_copy(update={"title": title}))

    def delete(self, chat_id: str) -> None:
        """Remove a conversation and its file; one that is gone already is no error."""
        with self._lock:
            self._memory.pop(chat_id, None)
            if self.folder is not None and is_chat_id(chat_id):
                self._path(self.folder, chat_id).unlink(missing_ok=True)

    def list(self) -> list[Entry]:
        """The latest conversations, latest first; a damaged one is listed under a title that says so."""
        if self.folder is None:
            now = datetime.now(UTC)
            return [Entry(chat.id, chat.title, now) for chat in reversed(self._memory.values())]
        entries = []
        for path in self.folder.glob("*.json"):
            if is_chat_id(path.stem):
                with contextlib.suppress(FileNotFoundError):
                    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                    entries.append(Entry(path.stem, "", changed))
        entries.sort(key=lambda entry: entry.changed, reverse=True)
        return [Entry(entry.id, self._title_of(entry.id), entry.changed) for entry in entries[:_LISTED]]

    def _title_of(self, chat_id: str) -> str:
        try:
            return self.load(chat_id).title
        except ChatError:
            return "(cannot be read)"

    def _change(self, chat_id: str, change: Callable[[Chat], Chat]) -> None:
        with self._lock, contextlib.suppress(ChatError):
            self._save(change(self.load(chat_id)))

    def _save(self, chat: Chat) -> None:
        if self.folder is None:
            self._memory[chat.id] = chat
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A file of its own beside the target, then a rename: a reader or a crash sees the old or the new.
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".saving-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(chat.model_dump_json(indent=1))
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path(self.folder, chat.id))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @staticmethod
    def _path(folder: Path, chat_id: str) -> Path:
        assert is_chat_id(chat_id)
        return folder / f"{chat_id}.json"


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"


def _source(passage: Passage) -> Source:
    return Source(
        id=passage.id,
        document=passage.document,
        section=passage.section,
        text=passage.text,
        start=passage.start,
        header=passage.header,
        also_in=tuple(passage.also_in()),
    )
