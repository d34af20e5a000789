"""How often each kind of candidate is right, measured as requests go on.

A candidate counts when the output has reached the place for which it was proposed, whether or not
it was in the tree that was verified: what was proposed is compared with what came. So estimates
stay true while drafting is off, and drafting comes back by itself once drafts would be right again.
"""

from __future__ import annotations

from collections.abc import Hashable

PRIOR_WEIGHT = 4.0
"""Observations that a prior is worth."""
MEMORY = 400.0
"""Observations after which the older half begins to fade."""
REQUEST_MEMORY = 0.9
"""What a request's own record keeps of its weight from one observed token to the next."""
HIGHEST = 0.995


class Tally:
    """How much came true of what was expected, around one: a ratio whose past fades."""

    def __init__(self, weight: float = PRIOR_WEIGHT, memory: float = MEMORY) -> None:
        self._weight = weight
        self._memory = memory
        self._expected = self._right = 0.0

    @property
    def ratio(self) -> float:
        """Below 1 where candidates fail more often than expected."""
        return (self._right + self._weight) / (self._expected + self._weight)

    def rate(self, prior: float) -> float:
        """Where 1 was expected each time: how often it came true."""
        return (self._right + self._weight * prior) / (self._expected + self._weight)

    def update(self, expected: float, right: bool) -> None:
        if self._expected >= self._memory:
            self._expected /= 2
            self._right /= 2
        self._expected += expected
        self._right += right

    def fade(self, keep: float) -> None:
        """Keep only a share of the past."""
        self._expected *= keep
        self._right *= keep


class Record(Tally):
    """How a request's candidates did, beside what was expected of their kinds."""

    def update(self, expected: float, right: bool) -> None:
        """Take in a place of the output: how likely the candidates were to hold its token, and whether."""
        self.fade(REQUEST_MEMORY)
        super().update(expected, right)


class Calibration:
    """Acceptance of candidates, from the general to the particular.

    The prior of a kind is corrected by how its drafter's priors hold; the kind's own record corrects
    that; and its record in one setting (agreement, depth) corrects the kind's. So a drafter that
    turns out wrong is wrong at depths, too, that no accepted draft has ever reached.
    """

    def __init__(self) -> None:
        self._drafters: dict[str, Tally] = {}
        self._kinds: dict[tuple[str, Hashable], Tally] = {}
        self._settings: dict[tuple[str, Hashable, Hashable], Tally] = {}

    def estimate(self, drafter: str, kind: Hashable, setting: Hashable, prior: float) -> float:
        """The probability that a candidate is the next token."""
        overall = self._drafters.get(drafter)
        found = prior if overall is None else prior * overall.ratio
        for tally in (self._kinds.get((drafter, kind)), self._settings.get((drafter, kind, setting))):
            if tally is not None:
                found = tally.rate(found)
        return min(HIGHEST, found)

    def update(self, drafter: str, kind: Hashable, setting: Hashable, prior: float, right: bool) -> None:
        """Count a candidate whose place the output has reached."""
        self._drafters.setdefault(drafter, Tally()).update(prior, right)
        self._kinds.setdefault((drafter, kind), Tally()).update(1.0, right)
        self._settings.setdefault((drafter, kind, setting), Tally()).update(1.0, right)
