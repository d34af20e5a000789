"""The blocks of a body: headings, paragraphs, code, tables; together they cover all of its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from markdown_it import MarkdownIt

_PROSE = "paragraph_open"
_EMPTY_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_LINE_END = re.compile("\n")


@dataclass(frozen=True)
class Block:
    """A stretch of a body, in code points; it begins at the start of a line."""

    start: int
    end: int
    kind: Literal["heading", "prose", "lines"]
    """``lines`` are best cut at line ends (code, tables, lists), ``prose`` at sentences."""
    level: int = 0
    """Of a heading: 1 to 6."""
    title: str = ""
    """Of a heading: its text without markup."""


def text_blocks(body: str, offset: int = 0) -> Iterator[Block]:
    """The paragraphs of plain text; ``offset`` is added to their positions."""
    cuts = [0, *(match.end() for match in _EMPTY_LINES.finditer(body)), len(body)]
    for start, end in pairwise(cuts):
        if body[start:end].strip():
            yield Block(start + offset, end + offset, "prose")


def markdown_blocks(body: str) -> Iterator[Block]:
    """The top-level blocks of markdown; what the parser has no token for (link definitions) is prose."""
    text = body.replace("\r", "\n")  # one for one, so that offsets stay those of the body
    position = 0
    for block in _parsed(text):
        yield from text_blocks(text[position : block.start], position)
        if text[block.start : block.end].strip():
            yield block
        position = block.end
    yield from text_blocks(text[position:], position)


def _parsed(text: str) -> Iterator[Block]:
    starts = [0, *(match.end() for match in _LINE_END.finditer(text)), len(text)]
    tokens = _parser().parse(text)
    for index, token in enumerate(tokens):
        if token.level or token.map is None or token.nesting < 0:
            continue
        start, end = (starts[min(line, len(starts) - 1)] for line in token.map)
        if token.type == "heading_open":
            title = _plain(tokens[index + 1].content)
            yield Block(start, end, "heading", int(token.tag[1]), title)
        else:
            yield Block(start, end, "prose" if token.type == _PROSE else "lines")


def _plain(markup: str) -> str:
    """A heading's text as a reader sees it, on one line."""
    children = _inline_parser().parseInline(markup)[0].children or []
    text = "".join(" " if child.type in ("softbreak", "hardbreak") else child.content for child in children)
    return " ".join(text.split())


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    """Blocks only: what is inside a paragraph does not matter here."""
    return MarkdownIt("commonmark").enable("table").disable("inline")


@lru_cache(maxsize=1)
def _inline_parser() -> MarkdownIt:
    return MarkdownIt("commonmark")
