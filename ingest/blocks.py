"""The blocks of a body: headings, paragraphs, lists, code, tables; together they cover all of its text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import table as markdown_table
from markdown_it.token import Token

Kind = Literal["heading", "prose", "list", "quote", "code", "table", "lines"]

_KINDS: dict[str, Kind] = {
    "heading_open": "heading",
    "paragraph_open": "prose",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "blockquote_open": "quote",
    "fence": "code",
    "code_block": "code",
    "table": "table",
}
_HEADER_LINES = 2
"""Of a table: the names of its columns and the line below them."""
_EMPTY_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_LINE_END = re.compile("\n")


@dataclass(frozen=True)
class Block:
    """A stretch of a body, in code points; it begins at the start of a line."""

    start: int
    end: int
    kind: Kind
    """``lines`` is what is best cut at line ends and none of the others (HTML, rules)."""
    level: int = 0
    """Of a heading: 1 to 6."""
    title: str = ""
    """Of a heading: its text without markup."""
    parts: tuple[tuple[int, ...], ...] = ()
    """Where its parts begin (items of a list, rows of a table), sorted; those of the parts come after."""
    header: int = 0
    """Of a table: where its header rows end."""


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
    lines = [0, *(match.end() for match in _LINE_END.finditer(text)), len(text)]
    tokens = _parser().parse(text)
    tops = [i for i, token in enumerate(tokens) if not token.level and token.map and token.nesting >= 0]
    for index, following in pairwise([*tops, len(tokens)]):
        yield _block(tokens[index:following], lines)


def _block(tokens: Sequence[Token], lines: Sequence[int]) -> Block:
    """The block that these tokens make up."""
    first = tokens[0]
    start, end = _places(first, lines)
    kind = _KINDS.get(first.type, "lines")
    if kind == "heading":
        return Block(start, end, kind, int(first.tag[1]), _plain(tokens[1].content))
    if kind == "table" and first.map:
        top, bottom = first.map
        header = lines[min(top + _HEADER_LINES, bottom)]
        # The first row stays with the header: columns without a row say nothing.
        rows = tuple(lines[top + _HEADER_LINES + 1 : bottom])
        return Block(start, end, kind, parts=(rows,), header=header)
    return Block(start, end, kind, parts=_parts(tokens, lines) if kind in ("list", "quote") else ())


def _parts(tokens: Sequence[Token], lines: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Where the blocks within a list or a quotation begin, the outer ones first."""
    starts: dict[int, set[int]] = defaultdict(set)
    for token in tokens:
        if token.level and token.map and token.nesting >= 0 and token.type != "inline":
            starts[token.level].add(_places(token, lines)[0])
    return tuple(tuple(sorted(starts[level])) for level in sorted(starts))


def _places(token: Token, lines: Sequence[int]) -> tuple[int, int]:
    first, last = token.map or (0, 0)
    return lines[min(first, len(lines) - 1)], lines[min(last, len(lines) - 1)]


def _plain(markup: str) -> str:
    """A heading's text as a reader sees it, on one line."""
    children = _inline_parser().parseInline(markup)[0].children or []
    text = "".join(" " if child.type in ("softbreak", "hardbreak") else child.content for child in children)
    return " ".join(text.split())


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    """Blocks only: what is inside a paragraph does not matter here."""
    parser = MarkdownIt("commonmark").enable("table").disable("inline")
    parser.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    return parser


def _table(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    """A table as one token: a spreadsheet's million cells need none each."""
    if not markdown_table(state, first, last, True):
        return False
    if silent:
        return True
    ends = state.md.block.ruler.getRules("blockquote")
    line = first + _HEADER_LINES
    while (
        line < last
        and state.sCount[line] >= state.blkIndent
        and not state.isEmpty(line)
        and not state.is_code_block(line)
        and not any(rule(state, line, last, True) for rule in ends)
    ):
        line += 1
    state.push("table", "table", 0).map = [first, line]
    state.line = line
    return True


@lru_cache(maxsize=1)
def _inline_parser() -> MarkdownIt:
    return MarkdownIt("commonmark")
