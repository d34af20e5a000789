"""What a retrieval did, stage by stage, for people who ask why."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from retrieve.schema import Passage
from retrieve.self_query.plan import QueryPlan

SHOWN = 8
"""Candidates of a stage that are kept for showing."""


@dataclass
class Stage:
    """One stage of a retrieval."""

    name: str
    seconds: float = 0.0
    found: int | None = None
    note: str = ""
    passages: tuple[Passage, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """{stage, ms, found, note, passages}."""
        return {
            "stage": self.name,
            "ms": round(1000 * self.seconds, 2),
            "found": self.found,
            "note": self.note,
            "passages": [
                {
                    "id": p.id,
                    "document": p.document,
                    "score": p.score,
                    "relevance": p.relevance,
                    "coverage": p.coverage,
                }
                for p in self.passages
            ],
        }


@dataclass
class Trace:
    """Collects the stages of one retrieval."""

    stages: list[Stage] = field(default_factory=list)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Measure what is done inside."""
        stage = Stage(name)
        started = time.perf_counter()
        try:
            yield stage
        finally:
            stage.seconds = time.perf_counter() - started
            self.stages.append(stage)


def record(stage: Stage, passages: Sequence[Passage], note: str = "") -> None:
    """Keep what a stage found."""
    stage.found, stage.passages, stage.note = len(passages), tuple(passages[:SHOWN]), note


def plan_note(plan: QueryPlan) -> str:
    """The conditions of a plan, for the line of the search that used them."""
    return "; ".join(finding.reason for finding in plan.findings) or "no condition"
