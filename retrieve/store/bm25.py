"""BM25 as both stores use it: one tokenizer and one weighting, so that they agree.

Vectors are made here, by Edge's own helper (English stop words and stemming); the engines multiply
in the inverse document frequency when they search.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import qdrant_edge as edge

MAX_TERMS = 64
"""Words of a question whose rarity is looked up; the ones after these count for nothing."""


class Bm25:
    """Turns texts into sparse vectors: term -> weight."""

    def __init__(self) -> None:
        self._model = edge.Bm25()

    def document(self, text: str) -> edge.SparseVector:
        """Term frequencies, saturated and normalised by length."""
        return self._model.embed_document(text)

    def question(self, text: str) -> edge.SparseVector:
        """Each distinct term with weight 1."""
        return self._model.embed_query(text)


def rarity(found: Sequence[tuple[float, float] | None], chunks: int) -> list[float]:
    """Inverse document frequencies of a question's terms.

    Args:
        found: for each term, the score and the term's weight in the best chunk of a search for this
            term alone (their ratio is the IDF the engine used); None: no chunk has the term.
        chunks: how many chunks the store holds.
    """
    unknown = math.log(1 + (chunks + 0.5) / 0.5)
    return [unknown if hit is None or hit[1] <= 0 else hit[0] / hit[1] for hit in found]


def matched(rarities: Mapping[int, float], terms: Iterable[int]) -> dict[int, float]:
    """The question's terms that a chunk has, each with its share of the rarity of all of them."""
    total = sum(rarities.values())
    present = set(terms)
    return {term: rare / total for term, rare in rarities.items() if term in present}
