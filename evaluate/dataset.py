"""The golden set: questions whose answers, or whose lack of one, are known.

A JSON Lines file. An answerable line names the spans of the documents that answer it, quoted word
for word from the converted body; an unanswerable line has neither an answer nor spans:

    {"id": "a", "question": "...", "answer": "...", "spans": [{"document": "x.md", "quote": "..."}]}
    {"id": "b", "question": "...", "answerable": false}
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from configs.errors import InputError

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Span(_Line):
    """Words of a document that carry the answer."""

    document: Text
    """Path relative to the ingested root."""
    quote: Annotated[str, Field(min_length=1)]
    """Occurs verbatim in the document's converted body."""


class Item(_Line):
    """A question with what is known about its answer."""

    id: Text
    question: Text
    answerable: bool = True
    answer: Text | None = None
    """A reference answer in a person's words."""
    spans: tuple[Span, ...] = ()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.answerable and not (self.answer and self.spans):
            raise ValueError("an answerable question needs an answer and at least one span")
        if not self.answerable and (self.answer or self.spans):
            raise ValueError("an unanswerable question has no answer and no spans")
        return self

    @property
    def documents(self) -> tuple[str, ...]:
        """The reference documents, in order, each once."""
        return tuple(dict.fromkeys(span.document for span in self.spans))


def load_dataset(path: Path) -> list[Item]:
    """Read a golden set.

    Raises:
        InputError: a missing or empty file, or a bad line; the message names file, line and field.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(
            f"{path}: cannot read the dataset: {error.strerror}; set evaluate.dataset to a JSON Lines file"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the dataset is not UTF-8 (byte {error.start})") from None
    items: dict[str, Item] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        item = _parse(line, f"{path}, line {number}")
        if item.id in items:
            raise InputError(f"{path}, line {number}: the id {item.id!r} is taken by an earlier line")
        items[item.id] = item
    if not items:
        raise InputError(f"{path}: the dataset has no questions")
    return list(items.values())


def spread(items: Sequence[Item], limit: int | None) -> list[Item]:
    """``limit`` items taken evenly over the set, so that a short run sees all of its kinds."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[index * len(items) // limit] for index in range(limit)]


def _parse(line: str, where: str) -> Item:
    try:
        data: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON: {error.msg} at column {error.colno}") from None
    try:
        return Item.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{where}: {field + ': ' if field else ''}{message.lower()}") from None
