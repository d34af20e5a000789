"""How large a tree pays: the number of drafts that makes the most tokens a second.

A step over B requests yields B tokens and, of the drafts in it, as many as are accepted: with
estimated probabilities G = B + sum p. It takes t seconds. The drafts of all requests compete in
one order, the likeliest first, and the planner takes the prefix with the best G / t, the empty one
included. (Sequoia, arXiv 2402.12374, section 4.3, plans trees by measured costs in advance; here the
estimates are known by the time, and the best tree of each size is a prefix of the order.)
"""

from __future__ import annotations

from collections.abc import Sequence

from generate.speculate.build import Proposal
from generate.speculate.costs import Share, StepCosts

SIZES = (1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 19, 23, 27, 31, 39, 47, 63, 95, 127, 191, 255, 383, 511)
"""Drafts to choose from: with the root, mostly whole vectors and tiles of rows."""
MARGIN = 1.05
"""How much faster drafting must look to be tried: noise in costs and estimates is of that size. On text that
nothing can be copied from, less let drafts in that cost more than they brought."""
LOWEST = 0.004


class Planner:
    """Chooses how many drafts each request of a step gets."""

    def __init__(self, costs: StepCosts) -> None:
        self.costs = costs

    def threshold(self, contexts: Sequence[int]) -> float:
        """The probability below which a draft cannot pay, whatever else is in the step.

        A row that takes s seconds must bring at least s * (tokens a second without drafts).
        """
        plain = self.costs.predict([Share(1, context) for context in contexts])
        drafted = self.costs.predict([Share(9, context) for context in contexts])
        return max(LOWEST, (drafted - plain) / (8 * plain))

    def choose(
        self, proposals: Sequence[Proposal], contexts: Sequence[int], room: int, overhead: float = 0.0
    ) -> list[int]:
        """How many of its nodes each proposal gets.

        Args:
            contexts: tokens of context that each request's rows see.
            room: rows that the step has left for drafts.
            overhead: seconds that proposing and learning take in a step. They are spent already, but a
                request that gets nothing rests, and then they are saved.
        """
        order = sorted(
            ((-path, index) for index, proposal in enumerate(proposals) for path in proposal.paths)
        )[:room]
        batch = len(proposals)
        counts, best = [0] * batch, [0] * batch
        highest = MARGIN * batch / self._seconds(counts, contexts)
        gain, taken = float(batch), 0
        for size in SIZES:
            if taken == len(order):
                break
            for negative, index in order[taken:size]:
                gain -= negative
                counts[index] += 1
            taken = min(size, len(order))
            rate = gain / (self._seconds(counts, contexts) + overhead)
            if rate > highest:
                highest, best = rate, list(counts)
        return best

    def _seconds(self, counts: Sequence[int], contexts: Sequence[int]) -> float:
        return self.costs.predict(
            [Share(1 + count, context) for count, context in zip(counts, contexts, strict=True)]
        )
