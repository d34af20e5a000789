"""Whether drafters that run a model pay: measured in tokens a second, not predicted.

A draft by a model takes about as long as it saves, and which way it falls depends on batch,
context, text and machine. So each way to draft (no model, or one of them to some depth) is an arm,
and each arm's tokens a second are measured where it runs, by batch and context. The fastest arm
runs; the others are tried again now and then, in a share of the time that is known beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MARGIN = 1.03
"""How much faster another arm must be to take over: less would be changing for noise."""
TRIAL_STEPS = 6
"""Steps of a trial: the first ones pay for filling the drafter's own cache."""
FIRST_TRIALS = 24.0
"""Steps' worth of time that trials may take before any time has been earned."""
TRIAL_SHARE = 0.02
"""Share of the time that trials may take in the long run."""
MAX_IDLE = 256
"""Steps of a trial in which the drafter may still be reading a prompt."""
MEMORY = 100.0
"""Steps after which an arm's older half fades."""


@dataclass(frozen=True)
class Mix:
    """One way to draft: a drafter with a model, by name, and its depth; no name: the cheap ones alone."""

    model: str | None = None
    depth: int = 0


CHEAP = Mix()


@dataclass
class _Arm:
    """What a mix has yielded in one company."""

    tokens: float = 0.0
    seconds: float = 0.0
    steps: float = 0.0
    last: int = 0
    """The step at which it last ran."""

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0

    def update(self, tokens: float, seconds: float, now: int) -> None:
        if self.steps >= MEMORY:
            self.tokens, self.seconds, self.steps = self.tokens / 2, self.seconds / 2, self.steps / 2
        self.tokens += tokens
        self.seconds += seconds
        self.steps += 1
        self.last = now


@dataclass
class _Company:
    """The arms at one batch size and context length."""

    arms: dict[Mix, _Arm] = field(default_factory=dict)
    running: Mix = CHEAP


class Mixes:
    """Chooses how a step is drafted.

    Args:
        mixes: the ways there are beside the cheap drafters alone.
    """

    def __init__(self, mixes: Sequence[Mix]) -> None:
        self._all = (CHEAP, *mixes)
        self._companies: dict[tuple[int, int], _Company] = {}
        self._now = 0
        self._budget = 0.0
        self._started = False
        self._trial: tuple[Mix, int] | None = None
        self._idle = 0

    def choose(self, contexts: Sequence[int]) -> Mix:
        """The mix for a step over requests with these contexts."""
        company = self._companies.setdefault(_key(contexts), _Company())
        if self._trial is not None:
            return self._trial[0]
        mix = self._due(company)
        if mix is None:
            return company.running
        self._trial, self._idle = (mix, TRIAL_STEPS), 0
        return mix

    def observe(self, contexts: Sequence[int], mix: Mix, tokens: int, seconds: float) -> None:
        """Count a step: its tokens, and the time that drafting and verifying took."""
        company = self._companies.setdefault(_key(contexts), _Company())
        self._now += 1
        if not self._started:
            self._started = True
            self._budget = FIRST_TRIALS * seconds
        trial = self._trial
        if trial is not None and trial[0] == mix:
            self._budget -= seconds
            self._trial = (mix, trial[1] - 1) if trial[1] > 1 else None
            if trial[1] == TRIAL_STEPS:
                return  # the drafter's cache was filled: not what a step costs
        else:
            self._budget += TRIAL_SHARE * seconds
        company.arms.setdefault(mix, _Arm()).update(tokens, seconds, self._now)
        company.running = self._fastest(company)

    def wait(self, contexts: Sequence[int], mix: Mix, seconds: float) -> None:
        """Count a step in which the mix's drafter had nothing to say yet, for it was reading prompts.

        That time is no measure of the mix, but trials pay for it.
        """
        self._budget -= seconds
        self._idle += 1
        if self._trial is not None and self._idle > MAX_IDLE:
            company = self._companies.setdefault(_key(contexts), _Company())
            company.arms.setdefault(mix, _Arm()).last = self._now
            self._trial, self._idle = None, 0

    def _fastest(self, company: _Company) -> Mix:
        current = company.arms.get(company.running)
        best = max(company.arms, key=lambda mix: company.arms[mix].rate)
        if current is None or company.arms[best].rate > MARGIN * current.rate:
            return best
        return company.running

    def _due(self, company: _Company) -> Mix | None:
        """The mix to try next: one never tried here, else the one whose last trial is oldest; in budget."""
        cheap = company.arms.get(CHEAP)
        if cheap is None or cheap.steps < TRIAL_STEPS:
            return None  # know first what is to be beaten
        others = [mix for mix in self._all if mix != company.running]
        if not others:
            return None
        mix = min(others, key=lambda other: company.arms[other].last if other in company.arms else -1)
        arm = company.arms.get(mix, cheap)
        cost = TRIAL_STEPS * arm.seconds / max(1.0, arm.steps) * (1 if mix in company.arms else 2)
        return mix if cost <= self._budget else None


def _key(contexts: Sequence[int]) -> tuple[int, int]:
    return len(contexts).bit_length(), (sum(contexts) // max(1, len(contexts)) // 256).bit_length()
