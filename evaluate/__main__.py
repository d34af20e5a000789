"""`python -m evaluate`: the nightly run and its history."""

from __future__ import annotations

import argparse
import sys

from configs.cli import Command, Context, run_main
from configs.errors import ExitCode
from evaluate import history
from evaluate.nightly import run_nightly

COLUMNS = ("citation_overlap", "abstention", "context_recall", "span_recall", "answered")


def _run_history(context: Context) -> int:
    runs = history.load(context.settings, context.note)
    if not runs:
        context.note("no runs yet: python -m evaluate nightly makes one")
    context.say(
        f"{'started (UTC)':<18}{'asked':>6}  {'gates':<6}" + "".join(f"{name:>18}" for name in COLUMNS)
    )
    for run in runs:
        if context.args.json:
            context.emit(run.model_dump(mode="json", exclude={"outcomes"}) | {"passed": run.passed})
        numbers = [run.headline.get(name) for name in COLUMNS]
        cells = "".join(f"{'-' if number is None else f'{number:.3f}':>18}" for number in numbers)
        verdict = "pass" if run.passed else "FAIL"
        context.say(f"{run.started:%Y-%m-%d %H:%M}  {len(run.outcomes):>6}  {verdict:<6}{cells}")
    return ExitCode.OK


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _configure_nightly(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=_count, metavar="N", help="ask only N questions, taken evenly over the set"
    )


COMMANDS = (
    Command(
        "nightly",
        "ask the golden set, score the answers, keep the run, write report.html; exit 1 under a threshold",
        run_nightly,
        _configure_nightly,
        model=True,
    ),
    Command("history", "list the runs that were kept, oldest first", _run_history),
)


def main() -> int:
    """Run the command line; returns the exit code."""
    return run_main("evaluate", "Scores answers against a golden set.", COMMANDS, default="nightly")


if __name__ == "__main__":
    sys.exit(main())
