"""How often each kind of candidate is right, measured as requests go on.

A candidate counts when the output has reached the place for which it was proposed, whether or not
it was in the tree that was verified: what was proposed is compared with what came. So estimates
stay true while drafting is off, and drafting comes back by itself once drafts would be right again.
"""

from __future__ import annotations

from collections.abc import Hashable

PRIOR_WEIGHT = 4.0
"""Observations that a kind's prior is worth."""
MEMORY = 400.0
"""Observations after which a kind's older half begins to fade."""
REQUEST_MEMORY = 0.9
"""What a request's own record keeps of its weight from one observed token to the next."""
REQUEST_WEIGHT = 4.0
HIGHEST = 0.995


class Record:
    """How a request's candidates did, beside what was expected of their kinds."""

    def __init__(self) -> None:
        self._right = self._expected = 0.0

    @property
    def factor(self) -> float:
        """What estimates are multiplied with: below 1 where drafts fail more than they do elsewhere."""
        return (self._right + REQUEST_WEIGHT) / (self._expected + REQUEST_WEIGHT)

    def update(self, expected: float, right: bool) -> None:
        """Take in a place of the output: how likely the candidates were to hold its token, and whether."""
        self._right = REQUEST_MEMORY * self._right + right
        self._expected = REQUEST_MEMORY * self._expected + expected


class Calibration:
    """Acceptance by drafter and kind: counts that fade, around priors."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Hashable], list[float]] = {}

    def estimate(self, drafter: str, kind: Hashable, prior: float) -> float:
        """The probability that a candidate of this kind is the next token."""
        counts = self._counts.get((drafter, kind))
        if counts is None:
            return prior
        right, seen = counts
        return min(HIGHEST, (right + PRIOR_WEIGHT * prior) / (seen + PRIOR_WEIGHT))

    def update(self, drafter: str, kind: Hashable, right: bool) -> None:
        """Count a candidate whose place the output has reached."""
        counts = self._counts.setdefault((drafter, kind), [0.0, 0.0])
        if counts[1] >= MEMORY:
            counts[0] /= 2
            counts[1] /= 2
        counts[0] += right
        counts[1] += 1
