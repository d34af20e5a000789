"""Question to passages: embed, search with the caller's filter and what the caller may see, gate.

retriever = open_retriever(settings)
for passage in retriever.retrieve("Who holds the lock?").passages:
    ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from configs.errors import InputError
from configs.settings import Settings
from retrieve.embed import Embedder, load_embedder
from retrieve.evidence import evidence
from retrieve.filters import Filter, all_of
from retrieve.highlights import Highlight, highlights
from retrieve.schema import Passage
from retrieve.search import Searcher
from retrieve.store import open_store
from retrieve.store.base import Store
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
        self._searcher = Searcher(store, embedder, settings)

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
        where = all_of(filter, allowed)
        passages = self._searcher.candidates(query, where, top_k)
        plan: dict[str, Any] = {
            "semantic_query": query,
            "filter": None,
            "relaxed": [],
            "explanation": "searched for the question as it was asked",
        }
        if evidence(passages) < self._settings.min_evidence:
            passages = []
        return Retrieval(question, plan, tuple(self._searcher.choose(query, passages, where, top_k)))

    def highlights(self, question: str, passages: Sequence[Passage], count: int) -> list[Highlight]:
        """The sentences of these passages that answer the question most likely, best first."""
        return highlights(question, passages, self._embedder, count)

    def close(self) -> None:
        """Let go of the store; the next question opens it again."""
        self._store.close()


def open_retriever(settings: Settings) -> Retriever:
    """The retriever over the configured store and embedder; loads no weights before the first question."""
    return Retriever(open_store(settings), load_embedder(settings), settings)
