"""The types that packages share: documents, chunks, passages and their metadata.

A payload in the store is the user's metadata at top level, under its own names, and what
Draftline adds in one object under the key ``_dl`` (so a filter names it ``_dl.document``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Scalar = str | int | float | bool | datetime
MetadataValue = Scalar | list[str] | list[int] | list[float] | list[bool] | list[datetime]
Metadata = dict[str, MetadataValue]
FieldType = Literal["keyword", "integer", "float", "bool", "datetime"]
"""Type of a field's value, or of its items where the value is a list."""

RESERVED = "_dl"
"""Top-level payload key of everything that Draftline adds itself."""

RESERVED_FIELDS: Mapping[str, FieldType] = {
    "_dl.document": "keyword",
    "_dl.document_id": "keyword",
    "_dl.root": "keyword",
    "_dl.type": "keyword",
    "_dl.tenant": "keyword",
    "_dl.access": "keyword",
    "_dl.ordinal": "integer",
    "_dl.page": "integer",
    "_dl.copies": "integer",
    "_dl.modified": "datetime",
    "_dl.words": "integer",
}
"""Our own fields that can be filtered on; they are indexed in every store."""

HIDDEN = ("text", "gap", "copies")
"""Of our own, what is no metadata."""

_RULE = re.compile(r"[|:\-\s]+")

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Region:
    """Where a stretch of a body stands in the original file."""

    start: int
    end: int
    """Offsets in the body, in code points; regions are sorted and do not overlap."""
    page: int
    """From 1; of slides, the slide."""
    box: Box | None = None
    """Left, top, right, bottom as shares of the page's width and height, from its upper left corner."""


@dataclass(frozen=True)
class Document:
    """A converted file.

    ``body`` is markdown without front matter; every offset in the house counts code points in it.
    """

    id: str
    """UUID, derived from root and path: the same file keeps its id over updates."""
    path: str
    """Relative to the ingested root, with forward slashes; what citations show."""
    root: str
    """Absolute path of the ingested root."""
    type: str
    """markdown, html, text, pdf."""
    body: str
    metadata: Metadata
    content_hash: str
    """Hex digest of the source file's bytes."""
    modified: datetime
    tenant: str | None = None
    access: tuple[str, ...] = ()
    words: int = 0
    """In the body."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Which extractor gave each field of the metadata."""
    regions: tuple[Region, ...] = field(default=(), repr=False)
    """Where parts of the body stand in a file that has pages."""


@dataclass(frozen=True)
class Chunk:
    """A piece of a document: ``document.body[start:end] == text``.

    What stands beside ``text`` (headings, the header of a table) helps to find and to read it, but is no
    part of it: offsets, and so citations, are of the text alone.
    """

    id: str
    """UUID, derived from document id, content hash and ordinal."""
    document: Document
    ordinal: int
    text: str
    start: int
    end: int
    section: tuple[str, ...] = ()
    """Headings above the chunk, outermost first."""
    gap: str = ""
    """What the body has between the chunk before and this one: white space, which no chunk keeps."""
    parent: tuple[int, int] = (0, 0)
    """The section that the chunk lies in: its start and end in the body."""
    header: str = ""
    """The header rows of the table that the chunk begins in, where it begins below them."""
    regions: tuple[Region, ...] = ()
    """Where the chunk stands in a file that has pages: one for each page."""
    copies: tuple[int, ...] = ()
    """Keys that it shares with chunks that say the same; see `retrieve.resemblance.copy_keys`."""

    def payload(self) -> dict[str, Any]:
        """What the store keeps for this chunk; datetimes as ISO 8601 strings."""
        document = self.document
        ours = {
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "section": list(self.section),
            "gap": self.gap,
            "ordinal": self.ordinal,
            "document": document.path,
            "document_id": document.id,
            "root": document.root,
            "type": document.type,
            "hash": document.content_hash,
            "modified": _plain(document.modified),
            "tenant": document.tenant,
            "access": list(document.access),
            "words": document.words,
            "origins": dict(document.origins),
            "parent": list(self.parent),
        }
        if self.header:
            ours["header"] = self.header
        if self.regions:
            ours["page"] = self.regions[0].page
            ours["regions"] = [
                {"page": region.page, "start": region.start, "box": list(region.box) if region.box else None}
                for region in self.regions
            ]
        if self.copies:
            ours["copies"] = list(self.copies)
        return {**{key: _plain(value) for key, value in document.metadata.items()}, RESERVED: ours}

    def embedding_text(self) -> str:
        """What is embedded and indexed for BM25: the section path gives a bare paragraph its topic."""
        return embedding_text(self.section, self.text, self.header)


@dataclass(frozen=True)
class Copy:
    """Another place of a passage's text, or of nearly the same: ``body[start:][: len(text)] == text``."""

    document: str
    start: int
    text: str


@dataclass(frozen=True)
class Passage:
    """A chunk that a search found."""

    id: str
    text: str
    score: float
    """Ranking score (fused); comparable within one search only."""
    payload: Mapping[str, Any] = field(repr=False)
    relevance: float = 0.0
    """Cosine similarity of question and chunk, comparable across searches."""
    matched: Mapping[int, float] = field(default_factory=dict, repr=False)
    """The question's terms (BM25 ids) that the chunk has, each with its share of the question's rarity."""
    vector: Any = field(default=None, repr=False, compare=False)
    """The chunk's vector, shape (dim,), unit length; None where nothing but its payload was read."""
    copies: tuple[Copy, ...] = field(default=(), repr=False)
    """Where else the text stands, as far as the caller may see; by document and place."""

    @property
    def coverage(self) -> float:
        """Share of the question's words that the chunk has, weighted by their rarity; 0 to 1."""
        return sum(self.matched.values())

    @property
    def ours(self) -> Mapping[str, Any]:
        """The part of the payload that Draftline added."""
        value: Mapping[str, Any] = self.payload[RESERVED]
        return value

    @property
    def document(self) -> str:
        """Path of the document, relative to its ingested root."""
        return str(self.ours["document"])

    @property
    def start(self) -> int:
        """Offset of ``text`` in the document's converted body, in code points."""
        return int(self.ours["start"])

    @property
    def end(self) -> int:
        return int(self.ours["end"])

    @property
    def section(self) -> tuple[str, ...]:
        return tuple(self.ours["section"])

    @property
    def header(self) -> str:
        """See `Chunk.header`; read before the text, and no part of it."""
        return str(self.ours.get("header", ""))

    def page_at(self, position: int) -> int | None:
        """The page of the original file on which this offset of the body stands; None where unknown."""
        pages = [region["page"] for region in self.ours.get("regions", ()) if region["start"] <= position]
        return int(pages[-1]) if pages else self.ours.get("page")

    def metadata(self) -> dict[str, Any]:
        """The payload, flat: the user's keys under their own names, ours as ``_dl.<key>``."""
        theirs = {key: value for key, value in self.payload.items() if key != RESERVED}
        return theirs | {f"{RESERVED}.{key}": value for key, value in self.ours.items() if key not in HIDDEN}

    def to_json(self) -> dict[str, Any]:
        """The form that ``--json`` prints."""
        shown = {"id": self.id, "text": self.text, "score": self.score, "metadata": self.metadata()}
        return shown | ({"also_in": self.also_in()} if self.copies else {})

    def also_in(self) -> list[str]:
        """The other documents that say the same."""
        return sorted({copy.document for copy in self.copies})


def embedding_text(section: Sequence[str], text: str, header: str = "") -> str:
    """See `Chunk.embedding_text`; of a table's header, the line that draws its rule says nothing."""
    names = [line for line in header.splitlines() if not _RULE.fullmatch(line)]
    return "\n".join(([" > ".join(section)] if section else []) + names + [text])


def _plain(value: MetadataValue) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
