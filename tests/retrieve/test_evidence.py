"""Evidence: what makes retrieval say that nothing in the store answers a question."""

from __future__ import annotations

import pytest

from retrieve.evidence import DEPTH, evidence
from retrieve.schema import Passage
from retrieve.store.bm25 import matched, rarity


def passage(relevance: float, *terms: int) -> Passage:
    """A passage with these of a question's four equally rare terms."""
    return Passage("id", "text", 1.0, {}, relevance, dict.fromkeys(terms, 0.25))


def test_no_passages_no_evidence() -> None:
    assert evidence([]) == 0


def test_cosine_coverage_and_coverage_together() -> None:
    assert evidence([passage(0.4)]) == pytest.approx(0.4)
    assert evidence([passage(0.4, 1, 2)]) == pytest.approx(0.4 + 0.5 * 0.5 + 0.3 * 0.5)
    assert evidence([passage(0.4, 1, 2), passage(0.1, 2, 3)]) == pytest.approx(0.4 + 0.5 * 0.5 + 0.3 * 0.75)


def test_only_the_best_passages_are_weighed() -> None:
    weak = [passage(0.1)] * DEPTH
    assert evidence([*weak, passage(0.9, 1, 2, 3, 4)]) == evidence(weak)


def test_a_rare_word_weighs_more_and_an_unknown_one_most() -> None:
    common, rare, unknown = rarity([(0.2, 1.0), (3.0, 1.5), None], chunks=100)
    assert common == pytest.approx(0.2)
    assert rare == pytest.approx(2.0)
    assert unknown > rare
    shares = matched({1: common, 2: rare, 3: unknown}, {1, 2, 9})
    assert set(shares) == {1, 2}
    assert shares[1] < shares[2] < 0.5


def test_a_question_without_words() -> None:
    assert matched({}, {1, 2}) == {}
