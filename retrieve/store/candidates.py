"""What the engines' searches found, ranked: the part of a hybrid search that all stores share.

An engine gives candidates by their vectors and by their words, and for each word of the question the
best chunk that has it. From that the exact BM25 score of every candidate follows, also of one that
only its vector has brought up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrieve.fusion import fused
from retrieve.schema import RESERVED, Passage
from retrieve.store.base import SearchRequest, Vector
from retrieve.store.bm25 import matched


@dataclass(frozen=True)
class Candidate:
    """A stored chunk with what it is searched by."""

    id: str
    payload: Mapping[str, Any]
    vector: Vector
    """Shape (dim,), unit length."""
    terms: Mapping[int, float]
    """BM25 weights by term."""


def ranked(
    found: Iterable[Candidate], rarities: Mapping[int, float], request: SearchRequest
) -> list[Passage]:
    """The best ``request.limit`` candidates, best first; ties fall the same way every time.

    Args:
        found: candidates of all searches; one that several found is taken once.
        rarities: inverse document frequency of each term of the question.
    """
    candidates = list({candidate.id: candidate for candidate in found}.values())
    cosines = [float(candidate.vector @ request.vector) for candidate in candidates]
    lexical = [bm25(candidate.terms, rarities) for candidate in candidates]
    scores = fused(cosines, lexical, request.fusion)
    order = sorted(range(len(candidates)), key=lambda i: (-scores[i], -cosines[i], candidates[i].id))
    return [_passage(candidates[i], float(scores[i]), cosines[i], rarities) for i in order[: request.limit]]


def bm25(terms: Mapping[int, float], rarities: Mapping[int, float]) -> float:
    """BM25 score of a chunk with these term weights."""
    return sum(rare * terms[term] for term, rare in rarities.items() if term in terms)


def _passage(candidate: Candidate, score: float, cosine: float, rarities: Mapping[int, float]) -> Passage:
    return Passage(
        id=candidate.id,
        text=candidate.payload[RESERVED]["text"],
        score=score,
        payload=candidate.payload,
        relevance=cosine,
        matched=matched(rarities, candidate.terms),
        vector=candidate.vector,
    )


def sparse(indices: Sequence[int], values: Sequence[float]) -> dict[int, float]:
    """Term weights from the two lists that the engines keep."""
    return dict(zip(indices, values, strict=True))


def unit(vector: Sequence[float]) -> Vector:
    """An engine's list of numbers as a vector."""
    return np.asarray(vector, dtype=np.float32)
