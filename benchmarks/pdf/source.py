"""Markdown as the blocks that a PDF is made of, and that are looked for in what is read from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

_READER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Piece:
    """A block of a text."""

    kind: Literal["heading", "paragraph", "list", "table", "code"]
    text: str = ""
    level: int = 0
    items: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    numbered: bool = False

    def words(self) -> str:
        """All of its text, as it is read."""
        cells = (cell for row in self.rows for cell in row)
        return " ".join([self.text, *self.items, *cells])


@dataclass(frozen=True)
class Text:
    """A document's name and its blocks."""

    name: str
    pieces: tuple[Piece, ...] = field(repr=False)


def texts(folder: Path) -> Iterator[Text]:
    """The markdown files of a folder."""
    for file in sorted(folder.glob("*.md")):
        yield Text(file.stem, tuple(_pieces(_READER.parse(_without_front_matter(file.read_text("utf-8"))))))


def _without_front_matter(text: str) -> str:
    return re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)


def _pieces(tokens: list[Token]) -> Iterator[Piece]:
    index = 0
    while index < len(tokens):
        token = tokens[index]
        end = index + 1
        if token.nesting == 1:
            end = next(n for n in range(index + 1, len(tokens)) if tokens[n].level == token.level) + 1
        inside = tokens[index:end]
        if token.type == "heading_open":
            yield Piece("heading", _plain(inside[1]), int(token.tag[1]))
        elif token.type == "paragraph_open":
            yield Piece("paragraph", _plain(inside[1]))
        elif token.type in ("fence", "code_block"):
            yield Piece("code", token.content.rstrip("\n"))
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            items = tuple(_plain(t) for t in inside if t.type == "inline")
            yield Piece("list", items=items, numbered=token.type == "ordered_list_open")
        elif token.type == "table_open":
            yield Piece("table", rows=tuple(_rows(inside)))
        index = end


def _rows(tokens: list[Token]) -> Iterator[tuple[str, ...]]:
    row: list[str] = []
    for token in tokens:
        if token.type == "inline":
            row.append(_plain(token))
        elif token.type == "tr_close":
            yield tuple(row)
            row = []


def _plain(inline: Token) -> str:
    texts = (" " if child.type == "softbreak" else child.content for child in inline.children or [])
    return " ".join("".join(texts).split())
