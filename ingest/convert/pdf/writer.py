"""Blocks to markdown, with where each stretch of it stands in the PDF."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.convert.base import Region
from ingest.convert.pdf.blocks import Block, Part
from ingest.convert.pdf.pieces import HYPHEN

_LIKE_MARKUP = re.compile(r"#{1,6}(?=\s|$)|>|[-+*](?=\s|$)|```|~~~|={3,}\s*$|-{3,}\s*$|\|")
_LIKE_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_SAME_LINK = re.compile(r"\]\(([^\s()\[\]]{1,2000})\) \[([^\[\]]{1,2000})\]\(\1\)")
_TAIL = 80
_WORD = re.compile(r"[^\W\d_]+")
_HYPHENATED = re.compile(r"[^\W\d_]+-[^\W\d_]+")


class Hyphens:
    """Decides whether a hyphen at a line's end belongs to the word, by the document's other words."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._known: tuple[set[str], set[str]] | None = None

    def _words(self) -> tuple[set[str], set[str]]:
        if self._known is None:
            words, pairs = set(), set()
            for text in self._texts:
                lower = text.casefold()
                words.update(_WORD.findall(lower))
                if "-" in lower:
                    pairs.update(_HYPHENATED.findall(lower))
            self._known = words, pairs
        return self._known

    def joined(self, text: str, more: str) -> str:
        """Two lines as one; the first may end in a hyphen."""
        if not text.endswith((HYPHEN, "-")):
            return f"{text} {more}" if text and more else text + more
        start, end = _WORD.match(more), re.search(r"([^\W\d_]+)[-\ufffe]$", text)
        bare = text[:-1]
        if end is None or start is None:
            return f"{bare}-{more}" if end is not None else f"{bare}- {more}".replace(HYPHEN, "-")
        one, two = end[1].casefold(), start[0].casefold()
        if more[0].isupper():
            return f"{bare}-{more}"
        words, pairs = self._words()
        if one + two not in words and f"{one}-{two}" in pairs:
            return f"{bare}-{more}"
        return bare + more


@dataclass
class Writer:
    """Collects the body and its regions."""

    hyphens: Hyphens

    def __post_init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._regions: list[Region] = []

    def write(self, blocks: Sequence[Block]) -> tuple[str, tuple[Region, ...]]:
        """The whole body and its regions."""
        before: Block | None = None
        indents: list[int] = []
        for block in blocks:
            if before is not None:
                tight = before.kind == "item" and block.kind == "item"
                self._put("\n" if tight else "\n\n")
            if block.kind == "item":
                indents = indents[: block.level]
                self._put(" " * sum(indents) + block.marker + " ")
                indents += [len(block.marker) + 1] * (block.level + 1 - len(indents))
            self._block(block)
            before = block
        if self._parts:
            self._put("\n")
        return "".join(self._parts), tuple(self._regions)

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _region(self, start: int, part: Part) -> None:
        if self._length > start:
            self._regions.append(Region(start, self._length, part.page, part.box))

    def _block(self, block: Block) -> None:
        if block.kind == "table":
            self._table(block)
        elif block.kind == "code":
            self._code(block)
        elif block.kind == "heading":
            start = self._length
            title = self._text(block.parts[0].lines).replace(HYPHEN, "-")
            self._put("#" * block.level + " " + title)
            self._region(start, block.parts[0])
        else:
            self._prose(block)

    def _text(self, lines: Sequence[str]) -> str:
        text = ""
        pieces: list[str] = []
        for line in lines:
            # Only the end is looked at again: a paragraph of many lines stays linear.
            pieces.append(text[:-_TAIL])
            text = self.hyphens.joined(text[-_TAIL:], line)
        whole = "".join(pieces) + text
        return _SAME_LINK.sub(r" \2](\1)", whole) if "](" in whole else whole

    def _prose(self, block: Block) -> None:
        whole = ""
        bounds: list[tuple[int, int]] = []
        for number, part in enumerate(block.parts):
            text = escaped(self._text(part.lines), first=not number and block.kind == "paragraph")
            joined = self.hyphens.joined(whole[-_TAIL:], text)
            whole = whole[:-_TAIL] + joined[: len(joined) - len(text)]
            if bounds:
                bounds[-1] = bounds[-1][0], len(whole.rstrip())
            bounds.append((len(whole), len(whole) + len(text)))
            whole += text
        start = self._length
        self._put(whole.replace(HYPHEN, "-"))
        for part, (first, last) in zip(block.parts, bounds, strict=True):
            if last > first:
                self._regions.append(Region(start + first, start + last, part.page, part.box))

    def _code(self, block: Block) -> None:
        lines = [line for part in block.parts for line in part.lines]
        longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
        fence = "`" * max(3, longest + 1)
        self._put(fence + "\n")
        for part in block.parts:
            start = self._length
            self._put("\n".join(part.lines) + "\n")
            self._region(start, part)
        self._put(fence)

    def _table(self, block: Block) -> None:
        for number, part in enumerate(block.parts):
            start = self._length + bool(number)
            self._put("\n" * bool(number) + "\n".join(part.lines))
            self._region(start, part)


def table_lines(rows: Sequence[Sequence[str]], *, header: bool) -> list[str]:
    """The rows of a table as markdown; with ``header`` the first one is its header."""
    lines = [_row(row) for row in rows]
    return [lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]] if header else lines


def _row(cells: Sequence[str]) -> str:
    escaped_cells = (_LIKE_TAG.sub(r"\\<", cell.replace("|", r"\|")) for cell in cells)
    return "| " + " | ".join(escaped_cells) + " |"


def escaped(text: str, *, first: bool) -> str:
    """Prose that no reader of markdown takes for something else."""
    if "<" in text:
        text = _LIKE_TAG.sub(r"\\<", text)
    return "\\" + text if first and _LIKE_MARKUP.match(text) else text
