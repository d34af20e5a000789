"""Documents to chunks: along headings, within the embedder's budget, with exact offsets.

It knows markdown's blocks and the embedder's tokenizer; it knows nothing of files or stores.

A body becomes sections (headings with what follows them), long sections are cut at the best boundary
that fits, short ones are merged with their neighbours, and every chunk is a plain slice of the body.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.blocks import Block, markdown_blocks, text_blocks
from ingest.convert.kinds import KINDS
from ingest.tokens import Tokenizer, TokenRuler, count_tokens
from retrieve.schema import Chunk, Document

NAMESPACE = uuid.UUID("6b1f0a52-93c4-5d0e-8a77-3f2d9c41e6b8")
TINY = 4
"""A chunk below this part (a quarter) of the budget joins a neighbour that has room."""
PATH_SHARE = 4
"""The section path may take this part (a quarter) of what the embedder reads."""

_EMPTY_LINE, _LINE, _WORD = re.compile(r"\n[^\S\n]*\n\s*"), re.compile(r"\n"), re.compile(r"\s+")
_SENTENCE = re.compile(r"""(?<=[.!?…])["'”’)\]]*\s+|(?<=[。！？])""")
_BOUNDARIES = {
    "heading": (_SENTENCE, _WORD),
    "prose": (_EMPTY_LINE, _SENTENCE, _LINE, _WORD),
    "lines": (_EMPTY_LINE, _LINE, _SENTENCE, _WORD),
}

Range = tuple[int, int]
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


@dataclass(frozen=True)
class Span:
    """Where a chunk lies in a body, and under which headings."""

    start: int
    end: int
    section: Path = ()


def document_id(root: str, path: str) -> str:
    """The id of the document at this root and path, over all its updates."""
    return str(uuid.uuid5(NAMESPACE, f"{root}\0{path}"))


def make_chunks(document: Document, spans: Iterable[Span]) -> Iterator[Chunk]:
    """The chunks that lie at these spans."""
    namespace = uuid.UUID(document.id)
    end: int | None = None
    for ordinal, span in enumerate(spans):
        identity = str(uuid.uuid5(namespace, f"{document.content_hash}:{ordinal}"))
        text = document.body[span.start : span.end]
        gap = "" if end is None else document.body[end : span.start]
        yield Chunk(identity, document, ordinal, text, span.start, span.end, span.section, gap)
        end = span.end


def chunk_body(body: str, kind: str, budget: ChunkBudget, tokenizer: Tokenizer) -> list[Span]:
    """Cut a body into spans that cover all its text, each non-space character once (but for overlap).

    Args:
        kind: the document's type; those without markup have only paragraphs.
    """
    blocks = markdown_blocks(body) if KINDS[kind].markup else text_blocks(body)
    return _Chunker(body, budget, tokenizer).run(list(blocks))


class _Chunker:
    def __init__(self, body: str, budget: ChunkBudget, tokenizer: Tokenizer) -> None:
        self.body, self.budget, self.tokenizer = body, budget, tokenizer
        self.ruler = TokenRuler(body, tokenizer)
        self.special = count_tokens([""], tokenizer, special=True)[0]
        self.rooms: dict[Path, int] = {}

    def run(self, blocks: Sequence[Block]) -> list[Span]:
        spans = []
        for path, section in _sections(blocks):
            section_path = self.fit_path(path)
            limit = self.room(section_path)
            for start, end in self.pack(self.atoms(section, limit), limit):
                spans.append(Span(start, end, section_path))
        merged = self.merged([self.trimmed(span) for span in spans])
        return self.overlapped([exact for span in merged for exact in self.exact(span)])

    def size(self, span: Range) -> int:
        return self.ruler.size(*span)

    def room(self, path: Path) -> int:
        """Tokens that the text of a chunk under this path may have."""
        if path not in self.rooms:
            taken = count_tokens([" > ".join(path)], self.tokenizer, special=False)[0] + self.special
            room = min(self.budget.text, self.budget.whole - taken)
            self.rooms[path] = max(1, room - min(self.budget.overlap, room // 2))
        return self.rooms[path]

    def fit_path(self, path: Path) -> Path:
        """The path's innermost headings that fit; a heading that is longer alone is cut short."""
        limit = self.budget.whole // PATH_SHARE
        while path and count_tokens([" > ".join(path)], self.tokenizer, special=False)[0] > limit:
            innermost = path[-1]
            path = path[1:] or tuple(filter(None, [innermost[: len(innermost) // 2].rstrip()]))
        return path

    def atoms(self, section: Sequence[Block], limit: int) -> list[Range]:
        """The section in pieces that fit, cut no further than needed; a heading stays with what follows."""
        atoms: list[Range] = []
        lead: int | None = None
        for block in section:
            start = block.start if lead is None else lead
            head = self.size((start, block.end)) if block.kind == "heading" else 0
            if block.kind == "heading" and head <= limit // 2 and block is not section[-1]:
                lead = start
            elif self.size((start, block.end)) <= limit:
                atoms.append((start, block.end))
                lead = None
            else:
                left = limit - (self.size((start, block.start)) if start < block.start else 0)
                first, *rest = self.cut((block.start, block.end), block.kind, left)
                atoms += [(start, first[1]), *rest]
                lead = None
        return atoms

    def cut(self, span: Range, kind: str, limit: int) -> list[Range]:
        """A block in pieces that fit: at its kind's best boundaries, then at worse ones, then anywhere."""
        pieces = [span]
        for boundary in _BOUNDARIES[kind]:
            pieces = [
                part
                for piece in pieces
                for part in ([piece] if self.size(piece) <= limit else _split(self.body, piece, boundary))
            ]
        return [part for piece in pieces for part in self.halved(piece, limit)]

    def halved(self, span: Range, limit: int) -> Iterator[Range]:
        if self.size(span) <= limit or span[1] - span[0] <= 1:
            yield span
            return
        middle = (span[0] + span[1]) // 2
        yield from self.halved((span[0], middle), limit)
        yield from self.halved((middle, span[1]), limit)

    def pack(self, atoms: Sequence[Range], limit: int) -> Iterator[Range]:
        """Put atoms together up to the limit, in chunks of about equal size."""
        if not atoms:
            return
        total = self.size((atoms[0][0], atoms[-1][1]))
        target = total / -(-total // limit) if total else limit
        start, end = atoms[0]
        for atom in atoms[1:]:
            if self.size((start, atom[1])) > limit or self.size((start, end)) >= target:
                yield (start, end)
                start = atom[0]
            end = atom[1]
        yield (start, end)

    def trimmed(self, span: Span) -> Span:
        """Without white space at the end and empty lines at the start."""
        text = self.body[span.start : span.end]
        start = span.start
        indent = re.match(r"\s*\n", text)
        if indent is not None:
            start += indent.end()
        return Span(start, span.start + len(text.rstrip()), span.section)

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
        if min(self.size((a.start, a.end)), self.size((b.start, b.end))) >= tiny:
            return None
        return Span(a.start, b.end, shared) if self.size((a.start, b.end)) <= self.room(shared) else None

    def exact(self, span: Span) -> Iterator[Span]:
        """The span, cut further where the tokens of the very text that is embedded are too many."""
        if span.end - span.start <= 1 or self.fits(span):
            yield span
            return
        half = max(1, self.size((span.start, span.end)) // 2)
        for start, end in self.cut((span.start, span.end), "prose", half):
            piece = self.trimmed(Span(start, end, span.section))
            if piece.start < piece.end:
                yield from self.exact(piece)

    def fits(self, span: Span) -> bool:
        text = self.body[span.start : span.end]
        whole = "\n".join((" > ".join(span.section), text)) if span.section else text
        return (
            count_tokens([text], self.tokenizer, special=False)[0] <= self.budget.text
            and count_tokens([whole], self.tokenizer, special=True)[0] <= self.budget.whole
        )

    def overlapped(self, spans: Sequence[Span]) -> list[Span]:
        """Each chunk begins with the last words of the one before it, where they share a section."""
        if not self.budget.overlap or not spans:
            return list(spans)
        return [spans[0], *(self.extended(span, before) for before, span in pairwise(spans))]

    def extended(self, span: Span, before: Span) -> Span:
        if before.section != span.section:
            return span
        words = _WORD.finditer(self.body, before.start, span.start)
        starts = [word.end() for word in words]
        start = next((s for s in starts if self.size((s, span.start)) <= self.budget.overlap), span.start)
        wider = Span(start, span.end, span.section)
        repeated = count_tokens([self.body[start : span.start]], self.tokenizer, special=False)[0]
        return wider if repeated <= self.budget.overlap and self.fits(wider) else span


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


def _split(body: str, span: Range, boundary: re.Pattern[str]) -> list[Range]:
    cuts = [span[0], *(match.end() for match in boundary.finditer(body, *span)), span[1]]
    return [(a, b) for a, b in pairwise(cuts) if a < b]


def _common(a: Path, b: Path) -> Path:
    length = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[:length]
