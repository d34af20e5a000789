"""One page about the last run: headline numbers against their minimum, the trend, the worst questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluate.records import Outcome, Run

TREND_METRICS = ("citation_overlap", "abstention", "context_recall")
TREND_RUNS = 30
WORST = 10
WIDTH, HEIGHT = 640, 160


@dataclass(frozen=True)
class Line:
    """A metric over the last runs, as points of an SVG polyline."""

    metric: str
    points: str
    last: tuple[float, float]


def render(runs: Sequence[Run]) -> str:
    """The report as one self-contained HTML page, about the last of ``runs`` (oldest first)."""
    from jinja2 import Environment

    template = Path(__file__).with_name("report.html.jinja").read_text(encoding="utf-8")
    run = runs[-1]
    return (
        Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        .from_string(template)
        .render(
            run=run,
            extra={name: run.headline[name] for name in run.headline if name not in _gated(run)},
            trend=trend(runs),
            width=WIDTH,
            height=HEIGHT,
            worst=worst(run.outcomes),
        )
    )


def trend(runs: Sequence[Run]) -> list[Line]:
    """Each trend metric over the last whole runs; nothing while there is only one."""
    whole = [run for run in runs if not run.limited][-TREND_RUNS:]
    if len(whole) < 2:
        return []
    lines = []
    for metric in TREND_METRICS:
        points = [
            (round(index * WIDTH / (len(whole) - 1), 1), round(HEIGHT * (1 - value), 1))
            for index, run in enumerate(whole)
            if (value := run.headline.get(metric)) is not None
        ]
        if points:
            lines.append(Line(metric, " ".join(f"{x},{y}" for x, y in points), points[-1]))
    return lines


def worst(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """What to look at first: errors, then the lowest scores; nothing that is all right."""
    ranked = sorted(outcomes, key=_rank)
    return [outcome for outcome in ranked if _rank(outcome)[0] < 1][:WORST]


def _rank(outcome: Outcome) -> tuple[float, float]:
    """Gated scores decide, the likeness to the reference answer breaks ties."""
    if outcome.error:
        return (-1.0, 0.0)
    scores = outcome.scores
    gated = ("answered", "citation_overlap", "abstention", "context_recall", "citation_truth")
    values = [value for name in gated if (value := scores.get(name)) is not None]
    return (sum(values) / len(values) if values else 1.0, scores.get("semantic_similarity") or 0.0)


def _gated(run: Run) -> set[str]:
    return {gate.metric for gate in run.gates}
