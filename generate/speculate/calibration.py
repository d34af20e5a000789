"""How often each kind of candidate is right, measured as requests go on.

A candidate counts when the output has reached the place for which it was proposed, whether or not
it was in the tree that was verified: what was proposed is compared with what came. So estimates
stay true while drafting is off, and drafting comes back by itself once drafts would be right again.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import exp, log

PRIOR_WEIGHT = 4.0
"""Observations that a prior is worth."""
MEMORY = 400.0
"""Observations after which the older half begins to fade."""
HIGHEST = 0.995
LOWEST = 0.001
SLOPE, BIAS = 0.72, 0.55
"""Where `Contest` begins: fitted to what decoding of question answering showed."""
LEARNING = 0.004
"""Step of the gradient."""
LEANING = 0.2
"""How fast a request's own leaning is followed."""
LEANING_MEMORY = 0.95
"""What it keeps from one observed token to the next."""
FARTHEST = 6.0
"""The most that the bias may be, either way."""


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


class Contest:
    """Probabilities of the candidates of one place, of which at most one can be right.

    Each candidate's own record was made among rivals that are not the ones it has now. So its record
    only says how it competes: a multinomial logit (McFadden 1974) gives

        odds(c) = exp(leaning + bias + slope * logit(estimate(c)))
        p(c) = odds(c) / (1 + sum of all candidates' odds),

    where 1 stands for a token that nobody proposed. Slope and bias are learned from every place that
    the output reaches, down the gradient of its logarithmic loss.
    """

    def __init__(self) -> None:
        self._slope, self._bias = SLOPE, BIAS

    def probabilities(self, estimates: Sequence[float], leaning: float) -> list[float]:
        """Of candidates with these estimates, in a request that leans so far towards its drafts."""
        odds = [exp(leaning + self._bias + self._slope * _logit(estimate)) for estimate in estimates]
        total = 1 + sum(odds)
        return [value / total for value in odds]

    def learn(self, estimates: Sequence[float], probabilities: Sequence[float], right: int | None) -> None:
        """Take in a place of the output: which of the candidates it held, if any."""
        for index, (estimate, probability) in enumerate(zip(estimates, probabilities, strict=True)):
            surprise = LEARNING * ((index == right) - probability)
            self._bias = _clamped(self._bias + surprise, -FARTHEST, FARTHEST)
            self._slope = _clamped(self._slope + surprise * _logit(estimate), 0.0, 2.0)


class Leaning:
    """How much likelier, in logarithmic odds, a request's drafts are right than others' like them."""

    def __init__(self) -> None:
        self.value = 0.0

    def update(self, expected: float, right: bool) -> None:
        """Take in a place of the output: how likely the candidates were to hold its token, and whether."""
        self.value = LEANING_MEMORY * self.value + LEANING * (right - expected)


def _logit(probability: float) -> float:
    probability = _clamped(probability, LOWEST, HIGHEST)
    return log(probability / (1 - probability))


def _clamped(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


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
        self.contest = Contest()

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
