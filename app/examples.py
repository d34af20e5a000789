"""What there is to ask about: the store's size, and questions that its headings suggest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from configs.settings import Settings
from retrieve.schema import RESERVED

_LOOKED_AT = 400
"""Chunks read to find examples: enough for variety, and quick on a store of any size."""


@dataclass(frozen=True)
class Corpus:
    """What a page without a conversation says about the store."""

    chunks: int
    documents: int
    examples: tuple[str, ...] = ()


def look_at(settings: Settings) -> Corpus:
    """Count what is in the store, and suggest up to three questions, each about another document that
    the chat may answer from.

    Raises:
        StoreError: the store cannot be read.
    """
    from retrieve.store import open_store
    from retrieve.visibility import visible_to

    visible = visible_to(None, None, all_tenants=settings.retrieve.all_tenants)
    store = open_store(settings)
    try:
        info = store.info()
        headings = {}
        if info.chunks:
            for payload in islice(store.scroll(visible), _LOOKED_AT):
                ours = payload[RESERVED]
                if ours["section"]:
                    place = (str(ours["document"]), int(ours["ordinal"]))
                    headings[place] = str(ours["section"][-1])
        return Corpus(info.chunks, info.documents, suggest(headings))
    finally:
        store.close()


def suggest(headings: dict[tuple[str, int], str], count: int = 3) -> tuple[str, ...]:
    """Questions about headings, spread over the documents.

    Args:
        headings: the innermost heading of each chunk, by (document, ordinal).
    """
    by_document: dict[str, list[str]] = {}
    for (document, _), heading in sorted(headings.items()):
        by_document.setdefault(document, []).append(heading)
    documents = sorted(by_document)
    step = max(1, len(documents) // count)
    questions = []
    for document in documents[::step][:count]:
        # The second heading where there is one: the first is usually the document's own title.
        distinct = list(dict.fromkeys(by_document[document]))
        heading = distinct[min(1, len(distinct) - 1)].strip()
        questions.append(heading if heading.endswith("?") else f"What does {document} say about “{heading}”?")
    return tuple(questions)
