"""The cheap drafters: what they propose is what the text, or the model, said before."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from generate.engine.request import Request, SamplingParams
from generate.speculate.copying import MAX_CANDIDATES, CopyDrafter
from generate.speculate.drafter import Outcome
from generate.speculate.recycling import MAX_SALTS, WIDTH, RecycleDrafter, likeliest
from generate.speculate.tree import ROOT, TokenTree

texts = st.lists(st.integers(0, 3), min_size=1, max_size=60)


def request(tokens, salt="", written=()):
    found = Request(tuple(tokens), SamplingParams(max_tokens=1000), salt)
    found.tokens += written
    return found


def followers(tokens, suffix):
    """What came after each earlier occurrence of a suffix."""
    size = len(suffix)
    return Counter(
        tokens[at + size] for at in range(len(tokens) - size) if tokens[at : at + size] == list(suffix)
    )


def longest_earlier(tokens):
    for size in range(len(tokens) - 1, 0, -1):
        if followers(tokens, tokens[len(tokens) - size :]):
            return size
    return 0


@given(texts)
def test_copies_are_the_continuations_of_the_longest_earlier_occurrence(tokens):
    drafter = CopyDrafter()
    state = drafter.begin(request(tokens))
    size = longest_earlier(tokens)
    assert state[2] == size
    found = drafter.candidates(state)
    assert len({candidate.token for candidate in found}) == len(found) <= MAX_CANDIDATES
    if size == 0:
        assert found == []
        return
    wanted = followers(tokens, tokens[-size:])
    first = [candidate for candidate in found if candidate.kind[0] == 0]
    assert {candidate.token for candidate in first} == set(wanted)
    assert found[: len(first)] == first
    counts = [wanted[candidate.token] for candidate in first]
    assert counts == sorted(counts, reverse=True), "the most frequent first"


@given(texts, st.lists(st.integers(0, 4), max_size=12))
def test_a_state_that_moved_on_is_the_state_of_the_longer_text(tokens, more):
    """Following drafted tokens finds the longest suffix that occurs in the text, drafts excluded."""
    drafter = CopyDrafter()
    state = drafter.begin(request(tokens))
    written = list(tokens)
    for token in more:
        state = drafter.advance(state, token)
        written.append(token)
        occurring = [
            size
            for size in range(1, len(written) + 1)
            if any(tokens[at : at + size] == written[-size:] for at in range(len(tokens) - size + 1))
        ]
        if state is None:
            assert token not in tokens
            return
        assert state[2] == max(occurring)


@given(texts, st.lists(st.integers(0, 3), max_size=20))
def test_the_output_is_copied_from_as_well_and_a_dropped_state_comes_back_the_same(prompt, output):
    one = request(prompt, written=output)
    grown = CopyDrafter()
    partly = request(prompt)
    grown.begin(partly)
    for token in output:
        partly.tokens.append(token)
        grown.begin(partly)
    wanted = CopyDrafter().begin(one)
    found = grown.begin(partly)
    assert found[2] == wanted[2]
    assert CopyDrafter().candidates(wanted) == grown.candidates(found)
    grown.forget(partly)
    assert grown.candidates(grown.begin(partly)) == CopyDrafter().candidates(wanted)


def test_a_text_of_one_token_repeated_is_no_burden():
    drafter = CopyDrafter()
    state = drafter.begin(request([7] * 20_000))
    assert [candidate.token for candidate in drafter.candidates(state)] == [7]


def outcome(one: Request, tree: TokenTree, logits: torch.Tensor) -> Outcome:
    return Outcome(one, tree, (), (), logits)


def row(*best: int) -> torch.Tensor:
    logits = torch.full((40,), -20.0)
    for rank, token in enumerate(best):
        logits[token] = 5.0 - rank
    return logits


def test_runners_up_come_back_where_their_tokens_do():
    drafter = RecycleDrafter()
    one = request([1, 2, 3])
    tree = TokenTree((4, 5, 6), (ROOT, 0, ROOT))
    drafter.observe(outcome(one, tree, torch.stack([row(4, 9), row(5, 8), row(7), row(30, 31)])))
    assert [c.token for c in drafter.candidates(drafter.begin(request([2, 3])))] == [4, 9]
    assert [c.token for c in drafter.candidates(drafter.begin(request([0, 3])))] == [4, 9], (
        "by the last alone"
    )
    state = drafter.advance(drafter.begin(request([2, 3])), 4)
    assert [c.token for c in drafter.candidates(state)] == [5, 8]
    rejected = drafter.advance(drafter.begin(request([2, 3])), 6)
    assert [c.token for c in drafter.candidates(rejected)] == [30, 31], "rejected rows teach as well"


def test_the_longer_context_speaks_first_and_the_latest_word_counts():
    drafter = RecycleDrafter()
    drafter.observe(outcome(request([1, 2]), TokenTree(), row(10, 11)[None]))
    drafter.observe(outcome(request([3, 2]), TokenTree(), row(20, 10)[None]))
    assert [c.token for c in drafter.candidates(drafter.begin(request([1, 2])))] == [10, 11, 20]
    assert [c.token for c in drafter.candidates(drafter.begin(request([9, 2])))] == [20, 10]
    drafter.observe(outcome(request([1, 2]), TokenTree(), row(12)[None]))
    assert drafter.candidates(drafter.begin(request([1, 2])))[0].token == 12


def test_nothing_is_shared_between_salts_and_few_salts_are_kept():
    drafter = RecycleDrafter()
    drafter.observe(outcome(request([1, 2], "acme"), TokenTree(), row(10)[None]))
    assert drafter.candidates(drafter.begin(request([1, 2], "other"))) == []
    assert drafter.candidates(drafter.begin(request([1, 2], "acme"))) != []
    for number in range(MAX_SALTS):
        drafter.begin(request([1, 2], f"{number}"))
    assert drafter.candidates(drafter.begin(request([1, 2], "acme"))) == []


@given(st.lists(st.floats(-10, 10), min_size=40, max_size=40))
def test_candidates_carry_the_models_probabilities_best_first(values):
    drafter = RecycleDrafter()
    logits = torch.tensor(values)
    drafter.observe(outcome(request([1, 2]), TokenTree(), logits[None]))
    found = drafter.candidates(drafter.begin(request([1, 2])))
    assert 0 < len(found) <= WIDTH
    shares = [float(logits.softmax(-1)[candidate.token]) for candidate in found]
    assert all(a >= b - 1e-6 for a, b in itertools.pairwise(shares))
    priors = [candidate.prior for candidate in found]
    assert priors == sorted(priors, reverse=True)


@pytest.mark.parametrize("vocabulary", [49152, 5000, 320, 5])
def test_the_likeliest_tokens_are_found_without_a_softmax(vocabulary: int) -> None:
    logits = 4 * torch.randn(6, vocabulary, generator=torch.Generator().manual_seed(0))
    exact = logits.softmax(-1).topk(min(8, vocabulary))
    tokens, shares = likeliest(logits, 8)
    assert torch.equal(tokens, exact.indices)
    torch.testing.assert_close(shares, exact.values, rtol=0.3, atol=0.01)  # about
