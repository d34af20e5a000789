"""A whole evaluation: ask, score, sum up, keep, report, gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from configs.cli import Context
from configs.errors import ExitCode, InputError
from configs.sections import EvaluateSettings
from configs.settings import Settings
from evaluate import history, report
from evaluate.dataset import Item, load_dataset, spread
from evaluate.metrics import ragas_scores
from evaluate.progress import progress
from evaluate.records import Gate, Outcome, Run, Scores
from evaluate.references import Reference, locate
from evaluate.runner import Asker, ask_all

if TYPE_CHECKING:
    from retrieve.store.base import StoreInfo


def run_nightly(context: Context) -> int:
    """The ``nightly`` command.

    Raises:
        InputError: a bad dataset, or nothing ingested yet.
    """
    settings, limit = context.settings, context.args.limit
    everything = load_dataset(settings.evaluate.dataset)
    items = spread(everything, limit)
    info, references = _look_up(items, settings)
    started, clock = datetime.now(UTC), monotonic()
    outcomes = _ask(items, references, context)
    from retrieve.embed import load_embedder

    ragas = ragas_scores(outcomes, references, load_embedder(settings))
    outcomes = [
        outcome.model_copy(update={"scores": outcome.scores | ragas.scores.get(outcome.id, {})})
        for outcome in outcomes
    ]
    headline = sum_up(outcomes)
    run = Run(
        started=started,
        seconds=monotonic() - clock,
        draftline=version("draftline"),
        profile=settings.profile,
        dataset=str(settings.evaluate.dataset),
        limited=len(items) < len(everything),
        models={"answer": settings.models.answer, "embed": settings.models.embed},
        store={"documents": info.documents, "chunks": info.chunks, "generation": info.generation},
        headline=headline,
        gates=gates(headline, settings.evaluate),
        undefined=dict(ragas.undefined),
        failed=dict(ragas.failed),
        outcomes=tuple(outcomes),
    )
    return _keep(run, context)


def sum_up(outcomes: Iterable[Outcome]) -> Scores:
    """The mean of every metric over the items that have it, and of the engine's figures."""
    values: dict[str, list[float]] = {}
    for outcome in outcomes:
        for name, value in outcome.scores.items():
            if value is not None:
                values.setdefault(name, []).append(value)
        for name in ("ttft_s", "tokens_per_s"):
            # One token has no rate.
            if outcome.answered and outcome.stats.get(name):
                values.setdefault(name, []).append(float(outcome.stats[name]))
    return {name: sum(numbers) / len(numbers) for name, numbers in values.items()}


def gates(headline: Scores, settings: EvaluateSettings) -> tuple[Gate, ...]:
    """The numbers that a run must reach."""
    rows = (
        ("citation_overlap", settings.min_citation_overlap, "evaluate.min_citation_overlap"),
        ("abstention", settings.min_abstention, "evaluate.min_abstention"),
        ("context_recall", settings.min_context_recall, "evaluate.min_context_recall"),
        ("citation_truth", 1.0, "a citation that is not true is a bug"),
    )
    return tuple(
        Gate(metric=metric, value=headline.get(metric), minimum=minimum, source=source)
        for metric, minimum, source in rows
    )


def _look_up(items: Sequence[Item], settings: Settings) -> tuple[StoreInfo, dict[str, Reference]]:
    from retrieve.store import open_store

    store = open_store(settings)
    try:
        info = store.info()
        if not info.chunks:
            raise InputError(
                "the store is empty; ingest what the dataset asks about: python -m ingest ./docs"
            )
        return info, locate(items, store)
    finally:
        store.close()


def _ask(items: Sequence[Item], references: Mapping[str, Reference], context: Context) -> list[Outcome]:
    from generate.answer import open_answerer

    context.note("loading the models")
    answerer = open_answerer(context.settings)
    asker = Asker(lambda question: answerer.ask(question).to_json(), references)
    parallel = min(context.settings.generate.max_running, len(items))
    try:
        with progress(len(items), context.console) as advance:
            # Closing the answerer ends the answers that are under way.
            return ask_all(items, asker, parallel, done=lambda _: advance(), give_up=answerer.close)
    finally:
        answerer.close()


def _keep(run: Run, context: Context) -> int:
    """Write record and report, say how it went, and return the exit code."""
    record = history.save(run, context.settings)
    page = history.folder(context.settings) / "report.html"
    history.write_whole(page, report.render(history.load(context.settings, context.note)))
    if context.args.json:
        context.emit(_summary(run, record, page))
    for name, value in run.headline.items():
        context.say(f"{name:<22}{value:.3f}")
    for name, count in run.undefined.items():
        context.note(f"{name}: undefined for {count} questions")
    for name, count in run.failed.items():
        context.note(f"{name}: raised for {count} questions")
    for outcome in run.errors:
        context.note(f"{outcome.id}: {outcome.error}")
    for gate in run.gates:
        context.note(gate.line())
    context.note(f"{len(run.outcomes)} questions in {run.seconds:.0f} s; report: {page}")
    return ExitCode.OK if run.passed else ExitCode.PARTIAL


def _summary(run: Run, record: Path, page: Path) -> dict[str, Any]:
    kinds = Counter(
        "error" if outcome.error else "abstained" if outcome.abstained else "answered"
        for outcome in run.outcomes
    )
    return {
        "passed": run.passed,
        "questions": len(run.outcomes),
        **{kind: kinds[kind] for kind in ("answered", "abstained", "error")},
        "headline": run.headline,
        "gates": [gate.model_dump() | {"passed": gate.passed} for gate in run.gates],
        "undefined": run.undefined,
        "failed": run.failed,
        "errors": [{"id": outcome.id, "error": outcome.error} for outcome in run.errors],
        "seconds": round(run.seconds, 1),
        "record": str(record),
        "report": str(page),
    }
