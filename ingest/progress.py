"""Progress on stderr: a bar in a terminal, a line a stage elsewhere, nothing with --json."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)


class Stages:
    """One stage after the other, each with a known number of steps."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console, self._quiet = console, quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if console.is_terminal and not quiet:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                TextColumn("[dim]{task.fields[item]}"),
                console=console,
                transient=True,
            )

    def __enter__(self) -> Stages:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def stage(self, name: str, total: int, unit: str) -> None:
        """Begin a stage of ``total`` steps; ``unit``: what they are, in the plural."""
        if self._bar:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(name, total=total, rate="", item="")
        elif not self._quiet:
            self._console.print(f"{name} {total} {unit if total != 1 else unit[:-1]}", highlight=False)

    def show(self, item: str) -> None:
        """Say what is being worked on."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, item=escape(item[-48:]))

    def advance(self, steps: int = 1) -> None:
        """Some steps are done."""
        if self._bar and self._task is not None:
            self._bar.advance(self._task, steps)
            speed = next((task.speed for task in self._bar.tasks if task.id == self._task), None)
            self._bar.update(self._task, rate=f"{speed:.0f}/s" if speed else "")

    def note(self, text: str) -> None:
        """Say something that stays."""
        self._console.print(escape(text), highlight=False, soft_wrap=True)
