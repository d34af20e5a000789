"""What chunks may measure, and what they do: text, headings above it, header rows beside it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.blocks import Block
from ingest.boundaries import Range
from ingest.tokens import Tokenizer, TokenRuler, count_tokens
from retrieve.schema import embedding_text

PATH_SHARE = 4
"""The section path may take this part (a quarter) of what the embedder reads."""
HEADER_SHARE = 3
"""A table's header is repeated where it takes no more than this part (a third) of the budget."""
JOINT = 16
"""Tokens that a text may have more than its parts, which white space separates, have by themselves."""

Path = tuple[str, ...]


@dataclass(frozen=True)
class ChunkBudget:
    """How large a chunk may be, in the embedder's tokens."""

    text: int
    """Of a chunk's own text."""
    overlap: int
    """Of the text before it in the same section that it repeats."""
    whole: int
    """Of section path and text together, with special tokens: what the embedder reads."""


class Sizes:
    """Sizes in one body, whose blocks are known."""

    def __init__(self, body: str, blocks: Sequence[Block], budget: ChunkBudget, tokenizer: Tokenizer) -> None:
        self.body, self.blocks, self.budget, self.tokenizer = body, blocks, budget, tokenizer
        self.ruler = TokenRuler(body, tokenizer)
        self.special = tokenizer.num_special_tokens_to_add(False)
        self.starts = [block.start for block in blocks]
        self.rooms: dict[Path, int] = {}
        self.paths: dict[str, int] = {"": 0}
        """Tokens of section paths."""
        self.headers = {block.start: self._header_size(block) for block in blocks if block.kind == "table"}
        """Tokens of each table's header, where it is to be repeated."""

    def size(self, span: Range) -> int:
        """Tokens of a slice; see `TokenRuler.size`."""
        return self.ruler.size(*span)

    def cost(self, span: Range) -> int:
        """Tokens of a chunk's text and of the header that goes with it."""
        return self.size(span) + self.head(span[0])

    def block_at(self, position: int) -> Block:
        """The block that this position lies in."""
        return self.blocks[max(0, bisect_right(self.starts, position) - 1)]

    def _header_size(self, table: Block) -> int:
        """Tokens of the names of a table's columns; 0 where they are too many to be repeated."""
        end = self.body.find("\n", table.start, table.header)
        size = self.size((table.start, end if end >= 0 else table.header))
        return size if size * HEADER_SHARE <= self.budget.text else 0

    def head(self, position: int) -> int:
        """Tokens of the header that goes with a chunk which begins here."""
        block = self.block_at(position)
        return self.headers[block.start] if block.header and block.header <= position < block.end else 0

    def header(self, position: int) -> Range | None:
        """The header rows that go with a chunk which begins here."""
        block = self.block_at(position)
        return (block.start, block.header) if self.head(position) else None

    def room(self, path: Path) -> int:
        """Tokens that the text of a chunk under this path may have."""
        if path not in self.rooms:
            taken = self.above(path) + self.special
            room = min(self.budget.text, self.budget.whole - taken)
            self.rooms[path] = max(1, room - min(self.budget.overlap, room // 2))
        return self.rooms[path]

    def fit_path(self, path: Path) -> Path:
        """The path's innermost headings that fit; a heading that is longer alone is cut short."""
        limit = self.budget.whole // PATH_SHARE
        while path and self.above(path) > limit:
            innermost = path[-1]
            path = path[1:] or tuple(filter(None, [innermost[: len(innermost) // 2].rstrip()]))
        return path

    def fits(self, span: Range, path: Path) -> bool:
        """Whether the very text that is embedded fits; tokenized only where its parts leave that open."""
        if self._surely_fits(span, path):
            return True
        text = self.body[slice(*span)]
        header = self.header(span[0])
        whole = embedding_text(path, text, self.body[slice(*header)] if header else "")
        own, all_of_it = count_tokens([text, whole], self.tokenizer)
        return own <= self.budget.text and all_of_it + self.special <= self.budget.whole

    def _surely_fits(self, span: Range, path: Path) -> bool:
        """Whether the sum of the parts fits easily, and no part was measured across a word's middle."""
        if self.head(span[0]) or not all(map(self._between_words, span)):
            return False
        size = self.size(span) + JOINT
        return size <= self.budget.text and size + self.above(path) + self.special <= self.budget.whole

    def _between_words(self, position: int) -> bool:
        beside = self.body[max(0, position - 1) : position + 1]
        return position in (0, len(self.body)) or any(map(str.isspace, beside))

    def above(self, path: Path) -> int:
        """Tokens of a section path by itself."""
        text = " > ".join(path)
        if text not in self.paths:
            self.paths[text] = self.exactly(text)
        return self.paths[text]

    def exactly(self, text: str) -> int:
        """Tokens of a text by itself."""
        return count_tokens([text], self.tokenizer)[0]
