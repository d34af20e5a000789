"""What a run leaves behind: the form on disk, read again by the history and the report."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

Scores = dict[str, float | None]
"""By metric; None where a metric is not defined for what it was given."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Citation(_Record):
    """A citation as `python -m generate ask --json` prints it."""

    marker: int
    passage_id: str
    document: str
    section: tuple[str, ...] = ()
    quote: str
    start: int
    end: int
    page: int | None = None
    also_in: tuple[dict[str, str | int], ...] = ()


class Found(_Record):
    """Where a retrieved passage lies; its text stays in the store."""

    id: str
    document: str
    start: int
    end: int


class Outcome(_Record):
    """One question of the set: what came back and how it scored."""

    id: str
    question: str
    answerable: bool
    reference: str | None
    answer: str = ""
    abstained: bool = False
    citations: tuple[Citation, ...] = ()
    passages: tuple[Found, ...] = ()
    stats: dict[str, Any] = {}
    scores: Scores = {}
    error: str | None = None
    """Why there is no answer to score; such an item fails the run."""

    @property
    def answered(self) -> bool:
        return self.error is None and not self.abstained


class Gate(_Record):
    """A headline number that must not fall below a minimum."""

    metric: str
    value: float | None
    minimum: float
    source: str
    """The setting that holds the minimum, or the rule behind it."""

    @property
    def passed(self) -> bool:
        """A number that nothing was measured for cannot fail; items that failed are counted apart."""
        return self.value is None or self.value >= self.minimum

    def line(self) -> str:
        """The gate in words, for a log."""
        value = "not measured" if self.value is None else f"{self.value:.3f}"
        verdict = "pass" if self.passed else "FAIL"
        return f"{verdict}  {self.metric} {value}, at least {self.minimum:.3f} ({self.source})"


class Run(_Record):
    """A whole run."""

    started: datetime
    seconds: float
    draftline: str
    profile: str
    dataset: str
    limited: bool
    """Whether only a part of the set was asked; such a run stays out of the trend."""
    models: dict[str, str]
    store: dict[str, Any]
    headline: Scores
    gates: tuple[Gate, ...]
    undefined: dict[str, int]
    """How many scores of each metric came out as NaN."""
    failed: dict[str, int]
    """How many times each metric raised instead of scoring."""
    outcomes: tuple[Outcome, ...]

    @property
    def errors(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.error)

    @property
    def passed(self) -> bool:
        return all(gate.passed for gate in self.gates) and not self.errors and not self.failed
