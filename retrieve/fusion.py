"""Fusion: one ranking from what two searches say of the same candidates.

Both scores of every candidate are exact, whichever search found it, so that nothing depends on how an
engine fuses: all stores rank alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["linear", "rrf", "dbsf"]
Scores = NDArray[np.float64]

RRF_K = 2
"""Measured on span_qa beside the usual 60, which hardly tells the first ranks apart."""
DEVIATIONS = 3


@dataclass(frozen=True)
class Fusion:
    """How cosine and BM25 score become one; a search of weight 0 takes no part.

    The defaults were chosen on two corpora of span_qa, finance and wikitexts, by recall and coverage at
    the budgets of ``benchmarks/retrieval``; all kinds lie within three points of each other there.
    """

    kind: Kind = "linear"
    dense: float = 1.0
    bm25: float = 2.0


def fused(cosines: Sequence[float], bm25: Sequence[float], fusion: Fusion) -> Scores:
    """Ranking scores, shape (n,), higher is better; comparable within one search only.

    - linear: the weighted mean of both scores, each over the best candidate's: Bruch et al., "An
      Analysis of Fusion Functions for Hybrid Retrieval" (2023), section 4.
    - rrf: reciprocal ranks, weighted: Cormack et al., "Reciprocal Rank Fusion" (2009), section 2.
    - dbsf: each score by its distance from the mean, in standard deviations: Qdrant's
      distribution-based score fusion.

    Args:
        cosines: of question and candidate.
        bm25: 0 where a candidate has no word of the question.
    """
    dense, lexical = np.asarray(cosines, dtype=np.float64), np.asarray(bm25, dtype=np.float64)
    if not len(dense):
        return dense
    scale = {"linear": _share, "rrf": _reciprocal_rank, "dbsf": _by_distribution}[fusion.kind]
    total = fusion.dense + fusion.bm25
    result: Scores = (fusion.dense * scale(dense) + fusion.bm25 * scale(lexical)) / total
    return result


def _share(scores: Scores) -> Scores:
    """0 to 1: the share of the best score; what speaks against a candidate counts as nothing."""
    best = scores.max()
    return np.maximum(scores, 0) / best if best > 0 else np.zeros_like(scores)


def _reciprocal_rank(scores: Scores) -> Scores:
    """``1 / (k + rank)``, ranks from 1; equal scores share the best rank, and 0 or less has none."""
    ranks = 1 + (scores[None, :] > scores[:, None]).sum(axis=1)
    return np.where(scores > 0, 1 / (RRF_K + ranks), 0.0)


def _by_distribution(scores: Scores) -> Scores:
    """0 to 1 between three standard deviations below the mean and three above it."""
    width = DEVIATIONS * scores.std()
    if width < 1e-9:
        return np.full_like(scores, 0.5)
    result: Scores = np.clip((scores - scores.mean() + width) / (2 * width), 0, 1)
    return result
