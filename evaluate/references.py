"""Where the reference spans of a golden set lie in what was ingested.

Offsets come from the store, not from the files: the store is what the answers are made from, and
a file may have changed since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluate.dataset import Item, Span
from retrieve.schema import RESERVED
from retrieve.store.base import Store


@dataclass(frozen=True)
class Place:
    """A stretch of a converted body, in code points: ``body[start:end]``."""

    document: str
    start: int
    end: int

    def overlaps(self, other: Place) -> bool:
        """Whether the two share at least one character of the same document."""
        return self.document == other.document and self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Reference:
    """The places of one item's spans, and the spans that are nowhere in the store."""

    spans: tuple[tuple[Place, ...], ...]
    """For each span found: every place where its quote stands."""
    missing: tuple[Span, ...]


def locate(items: Iterable[Item], store: Store) -> dict[str, Reference]:
    """Find every item's spans in the store, by item id."""
    items = list(items)
    wanted = {document for item in items for document in item.documents}
    bodies = _bodies(store.scroll(), wanted) if wanted else {}
    return {item.id: _reference(item, bodies) for item in items}


def _reference(item: Item, bodies: Mapping[str, Sequence[str]]) -> Reference:
    found = {span: _places(span, bodies.get(span.document, ())) for span in item.spans}
    return Reference(
        spans=tuple(places for places in found.values() if places),
        missing=tuple(span for span, places in found.items() if not places),
    )


def _places(span: Span, bodies: Sequence[str]) -> tuple[Place, ...]:
    places = []
    for body in bodies:
        start = body.find(span.quote)
        while start >= 0:
            places.append(Place(span.document, start, start + len(span.quote)))
            start = body.find(span.quote, start + 1)
    return tuple(dict.fromkeys(places))


def _bodies(payloads: Iterable[Mapping[str, Any]], wanted: set[str]) -> dict[str, list[str]]:
    """Converted bodies put together from their chunks, by path; one path may have several roots."""
    pieces: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for payload in payloads:
        ours = payload[RESERVED]
        if ours["document"] in wanted:
            pieces[ours["document"], ours["document_id"]].append((ours["start"], ours["text"]))
    bodies: dict[str, list[str]] = defaultdict(list)
    for (document, _), chunks in pieces.items():
        bodies[document].append(_join(chunks))
    return bodies


def _join(chunks: Iterable[tuple[int, str]]) -> str:
    """The text at its offsets; what no chunk holds (white space between blocks) becomes spaces."""
    body = ""
    for start, text in sorted(chunks):
        body = body[:start].ljust(start) + text + body[start + len(text) :]
    return body
