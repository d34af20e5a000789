"""Maximal marginal relevance: passages that say something new go before those that repeat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retrieve.schema import Passage


def diversified(passages: Sequence[Passage], weight: float, count: int) -> list[Passage]:
    """The ``count`` passages of most relevance and least repetition first, then the others as they were.

    Relevance is a passage's score over the best one's, repetition its highest cosine to a passage
    chosen before: Carbonell and Goldstein, "The Use of MMR" (1998), section 2.

    Args:
        passages: best first, each with its vector.
        weight: of relevance; 1 keeps the order, 0 heeds repetition alone once the best is chosen.
    """
    if not passages:
        return []
    scores = np.array([passage.score for passage in passages])
    relevance = scores / scores[0] if scores[0] > 0 else np.zeros(len(passages))
    vectors = np.array([passage.vector for passage in passages])
    repeats = np.full(len(passages), -1.0)
    chosen = [0]
    while len(chosen) < min(count, len(passages)):
        repeats = np.maximum(repeats, vectors @ vectors[chosen[-1]])
        value = weight * relevance - (1 - weight) * repeats
        value[chosen] = -np.inf
        chosen.append(int(np.argmax(value)))
    rest = (index for index in range(len(passages)) if index not in set(chosen))
    return [passages[index] for index in (*chosen, *rest)]
