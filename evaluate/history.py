"""The runs that were kept: one JSON file each, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from configs.settings import Settings
from evaluate.records import Run


def folder(settings: Settings) -> Path:
    """Where runs and the report are kept."""
    return settings.home / "evaluate"


def save(run: Run, settings: Settings) -> Path:
    """Keep a run under the time it started; returns the file."""
    name = run.started.strftime("%Y-%m-%dT%H%M%S.%fZ.json")
    path = folder(settings) / "runs" / name
    write_whole(path, run.model_dump_json(indent=1))
    return path


def load(settings: Settings, complain: Callable[[str], None]) -> list[Run]:
    """All kept runs, oldest first; a file that is no run is skipped with a complaint."""
    runs = []
    for path in sorted((folder(settings) / "runs").glob("*.json")):
        try:
            runs.append(Run.model_validate_json(path.read_bytes()))
        except ValidationError as error:
            complain(f"{path}: not a run record, skipped ({error.error_count()} problems); delete or mend it")
    return runs


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader, or a crash, meets the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
