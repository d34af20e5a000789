"""Verification: which drafts stay, by walking the tree along the target's own choices.

At every node the target chooses its token from its own logits there: greedily, or by a draw whose
randomness depends on the seed and the position alone (`generate.engine.sampling.noise`). If a child
carries that token it is accepted and the walk goes on below it; if none does, the token itself is
what the step adds. So every token of the output is the target's own choice given the tokens before
it, and drafts, right or wrong, few or many, change nothing but the number of steps.

For a deterministic draft x this is the rule with q = 1: x stays with probability p(x), and otherwise
the token comes from p without x, renormalised. For drafts that were drawn with the same noise it is
the coupling of Daliri, Musco and Suresh (arXiv 2408.07978), drafter-invariant: unlike accept-reject
schemes it yields the same sample path whatever was drafted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from generate.speculate.tree import ROOT, TokenTree


@dataclass(frozen=True)
class Verdict:
    """What a step keeps: the accepted nodes, in order, and one token more than these."""

    nodes: tuple[int, ...]
    tokens: tuple[int, ...]


def walk(tree: TokenTree, choose: Callable[[int, Sequence[int]], int]) -> Verdict:
    """Follow the target's choices from the root.

    Args:
        choose: gives the target's token at a node (ROOT for the root), given the accepted tokens
            on the way there; called only for nodes that are reached.
    """
    children = tree.children()
    node = ROOT
    nodes: list[int] = []
    tokens: list[int] = []
    while True:
        token = choose(node, tokens)
        tokens.append(token)
        below = children.get(node, {}).get(token)
        if below is None:
            return Verdict(tuple(nodes), tuple(tokens))
        nodes.append(below)
        node = below
