"""One tree out of many drafters: the nodes that are likeliest to be accepted, whoever proposed them.

Best-first search: the open node with the highest estimated probability of being on the accepted path
joins the tree, and its own candidates become open. A node's probability is at most its parent's,
so the first n nodes are the best n, which for estimates known beforehand is the best tree of that
size (Sequoia, arXiv 2402.12374, proposition on positional acceptance; EAGLE-2's re-ranking).
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from generate.engine.request import Request
from generate.grammar import GrammarState
from generate.speculate.calibration import Calibration
from generate.speculate.drafter import Candidate, Drafter
from generate.speculate.tree import ROOT, TokenTree

MAX_CHILDREN = 12
DEEP = 2
"""From this depth on, depth makes no difference to estimates."""
HOPE = 4.0
"""A candidate whose prior lies further below what would be wanted of it is not looked at: that takes time."""


class Child(NamedTuple):
    """A token that drafters propose below a node, and who says so."""

    token: int
    estimate: float
    """How often candidates of its kind are right."""
    probability: float
    """That it is accepted if its parent is."""
    sources: tuple[tuple[str, Candidate], ...]


@dataclass
class Proposal:
    """A tree in order of probability, and what was proposed below each of its nodes."""

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    paths: list[float] = field(default_factory=list)
    """Estimated probability that a node is accepted; non-increasing."""
    children: dict[int, list[Child]] = field(default_factory=dict)
    """Of every node that was opened, ROOT first; also those that did not make it into the tree."""

    def tree(self, count: int) -> TokenTree:
        """Its best ``count`` nodes, each first child right behind its parent.

        A path that lies in one piece need not be moved in the KV cache when it is accepted.
        """
        below: dict[int, list[int]] = {}
        for node, parent in enumerate(self.parents[:count]):
            below.setdefault(parent, []).append(node)
        tokens: list[int] = []
        parents: list[int] = []
        place = {ROOT: ROOT}
        stack = below.get(ROOT, [])[::-1]
        while stack:
            node = stack.pop()
            place[node] = len(tokens)
            tokens.append(self.tokens[node])
            parents.append(place[self.parents[node]])
            stack += below.get(node, [])[::-1]
        return TokenTree(tuple(tokens), tuple(parents))


def propose(
    request: Request,
    drafters: Sequence[Drafter],
    calibration: Calibration,
    *,
    limit: int,
    threshold: float,
    leaning: float = 0.0,
) -> Proposal:
    """Grow a request's tree.

    Args:
        limit: the most nodes.
        threshold: nodes less likely than this are left out.
        leaning: how much likelier its drafts are right than others' like them (`calibration.Leaning`).

    A request's grammar keeps out of the tree what it does not allow, whoever proposes it.
    """
    proposal = Proposal()
    states = [(drafter, drafter.begin(request)) for drafter in drafters]
    opened: list[tuple[float, int, int, int, Any]] = []
    depths: list[int] = []
    places: dict[int, GrammarState | None] = {ROOT: request.grammar_state}
    counter = 0

    def open_below(node: int, depth: int, path: float, states: Sequence[tuple[Drafter, Any]]) -> None:
        nonlocal counter
        children = _children(states, depth, calibration, leaning, threshold / path / HOPE)
        proposal.children[node] = children
        for child in children:
            if path * child.probability < threshold:
                break
            counter += 1
            heapq.heappush(opened, (-path * child.probability, counter, node, child.token, states))

    open_below(ROOT, 0, 1.0, states)
    while opened and len(proposal.tokens) < limit:
        negative, _, parent, token, states = heapq.heappop(opened)
        place = places[parent]
        if place is not None and (place := place.advance(token)) is None:
            continue
        node = len(proposal.tokens)
        depth = 1 if parent == ROOT else depths[parent] + 1
        proposal.tokens.append(token)
        proposal.parents.append(parent)
        proposal.paths.append(-negative)
        depths.append(depth)
        places[node] = place
        if depth < request.remaining - 1:
            moved = [
                (drafter, after)
                for drafter, state in states
                if state is not None and (after := drafter.advance(state, token)) is not None
            ]
            if moved:
                open_below(node, depth, -negative, moved)
    return proposal


def _children(
    states: Sequence[tuple[Drafter, Any]],
    depth: int,
    calibration: Calibration,
    leaning: float,
    floor: float,
) -> list[Child]:
    """All drafters' candidates at one place, the likeliest first.

    Who agrees with another drafter is right more often than either alone, which is a kind of its
    own. Priors below ``floor`` are left out.
    """
    sources: dict[int, list[tuple[str, Candidate]]] = {}
    for drafter, state in states:
        if state is not None:
            for candidate in drafter.candidates(state):
                if candidate.prior >= floor:
                    sources.setdefault(candidate.token, []).append((drafter.name, candidate))
    rated = []
    for token, found in sources.items():
        setting = _setting(found, depth)
        estimate = max(
            calibration.estimate(name, candidate.kind, setting, candidate.prior) for name, candidate in found
        )
        rated.append((estimate, token, tuple(found)))
    rated.sort(key=lambda item: -item[0])
    del rated[MAX_CHILDREN:]
    probabilities = calibration.contest.probabilities([estimate for estimate, _, _ in rated], leaning)
    return [
        Child(token, estimate, probability, found)
        for (estimate, token, found), probability in zip(rated, probabilities, strict=True)
    ]


def _setting(sources: Sequence[Any], depth: int) -> Hashable:
    """What says as much as the drafter's own kind: who agrees, and how deep.

    A step begins where the last one's drafts ended, so the root is a harder place than those below it.
    """
    return len(sources), min(depth, DEEP)


def judge(proposal: Proposal, tokens: Sequence[int], calibration: Calibration) -> list[tuple[float, bool]]:
    """Compare what was proposed with the tokens that came, place by place.

    Returns:
        For each place that the output reached: how likely the candidates were to hold its token, and
        whether they did.
    """
    nodes = {
        (parent, token): node
        for node, (parent, token) in enumerate(zip(proposal.parents, proposal.tokens, strict=True))
    }
    places = []
    node: int | None = ROOT
    for depth, token in enumerate(tokens):
        if node is None or node not in proposal.children:
            break
        children = proposal.children[node]
        right = next((index for index, child in enumerate(children) if child.token == token), None)
        calibration.contest.learn(
            [child.estimate for child in children], [child.probability for child in children], right
        )
        for child in children:
            for name, candidate in child.sources:
                setting = _setting(child.sources, depth)
                calibration.update(name, candidate.kind, setting, candidate.prior, child.token == token)
        places.append((sum(child.probability for child in children), right is not None))
        node = nodes.get((node, token))
    return places
