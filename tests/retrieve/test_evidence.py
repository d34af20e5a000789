"""Evidence: what makes retrieval say that nothing in the store answers a question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieve.evidence import DEPTH, evidence
from retrieve.schema import Passage
from retrieve.store.bm25 import matched, rarity


def passage(relevance: float, *terms: int) -> Passage:
    """A passage with these of a question's four equally rare terms."""
    return Passage("id", "text", 1.0, {}, relevance, dict.fromkeys(terms, 0.25))


def never(passage: Passage) -> float:
    raise AssertionError("the sentences were looked at though they decide nothing")


def test_no_passages_no_evidence() -> None:
    assert evidence([], never) == 0


def test_cosine_coverage_sentence_and_coverage_together() -> None:
    found = [passage(0.4, 1, 2), passage(0.1, 2, 3)]
    assert evidence(found[:1], lambda _: 0) == pytest.approx(0.4 + 0.5 * 0.5 + 0.1 * 0.5)
    assert evidence(found, lambda _: 0) == pytest.approx(0.4 + 0.5 * 0.5 + 0.1 * 0.75)
    assert evidence(found, lambda _: 0.6) == pytest.approx(0.4 + 0.5 * 0.5 + 0.1 * 0.75 + 0.5 * 0.6)


def test_the_sentence_is_of_the_best_passage() -> None:
    near, wordy = passage(0.4), passage(0.3, 1, 2)
    assert evidence([near, wordy], lambda asked: float(asked is wordy)) > 1


def test_only_the_best_passages_are_weighed() -> None:
    weak = [passage(0.1)] * DEPTH
    assert evidence([*weak, passage(0.9, 1, 2, 3, 4)], lambda _: 0) == evidence(weak, lambda _: 0)


@given(st.floats(-1, 1), st.sets(st.integers(1, 4)), st.floats(0, 1), st.floats(-1, 2.2))
def test_a_limit_saves_looking_and_decides_the_same(
    relevance: float, terms: set[int], cosine: float, limit: float
) -> None:
    found = [passage(relevance, *sorted(terms))]
    whole = evidence(found, lambda _: cosine)
    assert (evidence(found, lambda _: cosine, limit) >= limit) == (whole >= limit)


def test_sentences_are_not_looked_at_where_they_decide_nothing() -> None:
    assert evidence([passage(0.9, 1, 2, 3)], never, limit=0.9) >= 0.9
    assert evidence([passage(0.1)], never, limit=0.9) < 0.9


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
