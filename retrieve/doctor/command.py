"""``python -m retrieve doctor``."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from configs.cli import Command, Context
from configs.errors import ExitCode, StoreError
from configs.settings import Settings

if TYPE_CHECKING:
    from retrieve.doctor.finding import Finding

EPILOG = """examples:
  python -m retrieve doctor
  python -m retrieve doctor --repair
  python -m retrieve doctor --profile cluster --json"""
COLOURS = {"ok": "green", "note": "yellow", "problem": "bold red"}


class Doctor(Protocol):
    """Examines a store."""

    def examine(self) -> list[Finding]:
        """Everything that was looked at, problems or not."""
        ...


def doctor_command() -> Command:
    """Examine the store and, if asked to, repair it."""
    return Command("doctor", "examine the store, and mend it", _run, _configure, epilog=EPILOG)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repair", action="store_true", help="mend what can be mended safely")


def _run(context: Context) -> int:
    repaired: list[str] = []
    with doctor_for(context.settings) as doctor:
        found = doctor.examine()
        if context.args.repair:
            repaired, failed = _repair(found)
            found = [*doctor.examine(), *failed] if repaired or failed else found
    healthy = all(finding.level != "problem" for finding in found)
    if context.args.json:
        findings = [finding.to_json() for finding in found]
        store = context.settings.store.kind
        context.emit({"store": store, "healthy": healthy, "repaired": repaired, "findings": findings})
    else:
        _show(context, found, repaired)
    return ExitCode.OK if healthy else ExitCode.PARTIAL


@contextlib.contextmanager
def doctor_for(settings: Settings) -> Iterator[Doctor]:
    """Who examines the store that the settings name."""
    if settings.store.kind == "server":
        from retrieve.doctor.server import ServerDoctor
        from retrieve.store.server_client import connect

        client, folder = connect(settings), settings.home / "server" / settings.store.collection
        try:
            yield ServerDoctor(client, folder, settings)
        finally:
            client.close()
    else:
        from retrieve.doctor.edge import EdgeDoctor

        yield EdgeDoctor(settings.home / "store", settings)


def _repair(found: list[Finding]) -> tuple[list[str], list[Finding]]:
    """Carry out every repair; what was done, and what could not be."""
    from retrieve.doctor.finding import from_error

    done, failed = [], []
    for finding in found:
        if finding.repair is not None:
            try:
                done.append(finding.repair())
            except StoreError as error:
                failed.append(from_error(finding.check, error))
    return done, failed


def _show(context: Context, found: list[Finding], repaired: list[str]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(file=context.out, highlight=False, soft_wrap=True)
    for line in repaired:
        console.print(f"[bold green]repaired[/]  {escape(line)}")
    for finding in found:
        colour = COLOURS[finding.level]
        console.print(f"[{colour}]{finding.level:9}[/] {finding.check}: {escape(finding.message)}")
        if finding.advice and finding.level != "ok":
            console.print(f"          [dim]{escape(finding.advice)}[/]")
