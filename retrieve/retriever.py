"""Question to passages: embed, search with the caller's filter and what the caller may see, gate.

retriever = open_retriever(settings)
for passage in retriever.retrieve("Who holds the lock?").passages:
    ...
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from configs.errors import InputError
from configs.settings import Settings
from retrieve.embed import Embedder, load_embedder
from retrieve.evidence import DEPTH, evidence
from retrieve.filters import Filter, all_of
from retrieve.highlights import Highlight, highlights
from retrieve.schema import Passage
from retrieve.store import open_store
from retrieve.store.base import SearchRequest, Store, other_embedder
from retrieve.visibility import visible_to


@dataclass(frozen=True)
class Retrieval:
    """What a question found."""

    question: str
    plan: dict[str, Any]
    """{semantic_query, filter, relaxed, explanation}: how the question was read."""
    passages: tuple[Passage, ...]
    """Best first; empty when nothing in the store is about the question."""

    def to_json(self) -> dict[str, Any]:
        """The form that ``--json`` prints, without the id."""
        return {
            "question": self.question,
            "plan": self.plan,
            "passages": [passage.to_json() for passage in self.passages],
        }


class Retriever:
    """Finds passages; several threads may use one, and it follows what ingest publishes."""

    def __init__(self, store: Store, embedder: Embedder, settings: Settings) -> None:
        self._store = store
        self._embedder = embedder
        self._settings = settings.retrieve

    def retrieve(
        self,
        question: str,
        *,
        filter: Filter | None = None,
        tenant: str | None = None,
        access: Sequence[str] | None = None,
        top_k: int | None = None,
    ) -> Retrieval:
        """The passages for a question.

        Args:
            question: any text that is not blank.
            filter: the caller's own condition, ANDed.
            tenant, access: what the caller may see; see `visible_to`.
            top_k: how many passages at most; None takes ``retrieve.top_k``.

        Raises:
            InputError: a blank question, a top_k below 1, an empty label.
            StoreError: the store cannot be read, or holds vectors of another embedder.
        """
        # Undecodable bytes of a command line arrive as lone surrogates, which no tokenizer takes.
        query = question.encode("utf-8", "replace").decode().strip()
        if not query:
            raise InputError("the question is empty; write what you want to know")
        top_k = self._settings.top_k if top_k is None else top_k
        if top_k < 1:
            raise InputError(f"top_k is {top_k}; it must be at least 1")
        allowed = visible_to(tenant, access, all_tenants=self._settings.all_tenants)
        found = self._search(query, all_of(filter, allowed), top_k)
        plan: dict[str, Any] = {
            "semantic_query": query,
            "filter": None,
            "relaxed": [],
            "explanation": "searched for the question as it was asked",
        }
        passages = distinct(found)
        if evidence(passages) < self._settings.min_evidence:
            passages = []
        return Retrieval(question, plan, tuple(passages[:top_k]))

    def highlights(self, question: str, passages: Sequence[Passage], count: int) -> list[Highlight]:
        """The sentences of these passages that answer the question most likely, best first."""
        return highlights(question, passages, self._embedder, count)

    def close(self) -> None:
        """Let go of the store; the next question opens it again."""
        self._store.close()

    def _search(self, query: str, where: Filter | None, top_k: int) -> list[Passage]:
        info = self._store.info()
        if not info.chunks:
            return []
        if info.embedder != self._embedder.name:
            raise other_embedder(info.embedder, self._embedder.name)
        limit = 2 * max(top_k, DEPTH) + 5  # room for what the removal of duplicates takes away
        vector = self._embedder.embed_query(query)
        prefetch = max(self._settings.prefetch, limit)
        found = self._store.search(SearchRequest(query, vector, limit, prefetch, where))
        # Fused scores tie often, and engines break ties at random: the same question, the same passages.
        return sorted(found, key=lambda passage: (-passage.score, -passage.relevance, passage.id))


def open_retriever(settings: Settings) -> Retriever:
    """The retriever over the configured store and embedder; loads no weights before the first question."""
    return Retriever(open_store(settings), load_embedder(settings), settings)


def distinct(passages: Iterable[Passage]) -> list[Passage]:
    """Passages without those that repeat a better one: the same text, or half of it from the same place."""
    kept: list[Passage] = []
    for passage in passages:
        if not any(_repeats(passage, better) for better in kept):
            kept.append(passage)
    return kept


def _repeats(passage: Passage, better: Passage) -> bool:
    if passage.text == better.text:
        return True
    if passage.ours["document_id"] != better.ours["document_id"]:
        return False
    shared = min(passage.end, better.end) - max(passage.start, better.start)
    return shared > 0 and 2 * shared >= min(passage.end - passage.start, better.end - better.start)
