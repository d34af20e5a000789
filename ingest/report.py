"""What a run did: counted as it goes, printed for people or as JSON."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from ingest.sources import Failure, Key


@dataclass
class Report:
    """The outcome of a run, about the paths that it was given."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    failed: list[Failure] = field(default_factory=list)
    documents: dict[Key, int] = field(default_factory=dict)
    """Chunks of each document that is in the store now."""
    skipped: int = 0
    """Files of a kind that cannot be converted."""
    started: float = field(default_factory=time.monotonic)

    @property
    def chunks(self) -> int:
        return sum(self.documents.values())

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "documents": len(self.documents),
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "deleted": self.deleted,
            "failed": failures_json(self.failed),
            "chunks": self.chunks,
            "seconds": round(self.seconds, 3),
        }

    def lines(self) -> list[str]:
        """The summary for people."""
        counts = ", ".join(
            f"{getattr(self, name)} {name}" for name in ("added", "updated", "unchanged", "deleted")
        )
        total = f"{counted(len(self.documents), 'document')}, {counted(self.chunks, 'chunk')}"
        skipped = [f"{counted(self.skipped, 'file')} of other kinds skipped"] if self.skipped else []
        return [f"{total}: {counts} ({self.seconds:.1f} s)", *skipped, *failure_lines(self.failed)]


def failures_json(failed: list[Failure]) -> list[dict[str, str]]:
    """Failures as ``--json`` prints them."""
    return [{"path": failure.path, "error": failure.error} for failure in failed]


def failure_lines(failed: list[Failure]) -> list[str]:
    """Failures for people."""
    if not failed:
        return []
    return [f"{len(failed)} failed:", *(f"  {failure.path}: {failure.error}" for failure in failed)]


def counted(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
