"""Fusion: one ranking from cosines and BM25 scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieve.fusion import RRF_K, Fusion, Kind, fused

cosine = st.floats(-1, 1, width=32)
bm25 = st.floats(0, 50, width=32)
candidates = st.lists(st.tuples(cosine, bm25), min_size=1, max_size=12)
kinds = st.sampled_from(["linear", "rrf", "dbsf"])


def test_linear_is_the_weighted_mean_of_shares_of_the_best() -> None:
    scores = fused([0.8, 0.4, -0.2], [0.0, 5.0, 10.0], Fusion("linear", 1, 3))
    assert scores == pytest.approx([1 / 4, (0.5 + 3 * 0.5) / 4, 3 / 4])


def test_rrf_by_hand() -> None:
    scores = fused([0.9, 0.5, 0.7], [0.0, 4.0, 4.0], Fusion("rrf", 1, 3))
    first, second, third = (1 / (RRF_K + rank) for rank in (1, 2, 3))
    # Nothing of BM25 is no rank, and equal scores share one.
    assert scores == pytest.approx([first / 4, (third + 3 * first) / 4, (second + 3 * first) / 4])


def test_dbsf_by_hand() -> None:
    values = np.array([0.1, 0.2, 0.6])
    mean, deviation = values.mean(), values.std()
    expected = (values - mean + 3 * deviation) / (6 * deviation)
    assert fused(values.tolist(), [1.0, 1.0, 1.0], Fusion("dbsf", 1, 0)) == pytest.approx(expected)
    assert fused([0.3, 0.3], [1.0, 1.0], Fusion("dbsf", 1, 1)) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("kind", ["linear", "rrf", "dbsf"])
def test_nothing_to_fuse(kind: Kind) -> None:
    assert fused([], [], Fusion(kind)).shape == (0,)
    assert fused([0.0, 0.0], [0.0, 0.0], Fusion(kind)).tolist() in ([0, 0], [0.5, 0.5])


@given(candidates, kinds, st.floats(0.1, 4), st.floats(0.1, 4))
def test_better_in_both_is_never_ranked_below(
    found: list[tuple[float, float]], kind: Kind, dense: float, lexical: float
) -> None:
    scores = fused([c for c, _ in found], [b for _, b in found], Fusion(kind, dense, lexical))
    for (c, b), score in zip(found, scores, strict=True):
        for (other_c, other_b), other in zip(found, scores, strict=True):
            if c >= other_c and b >= other_b:
                assert score >= other - 1e-9


@given(candidates, kinds)
def test_one_search_alone_keeps_its_order(found: list[tuple[float, float]], kind: Kind) -> None:
    lexical = [b for _, b in found]
    scores = fused([c for c, _ in found], lexical, Fusion(kind, 0, 2))
    order = sorted(range(len(found)), key=lambda i: -scores[i])
    assert [lexical[i] for i in order] == pytest.approx(sorted(lexical, reverse=True), abs=1e-6)


@given(candidates, kinds, st.floats(0.5, 20))
def test_the_unit_of_bm25_does_not_matter(
    found: list[tuple[float, float]], kind: Kind, factor: float
) -> None:
    cosines, lexical = [c for c, _ in found], [round(b, 2) for _, b in found]
    scores = fused(cosines, lexical, Fusion(kind, 1, 1))
    assert fused(cosines, [b * factor for b in lexical], Fusion(kind, 1, 1)) == pytest.approx(
        scores, abs=1e-6
    )
