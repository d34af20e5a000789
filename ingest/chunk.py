"""Documents to chunks: along headings, within the embedder's budget, with exact offsets.

It knows markdown's blocks and the embedder's tokenizer; it knows nothing of files or stores.

A body becomes sections (headings with what follows them), long sections are cut at the best boundary
that fits, short ones are merged with their neighbours, and every chunk is a plain slice of the body. What
a chunk needs from elsewhere, the header of the table whose rows it begins with, is kept beside its text.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

from ingest.blocks import Block, markdown_blocks, text_blocks
from ingest.boundaries import BOUNDARIES, WORD, Range, split_after, split_at
from ingest.convert.kinds import KINDS
from ingest.regions import RegionIndex
from ingest.sizes import ChunkBudget as ChunkBudget
from ingest.sizes import Path, Sizes
from ingest.tokens import Tokenizer
from retrieve.schema import Chunk, Document

NAMESPACE = uuid.UUID("6b1f0a52-93c4-5d0e-8a77-3f2d9c41e6b8")
TINY = 4
"""A chunk below this part (a quarter) of the budget joins a neighbour that has room."""
INTRO_SHARE = 4
"""What leads to a list or stands above a table may take this part (a quarter) of it to stay with it."""
INTRO_END = 16
"""Code points at the end of a paragraph in which a colon is looked for."""

_EMPTY_START = re.compile(r"\s*\n")


@dataclass(frozen=True)
class Span:
    """Where a chunk lies in a body, and under which headings."""

    start: int
    end: int
    section: Path = ()
    parent: Range = (0, 0)
    """The section that it lies in, from the heading to the next one; of a chunk of several, all of them."""
    header: Range | None = None
    """The header rows of the table in which it begins, where it begins below them."""
    copies: tuple[int, ...] = ()
    """See `Chunk.copies`."""


def document_id(root: str, path: str) -> str:
    """The id of the document at this root and path, over all its updates."""
    return str(uuid.uuid5(NAMESPACE, f"{root}\0{path}"))


def make_chunks(document: Document, spans: Iterable[Span]) -> Iterator[Chunk]:
    """The chunks that lie at these spans."""
    namespace = uuid.UUID(document.id)
    end: int | None = None
    regions = RegionIndex(document.regions)
    for ordinal, span in enumerate(spans):
        identity = str(uuid.uuid5(namespace, f"{document.content_hash}:{ordinal}"))
        text = document.body[span.start : span.end]
        gap = "" if end is None else document.body[end : span.start]
        header = document.body[slice(*span.header)].rstrip() if span.header else ""
        where = regions.within(span.start, span.end)
        place = (identity, document, ordinal, text, span.start, span.end, span.section, gap)
        yield Chunk(*place, span.parent, header, where, span.copies)
        end = span.end


def chunk_body(body: str, kind: str, budget: ChunkBudget, tokenizer: Tokenizer) -> list[Span]:
    """Cut a body into spans that cover all its text, each non-space character once (but for overlap).

    Args:
        kind: the document's type; those without markup have only paragraphs.
    """
    blocks = markdown_blocks(body) if KINDS[kind].markup else text_blocks(body)
    found = list(blocks)
    return _Chunker(body, found, Sizes(body, found, budget, tokenizer)).run()


class _Chunker:
    def __init__(self, body: str, blocks: Sequence[Block], sizes: Sizes) -> None:
        self.body, self.blocks, self.sizes, self.budget = body, blocks, sizes, sizes.budget

    def run(self) -> list[Span]:
        spans = []
        for path, section in _sections(self.blocks):
            section_path = self.sizes.fit_path(path)
            limit = self.sizes.room(section_path)
            parent = self.without_space((section[0].start, section[-1].end))
            for start, end in self.pack(self.atoms(section, limit), limit):
                spans.append(Span(start, end, section_path, parent))
        merged = self.merged([self.trimmed(span) for span in spans])
        whole = self.overlapped([exact for span in merged for exact in self.exact(span)])
        return [replace(span, header=self.sizes.header(span.start)) for span in whole]

    def atoms(self, section: Sequence[Block], limit: int) -> list[Range]:
        """The section in pieces that fit, cut no further than needed; what leads to a block stays with it."""
        atoms: list[Range] = []
        lead: int | None = None
        for block, following in zip(section, [*section[1:], None], strict=True):
            start = block.start if lead is None else lead
            lead = None
            if following is not None and self.leads(start, block, following, limit):
                lead = start
            elif self.sizes.size((start, block.end)) <= limit:
                atoms.append((start, block.end))
            else:
                left = limit - (self.sizes.size((start, block.start)) if start < block.start else 0)
                first, *rest = self.cut((block.start, block.end), block, left)
                atoms += [(start, first[1]), *rest]
        return atoms

    def leads(self, start: int, block: Block, following: Block, limit: int) -> bool:
        """Whether a block belongs to the one after it: a heading, a caption, words that end in a colon."""
        size = self.sizes.size((start, block.end))
        if block.kind == "heading":
            return size <= limit // 2
        short = block.kind == "prose" and size <= limit // INTRO_SHARE
        ending = self.body[max(block.start, block.end - INTRO_END) : block.end].rstrip() if short else ""
        return short and (following.kind == "table" or ending.endswith((":", "\uff1a")))

    def cut(self, span: Range, block: Block, limit: int) -> list[Range]:
        """A block in pieces that fit: between its parts, at its kind's boundaries, then anywhere."""
        limit = max(1, limit - self.sizes.headers.get(block.start, 0))
        splits: list[Callable[[Range], list[Range]]] = [
            *(partial(split_at, marks) for marks in block.parts),
            *(partial(split_after, boundary, self.body) for boundary in BOUNDARIES[block.kind]),
        ]
        pieces = [span]
        for split in splits:
            pieces = [
                part
                for piece in pieces
                for part in ([piece] if self.sizes.size(piece) <= limit else split(piece))
            ]
        return [part for piece in pieces for part in self.halved(piece, limit)]

    def halved(self, span: Range, limit: int) -> Iterator[Range]:
        if self.sizes.size(span) <= limit or span[1] - span[0] <= 1:
            yield span
            return
        middle = (span[0] + span[1]) // 2
        yield from self.halved((span[0], middle), limit)
        yield from self.halved((middle, span[1]), limit)

    def pack(self, atoms: Sequence[Range], limit: int) -> Iterator[Range]:
        """Put atoms together up to the limit, in chunks of about equal size."""
        if not atoms:
            return
        total = self.sizes.size((atoms[0][0], atoms[-1][1]))
        room = max(1, limit - max(self.sizes.head(start) for start, _ in atoms))
        target = total / -(-total // room) if total else limit
        start, end = atoms[0]
        for atom in atoms[1:]:
            if self.sizes.cost((start, atom[1])) > limit or self.sizes.size((start, end)) >= target:
                yield (start, end)
                start = atom[0]
            end = atom[1]
        yield (start, end)

    def trimmed(self, span: Span) -> Span:
        start, end = self.without_space((span.start, span.end))
        return replace(span, start=start, end=end)

    def without_space(self, span: Range) -> Range:
        """Without white space at the end and empty lines at the start."""
        text = self.body[slice(*span)]
        indent = _EMPTY_START.match(text)
        return span[0] + (indent.end() if indent else 0), span[0] + len(text.rstrip())

    def merged(self, spans: Iterable[Span]) -> list[Span]:
        """Neighbours of which one is tiny become one, under the headings that they share."""
        merged: list[Span] = []
        for span in spans:
            if span.start >= span.end:
                continue
            if merged and (union := self.union(merged[-1], span)) is not None:
                merged[-1] = union
            else:
                merged.append(span)
        return merged

    def union(self, a: Span, b: Span) -> Span | None:
        tiny = self.budget.text // TINY
        shared = _common(a.section, b.section)
        near = len(shared) >= max(1, min(len(a.section), len(b.section)) - 1)
        if not near and max(len(a.section), len(b.section)) > 1:
            return None
        if min(self.sizes.size((a.start, a.end)), self.sizes.size((b.start, b.end))) >= tiny:
            return None
        if self.sizes.cost((a.start, b.end)) > self.sizes.room(shared):
            return None
        return Span(a.start, b.end, shared, (a.parent[0], b.parent[1]))

    def exact(self, span: Span) -> Iterator[Span]:
        """The span, cut further where the tokens of the very text that is embedded are too many."""
        if span.end - span.start <= 1 or self.sizes.fits((span.start, span.end), span.section):
            yield span
            return
        half = max(1, self.sizes.size((span.start, span.end)) // 2)
        for start, end in self.cut((span.start, span.end), self.sizes.block_at(span.start), half):
            piece = self.trimmed(replace(span, start=start, end=end))
            if piece.start < piece.end:
                yield from self.exact(piece)

    def overlapped(self, spans: Sequence[Span]) -> list[Span]:
        """Each chunk begins with the last words of the one before it, where they share a section."""
        if not self.budget.overlap or not spans:
            return list(spans)
        return [spans[0], *(self.extended(span, before) for before, span in pairwise(spans))]

    def extended(self, span: Span, before: Span) -> Span:
        if before.section != span.section or self.sizes.head(span.start):
            return span
        size, most = self.sizes.size, self.budget.overlap
        starts = (word.end() for word in WORD.finditer(self.body, before.start, span.start))
        start = next((s for s in starts if size((s, span.start)) <= most), span.start)
        repeated = self.sizes.exactly(self.body[start : span.start])
        fits = repeated <= most and self.sizes.fits((start, span.end), span.section)
        return replace(span, start=start) if fits else span


def _sections(blocks: Iterable[Block]) -> Iterator[tuple[Path, list[Block]]]:
    """Headings with the blocks that follow them; a heading that has none leads the next section."""
    stack: list[Block] = []
    section: list[Block] = []
    for block in blocks:
        if block.kind == "heading":
            if any(other.kind != "heading" for other in section):
                yield _path(stack), section
                section = []
            stack = [*(outer for outer in stack if outer.level < block.level), block]
        section.append(block)
    if section:
        yield _path(stack), section


def _path(stack: Iterable[Block]) -> Path:
    return tuple(heading.title for heading in stack if heading.title)


def _common(a: Path, b: Path) -> Path:
    length = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[:length]
