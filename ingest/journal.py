"""The report of the last run that did something, kept in Draftline's home."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from configs.errors import InputError
from ingest.report import Report
from ingest.writing import replacing

FILE = "ingest-report.json"


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


def forget_report(home: Path) -> None:
    """Delete the report: it may name what was just removed."""
    (home / FILE).unlink(missing_ok=True)


def read_report(home: Path) -> dict[str, Any] | None:
    """The details of the last run's report; None where there is none (or none that is whole)."""
    try:
        found = json.loads((home / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None
