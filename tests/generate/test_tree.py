"""Token trees and the walk along the target's choices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from generate.engine.attention import causal_mask, tree_mask
from generate.engine.request import SamplingParams
from generate.engine.sampling import logits_to_probs, noise, penalise_repetition, sample
from generate.speculate.tree import ROOT, TokenTree
from generate.speculate.verify import walk

UNLIKELY = 1e-3
DRAWS = (10_000, pytest.param(50_000, marks=pytest.mark.deep))


@st.composite
def trees(draw: st.DrawFn, most: int = 24, vocabulary: int = 6) -> TokenTree:
    tokens: list[int] = []
    parents: list[int] = []
    for node in range(draw(st.integers(0, most))):
        parent = draw(st.integers(ROOT, node - 1))
        taken = {t for t, p in zip(tokens, parents, strict=True) if p == parent}
        free = sorted(set(range(vocabulary)) - taken)
        if free:
            tokens.append(draw(st.sampled_from(free)))
            parents.append(parent)
        else:
            break
    return TokenTree(tuple(tokens), tuple(parents))


def way(tree: TokenTree, node: int) -> list[int]:
    """Nodes from below the root to a node."""
    found = []
    while node != ROOT:
        found.append(node)
        node = tree.parents[node]
    return found[::-1]


@given(trees())
def test_a_row_sees_the_root_its_ancestors_and_itself(tree):
    seen = tree.ancestors()
    assert seen.shape == (len(tree) + 1, len(tree) + 1)
    assert seen[0].tolist() == [True] + [False] * len(tree)
    for node in range(len(tree)):
        rows = {0, *(other + 1 for other in way(tree, node))}
        assert set(seen[node + 1].nonzero().flatten().tolist()) == rows
        assert tree.depths[node] == len(way(tree, node))


@given(trees(), st.integers(0, 20), st.none() | st.integers(1, 12))
def test_a_node_sees_what_it_would_see_as_the_end_of_its_own_path(tree, context, window):
    mask = tree_mask(tree.ancestors(), context + len(tree) + 1, window)
    for node in range(len(tree)):
        path = way(tree, node)
        length = context + 1 + len(path)
        alone = causal_mask(1, length, window, torch.device("cpu"))
        wanted = torch.ones(1, length, dtype=torch.bool) if alone is None else alone
        columns = [*range(context + 1), *(context + 1 + other for other in path)]
        assert mask[node + 1, columns].tolist() == wanted[0].tolist()
        others = sorted(set(range(mask.shape[1])) - set(columns))
        assert not mask[node + 1, others].any()


@given(st.lists(st.integers(0, 99), max_size=20), st.integers(0, 25))
def test_a_chain_and_its_beginning(tokens, count):
    chain = TokenTree.chain(tokens)
    assert chain.parents == tuple(range(-1, len(tokens) - 1))
    assert chain.first(count) == TokenTree.chain(tokens[:count])


def test_siblings_differ_and_parents_come_first():
    with pytest.raises(AssertionError):
        TokenTree((1, 1), (ROOT, ROOT))
    with pytest.raises(AssertionError):
        TokenTree((1, 2), (1, ROOT))


@given(trees(), st.lists(st.integers(0, 5), min_size=30, max_size=30))
def test_the_walk_keeps_the_path_that_the_target_takes(tree, target):
    asked = []

    def choose(node: int, path: Sequence[int]) -> int:
        asked.append(node)
        return target[len(path)]

    verdict = walk(tree, choose)
    assert verdict.tokens == tuple(target[: len(verdict.nodes) + 1])
    assert [tree.tokens[node] for node in verdict.nodes] == list(verdict.tokens[:-1])
    assert list(verdict.nodes) == way(tree, verdict.nodes[-1] if verdict.nodes else ROOT)
    assert asked == [ROOT, *verdict.nodes], "only what is reached is asked for"
    children = tree.children().get(verdict.nodes[-1] if verdict.nodes else ROOT, {})
    assert verdict.tokens[-1] not in children


TARGET = torch.tensor([1.2, 0.7, 0.1, -0.4, -1.1])
BELOW = torch.tensor([0.0, 1.0, -1.0, 0.5, 0.2])
RULES = {
    "plain": {"temperature": 1.0},
    "cold": {"temperature": 0.5},
    "top-k": {"temperature": 1.0, "top_k": 3},
    "top-p": {"temperature": 1.1, "top_p": 0.8},
    "penalised": {"temperature": 1.0, "repetition_penalty": 1.5},
}
TREES = {
    "no drafts": TokenTree(),
    "one copy": TokenTree.chain([1, 3]),
    "an unlikely copy": TokenTree.chain([4, 0]),
    "two branches": TokenTree((0, 2, 1, 3), (ROOT, ROOT, 0, 1)),
    "everything": TokenTree((0, 1, 2, 3, 4), (ROOT,) * 5),
}


def few(rule: str, tree: str) -> Any:
    """A case that runs by default; the others are for the long sweep."""
    usual = (rule, tree) == ("top-p", "two branches")
    return pytest.param(rule, TREES[tree], marks=() if usual else pytest.mark.deep, id=f"{rule}-{tree}")


@pytest.mark.parametrize("draws", DRAWS)
@pytest.mark.parametrize(("rule", "tree"), [few(rule, tree) for rule in RULES for tree in TREES])
def test_deterministic_drafts_leave_the_distribution_as_it_was(rule, tree, draws):
    """Pairs of tokens follow the target's own joint distribution, whatever was drafted."""
    check(rule, lambda position, tokens: tree, draws)


@pytest.mark.parametrize("draws", DRAWS)
@pytest.mark.parametrize(
    "children", [pytest.param(1, marks=pytest.mark.deep), 2, pytest.param(4, marks=pytest.mark.deep)]
)
def test_drafts_drawn_with_the_same_noise_leave_the_distribution_as_it_was(children, draws):
    """Drafts from another distribution, without replacement, by the noise that the target will use."""
    other = torch.tensor([0.1, 0.3, 0.2, 0.3, 0.1])

    def draft(seed: int, tokens: Sequence[int]) -> TokenTree:
        order = (other / noise(seed, len(tokens), len(other))).argsort(descending=True)
        return TokenTree(tuple(order[:children].tolist()), (ROOT,) * children)

    accepted = check("plain", draft, draws)
    independent = float((other * TARGET.softmax(-1)).sum())
    assert accepted > 1.5 * independent, "shared noise makes draft and target agree"


def check(rule, draft, draws):
    """Chi-square of so many pairs; returns how often the first draft level was accepted."""
    tokens = [3, 1]
    counts: Counter[tuple[int, int]] = Counter()
    accepted = 0
    for seed in range(draws):
        params = SamplingParams(seed=seed, max_tokens=2, **RULES[rule])
        drawn: list[int] = []
        while len(drawn) < 2:
            tree = draft(seed, [*tokens, *drawn])

            def choose(node, path, drawn=drawn, params=params):
                written = [*tokens, *drawn, *path]
                logits = TARGET if len(written) == len(tokens) else BELOW
                return sample(logits, written, params)

            verdict = walk(tree, choose)
            accepted += not drawn and len(verdict.nodes) > 0
            drawn += verdict.tokens
        counts[drawn[0], drawn[1]] += 1
    expected = {}
    params = SamplingParams(**RULES[rule])
    penalty = params.repetition_penalty
    first = logits_to_probs(penalise_repetition(TARGET, tokens, penalty), params)
    for one in range(len(TARGET)):
        second = logits_to_probs(penalise_repetition(BELOW, [*tokens, one], penalty), params)
        for two in range(len(BELOW)):
            expected[one, two] = float(first[one] * second[two])
    assert all(expected[pair] > 0 for pair in counts)
    pairs = [pair for pair, share in expected.items() if share > 0]
    wanted = np.array([expected[pair] for pair in pairs])
    found = np.array([counts[pair] for pair in pairs])
    assert chisquare(found, wanted / wanted.sum() * found.sum()).pvalue > UNLIKELY
    return accepted / draws
