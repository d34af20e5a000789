"""The stages of a search once its text and filter are known: candidates, order, choice.

    found = searcher.candidates("Who holds the lock?", where, top_k=5)
    passages = searcher.choose("Who holds the lock?", found, where, top_k=5)

It knows nothing of plans, callers or what they may see: the filter that it is given says all of that,
and holds for neighbours as for what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from configs.settings import Settings
from retrieve.copies import MOST, beyond, copies_of, crowding, distinct, with_copies
from retrieve.embed import Embedder, load_tokenizer
from retrieve.evidence import DEPTH
from retrieve.expand import Room, grown, in_context, missing_neighbours, passage_from
from retrieve.filters import Filter, all_of
from retrieve.fusion import Fusion
from retrieve.mmr import diversified
from retrieve.rerank import Reranker, load_reranker, reranked
from retrieve.schema import Passage
from retrieve.store.base import SearchRequest, Store, other_embedder, same_embedder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

GROWING = 20
"""The best passages, whose neighbours are read."""
LOOKS_BEYOND = 3
"""How often a search that finds little but copies of the same texts is made again without them."""


class Searcher:
    """Searches one store; several threads may use it."""

    def __init__(
        self, store: Store, embedder: Embedder, settings: Settings, reranker: Reranker | None = None
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._all = settings
        self._settings = settings.retrieve
        self._reranker = reranker or load_reranker(settings)
        dense, bm25 = self._settings.fusion_weights
        self._fusion = Fusion(self._settings.fusion, dense, bm25)

    def candidates(self, query: str, where: Filter | None, top_k: int) -> list[Passage]:
        """All that was found, best first, without what repeats a better one.

        Raises:
            StoreError: the store cannot be read, or holds vectors of another embedder.
        """
        info = self._store.info()
        if not info.chunks:
            return []
        if not same_embedder(info.embedder, self._embedder.name):
            raise other_embedder(info.embedder, self._embedder.name)
        # Room for what the removal of duplicates takes away.
        prefetch = max(self._settings.prefetch, 2 * max(top_k, DEPTH) + 5)
        found = self._ranked(query, where, prefetch)
        kept, crowd = distinct(found), set[int]()
        for _ in range(LOOKS_BEYOND):
            more = crowding(found) - crowd
            if not more or len(found) < prefetch or 2 * len(kept) > len(found):
                break
            crowd |= more
            found = self._ranked(query, all_of(where, beyond(crowd, kept)), prefetch)
            kept = distinct(found)
        return kept

    def _ranked(self, query: str, where: Filter | None, prefetch: int) -> list[Passage]:
        """What one search finds, in its order."""
        vector, name = self._embedder.embed_query(query), self._embedder.name
        request = SearchRequest(query, vector, 2 * prefetch, prefetch, where, self._fusion, name)
        near = in_context(self._store.search(request), self._settings.neighbour_weight)
        # Scores tie often, and engines break ties at random: the same question, the same passages.
        return sorted(near, key=lambda passage: (-passage.score, -passage.relevance, passage.id))

    def choose(self, query: str, found: Sequence[Passage], where: Filter | None, top_k: int) -> list[Passage]:
        """At most ``top_k`` passages of those found, in their final order: reranked, diverse, grown.

        Empty when the reranker finds that none is about the question (``retrieve.min_rerank``).
        """
        best = list(found)
        settings = self._settings
        if self._reranker is not None and best:
            best = reranked(query, best, self._reranker, max(settings.rerank_candidates, top_k))
            if settings.min_rerank is not None and best[0].score < settings.min_rerank:
                return []
        if settings.mmr is not None:
            best = diversified(best, settings.mmr, max(top_k, GROWING))
        chosen = self._expanded(best, where, top_k) if settings.expand_tokens else best[:top_k]
        return self._with_copies(chosen, where)

    def _expanded(self, best: Sequence[Passage], where: Filter | None, top_k: int) -> list[Passage]:
        beside = missing_neighbours(best[:GROWING], best)
        read = self._store.scroll(all_of(where, beside)) if beside else ()
        room = Room(top_k, self._settings.expand_tokens)
        return grown(best, map(passage_from, read), room, self._tokens)

    def _with_copies(self, chosen: list[Passage], where: Filter | None) -> list[Passage]:
        """The passages with where else their text stands, under the same filter."""
        same = copies_of(chosen)
        if same is None:
            return chosen
        return with_copies(chosen, map(passage_from, islice(self._store.scroll(all_of(where, same)), MOST)))

    def _tokens(self, passage: Passage) -> int:
        return len(self._tokenizer.encode(passage.text, add_special_tokens=False).ids)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return load_tokenizer(self._all)
