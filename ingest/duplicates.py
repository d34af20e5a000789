"""Keys by which chunks that say the same are known, in whatever documents they stand.

A text that several documents hold is shown once, with all its sources, but it is stored with each of them.
Storing it once would tie documents to each other: a filter could find it by one document's metadata only,
deleting or changing that document would have to hand it on to another, embedded again, and what the store
holds would depend on the order in which files came and on where a run was killed. With keys that depend on
nothing but a chunk's own text and labels, a sync is what it was, and the search does the rest
(`retrieve.copies`); it looks beyond copies that would crowd out everything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from ingest.chunk import Span
from retrieve.resemblance import copy_keys
from retrieve.schema import Document

Duplicates = Literal["off", "exact", "near"]
"""Which texts say the same: none, those of the same words, or those that resemble each other to 0.9."""


def with_copy_keys(spans: Iterable[Span], document: Document, duplicates: Duplicates) -> list[Span]:
    """The spans, each with the keys of its text (and of the table header that goes with it)."""
    if duplicates == "off":
        return list(spans)
    labels, near = labels_of(document.tenant, document.access), duplicates == "near"
    return [replace(span, copies=copy_keys(_read(document, span), labels, near=near)) for span in spans]


def labels_of(tenant: str | None, access: Sequence[str]) -> str:
    """Tenant and access labels as one text: only documents with the same ones are compared."""
    return json.dumps([tenant, sorted(access)])


def _read(document: Document, span: Span) -> str:
    header = document.body[slice(*span.header)] if span.header else ""
    return f"{header.rstrip()}\n{document.body[span.start : span.end]}"
