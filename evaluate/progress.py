"""How far a run has come: a bar on a terminal, a line every tenth of the way in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINES = 10
"""How many lines a whole run writes to a log."""


@contextmanager
def progress(total: int, console: Console) -> Iterator[Callable[[], None]]:
    """Show that ``total`` questions are being asked; call what is yielded once for each that is done."""
    if not console.is_terminal:
        yield _lines(total, console)
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("questions", total=total)
        yield lambda: bar.advance(task)


def _lines(total: int, console: Console) -> Callable[[], None]:
    started, done = monotonic(), 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done * LINES // total > (done - 1) * LINES // total:
            left = (monotonic() - started) / done * (total - done)
            console.print(f"{done}/{total} questions, about {left:.0f} s left", highlight=False)

    return advance
