"""The report of the last run that did something, kept in Draftline's home."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from configs.errors import InputError
from ingest.report import Report
from ingest.writing import replacing

FILE = "ingest-report.json"


def check_place(path: Path) -> None:
    """Look whether a report can be written there; raises InputError, before a long run, when it cannot."""
    folder = path.absolute().parent
    problem = None
    if not folder.is_dir():
        problem = f"there is no folder {folder}; make it first"
    elif path.is_dir():
        problem = "it is a folder; name a file"
    elif not os.access(folder, os.W_OK | os.X_OK):
        problem = f"the folder {folder} cannot be written to"
    if problem:
        raise InputError(f"the report {path} cannot be written: {problem}")


def write_report(path: Path, report: Report) -> None:
    """Write a report's details as JSON, at once.

    Raises:
        InputError: it cannot be written there.
    """
    text = json.dumps(report.details(), indent=1, ensure_ascii=False) + "\n"
    try:
        with replacing(path) as fresh:
            fresh.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"the report {path} cannot be written: {error.strerror or error}") from None


def replace_report(home: Path, report: Report) -> None:
    """Keep this report and in no case the one before."""
    (home / FILE).unlink(missing_ok=True)
    with contextlib.suppress(InputError):  # what it reports is done all the same
        write_report(home / FILE, report)


def read_report(home: Path) -> dict[str, Any] | None:
    """The details of the last run's report; None where there is none (or none that is whole)."""
    try:
        found = json.loads((home / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None
