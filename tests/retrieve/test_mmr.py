"""Maximal marginal relevance, beside a plain reading of its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieve.mmr import diversified
from retrieve.schema import Passage


def passages(count: int, seed: int) -> list[Passage]:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = sorted(random.random(count), reverse=True)
    return [Passage(str(i), f"text {i}", scores[i], {}, vector=vectors[i]) for i in range(count)]


def naive(found: list[Passage], weight: float, count: int) -> list[str]:
    chosen, left = [found[0]], list(found[1:])
    while left and len(chosen) < count:
        best = max(
            left,
            key=lambda p: (
                weight * p.score / found[0].score
                - (1 - weight) * max(float(p.vector @ other.vector) for other in chosen)
            ),
        )
        chosen.append(best)
        left.remove(best)
    return [passage.id for passage in chosen]


@given(st.integers(1, 12), st.integers(0, 999), st.floats(0, 1), st.integers(1, 12))
def test_the_definition(count: int, seed: int, weight: float, wanted: int) -> None:
    found = passages(count, seed)
    result = diversified(found, weight, wanted)
    assert sorted(p.id for p in result) == sorted(p.id for p in found)
    assert [p.id for p in result][: min(wanted, count)] == naive(found, weight, wanted)


def test_weight_one_keeps_the_order_and_a_repetition_moves_back() -> None:
    found = passages(6, seed=1)
    assert diversified(found, 1.0, 6) == found
    same = Passage("copy", "text 0", found[0].score, {}, vector=found[0].vector)
    assert diversified([found[0], same, *found[1:]], 0.0, 7)[-1] == same


@pytest.mark.parametrize("count", [1, 5])
def test_little_to_choose_from(count: int) -> None:
    assert diversified([], 0.5, count) == []
    zero = [Passage("a", "", 0.0, {}, vector=np.ones(1)), Passage("b", "", 0.0, {}, vector=np.ones(1))]
    assert [p.id for p in diversified(zero, 0.5, count)] == ["a", "b"]
