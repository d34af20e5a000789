"""Many questions at once: JSON lines in, JSON lines out, in their order."""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.cli import Context
from configs.errors import DraftlineError, ExitCode, InputError

if TYPE_CHECKING:
    from retrieve.retriever import Retrieval

AHEAD = 32
"""Questions that are embedded together: two sequences of the packed encoder."""


def run_batch(
    context: Context, ask: Callable[[str], Retrieval], prepare: Callable[[Sequence[str]], None]
) -> ExitCode:
    """Answer every line of ``--batch``; a line that cannot be answered gets its error in its place.

    Args:
        ask: the answer to one question.
        prepare: is told questions that will be asked next, to do for all of them what can be done together.
    """
    failed = False
    for window in windows(_lines(context.args.batch), AHEAD):
        items = [_read(line) for line in window]
        prepare([item.question for item in items if item.question is not None])
        for item in items:
            try:
                answer = ask(item.checked()).to_json()
            except InputError as error:
                failed = True
                answer = {"error": str(error)}
            context.emit({"id": item.id, **answer})
    return ExitCode.PARTIAL if failed else ExitCode.OK


@dataclass(frozen=True)
class Item:
    """A line of a batch."""

    id: Any
    question: str | None
    error: str = ""

    def checked(self) -> str:
        """The question; raises InputError where the line has none."""
        if self.question is None:
            raise InputError(self.error)
        return self.question


@dataclass(frozen=True)
class End:
    """There are no more lines, because of ``error`` if there is one."""

    error: BaseException | None = None


def windows(lines: Iterator[str], size: int) -> Iterator[list[str]]:
    """Lines that have come already, at most ``size`` together: somebody may wait for the first's answer."""
    waiting: queue.Queue[str | End] = queue.Queue(maxsize=2 * size)

    def read() -> None:
        end = End()
        try:
            for line in lines:
                waiting.put(line)
        except BaseException as error:
            end = End(error)
        waiting.put(end)

    threading.Thread(target=read, daemon=True).start()
    end = None
    while end is None:
        window, end = _window(waiting, size)
        if window:
            yield window
    if end.error is not None:
        raise end.error


def _window(waiting: queue.Queue[str | End], size: int) -> tuple[list[str], End | None]:
    window: list[str] = []
    while not window or (len(window) < size and not waiting.empty()):
        line = waiting.get()
        if isinstance(line, End):
            return window, line
        window.append(line)
    return window, None


def _lines(file: str) -> Iterator[str]:
    if file == "-":
        yield from (line for line in sys.stdin if line.strip())
        return
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as lines:
            yield from (line for line in lines if line.strip())
    except OSError as error:
        raise DraftlineError(f"cannot read --batch {file}: {error.strerror}") from None


def _read(line: str) -> Item:
    try:
        item = json.loads(line)
    except ValueError as error:
        return Item(None, None, f"not JSON: {error}")
    if not isinstance(item, dict):
        item = {}
    if not isinstance(item.get("question"), str):
        form = 'a line is an object with "id" and "question", and the question is text'
        return Item(item.get("id"), None, form)
    return Item(item.get("id"), item["question"])
