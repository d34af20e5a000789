"""Prompts from a file: JSON lines of ``{"id", "prompt" or "messages", "passages"?}``.

``prompt`` is text as it stands; ``messages`` go through the model's chat template. Passages are what
the answer may copy from: those that the text does not hold already are put in front of its question,
and the passages of other lines pad it to a longer context.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from jinja2 import TemplateError
from pydantic import BaseModel, Field, ValidationError

from configs.errors import InputError

MARK = f"@{uuid.uuid4().hex}@"
"""Stands in a rendered chat where the question's turn begins."""


class Message(BaseModel):
    """A turn of a conversation."""

    role: str
    content: str


class Passage(BaseModel):
    """A passage; in the file its text alone will do."""

    text: str


class Line(BaseModel):
    """A line of the file."""

    id: str | int
    prompt: str | None = None
    messages: Annotated[list[Message], Field(min_length=1)] | None = None
    passages: list[str | Passage] = []

    def texts(self) -> list[str]:
        """The passages' texts."""
        return [passage if isinstance(passage, str) else passage.text for passage in self.passages]

    def body(self) -> str:
        """All that it says, passages aside."""
        if self.messages is None:
            return self.prompt or ""
        return "\n\n".join(message.content for message in self.messages)


@dataclass(frozen=True)
class BenchPrompt:
    """A prompt's tokens, in two parts: passages that pad it go between them."""

    id: str
    head: tuple[int, ...]
    """What comes before the question's turn: the system's words and earlier turns."""
    tail: tuple[int, ...]


def read_lines(file: Path) -> list[Line]:
    """The lines of a prompts file; empty ones do not count.

    Raises:
        InputError: the file cannot be read or holds no prompt, or a line is bad; says which and why.
    """
    try:
        texts = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f"--prompts {file}: cannot be read: {reason}") from None
    lines: list[Line] = []
    known: dict[str, int] = {}
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        line = _parse(text, f"{file}, line {number}")
        if (before := known.setdefault(str(line.id), number)) != number:
            raise InputError(f"{file}, line {number}: the id {line.id!r} is that of line {before} already")
        lines.append(line)
    if not lines:
        raise InputError(f"--prompts {file}: holds no prompts; write one JSON object a line")
    return lines


def _parse(text: str, where: str) -> Line:
    try:
        line = Line.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{where}: {f'{field}: ' if field else ''}{first['msg'].lower()}") from None
    if (line.prompt is None) == (line.messages is None):
        raise InputError(f"{where}: give it either a prompt or messages")
    if not line.body().strip():
        raise InputError(f"{where}: the prompt is empty")
    if line.messages and line.messages[-1].role != "user":
        raise InputError(
            f"{where}: messages end with role {line.messages[-1].role!r}; the last must be user's"
        )
    return line


def tokenize(line: Line, tokenizer: Any) -> BenchPrompt:
    """A line's tokens for one model.

    Raises:
        InputError: it has messages, and the model's tokenizer has no chat template for them.
    """
    missing = [text for text in line.texts() if text.strip() not in line.body()]
    evidence = "".join(f"[{number}] {text.strip()}\n\n" for number, text in enumerate(missing, 1))
    opening = f"Passages:\n\n{evidence}" if missing else ""
    if line.messages is None:
        head, tail = "", opening + (line.prompt or "")
        ids = encode(tail, tokenizer)
        first = list(tokenizer(tail)["input_ids"])[
            :1
        ]  # the one that begins a text, where the model wants one
        return BenchPrompt(str(line.id), tuple(first) if first != ids[:1] else (), tuple(ids))
    *earlier, last = line.messages
    asked = Message(role=last.role, content=MARK + opening + last.content)
    head, _, tail = _render([*earlier, asked], tokenizer, str(line.id)).partition(MARK)
    return BenchPrompt(str(line.id), tuple(encode(head, tokenizer)), tuple(encode(tail, tokenizer)))


def encode(text: str, tokenizer: Any) -> list[int]:
    """A piece of text, without the tokens that begin or end a whole one."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []


def _render(messages: Sequence[Message], tokenizer: Any, name: str) -> str:
    if tokenizer.chat_template is None:
        raise InputError(f"prompt {name} has messages, but this model has no chat template: give it a prompt")
    turns = [message.model_dump() for message in messages]
    try:
        text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except TemplateError as error:
        raise InputError(f"prompt {name}: the model's chat template refuses its messages: {error}") from None
    return text
