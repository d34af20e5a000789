"""What a run did: counted as it goes, printed for people or as JSON."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ingest.sources import Failure, Key, display
from ingest.web.urls import shown

SLOWEST = 10
"""Files whose conversion is told apart."""
NOTES = 500
"""Notes of single files that are kept; the others are counted."""
PATHS, SHOWN_PATHS = 100, 3
"""Paths of a run that are kept, and shown: a list on standard input may have any number."""


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
    skipped: Counter[str] = field(default_factory=Counter)
    """Files of a kind that cannot be converted, by suffix."""
    paths: Sequence[str] = ()
    """What the run was asked for."""
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)
    embedded: int = 0
    """Chunks that went through the embedder."""
    reused: int = 0
    """Chunks whose vector the store had."""
    converting_s: float = 0.0
    embedding_s: float = 0.0
    """Spent in the embedder alone."""
    slowest: list[tuple[float, str]] = field(default_factory=list)
    """Seconds that the slowest conversions took, with their paths: a heap."""
    coverage: dict[str, Counter[str]] = field(default_factory=dict)
    """In how many of the documents converted a field was found, by the extractor that gave it."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """What was left out or guessed: the file's path, and what is to be said of it."""
    more_notes: int = 0

    @property
    def chunks(self) -> int:
        return sum(self.documents.values())

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def count_converted(self, path: str, seconds: float, fields: Mapping[str, str]) -> None:
        """Note a converted document; ``fields``: which extractor gave each field."""
        heapq.heappush(self.slowest, (round(seconds, 3), path))
        if len(self.slowest) > SLOWEST:
            heapq.heappop(self.slowest)
        self.count_fields(fields)

    def count_fields(self, fields: Mapping[str, str]) -> None:
        """Note fields that were found in a document; see `count_converted`."""
        for name, origin in fields.items():
            self.coverage.setdefault(name, Counter())[origin] += 1

    def note(self, path: str, text: str) -> None:
        """Keep what is to be said of a document that was converted all the same."""
        if len(self.notes) < NOTES:
            self.notes.append((path, text))
        else:
            self.more_notes += 1

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

    def details(self) -> dict[str, Any]:
        """What the file that ``--report`` names holds: `to_json`, and where time and fields came from."""
        return {
            "began": self.began.isoformat(timespec="seconds"),
            "paths": [display(shown(path)) for path in self.paths[:PATHS]],
            **self.to_json(),
            "skipped": dict(self.skipped.most_common()),
            "embedded": self.embedded,
            "reused": self.reused,
            "converting_s": round(self.converting_s, 3),
            "embedding_s": round(self.embedding_s, 3),
            "slowest": [{"path": path, "seconds": s} for s, path in sorted(self.slowest, reverse=True)],
            "fields": {name: dict(found.most_common()) for name, found in sorted(self.coverage.items())},
            "notes": [{"path": path, "note": text} for path, text in self.notes],
            "more_notes": self.more_notes,
        }

    def lines(self) -> list[str]:
        """The summary for people."""
        counts = ", ".join(
            f"{getattr(self, name)} {name}" for name in ("added", "updated", "unchanged", "deleted")
        )
        total = f"{counted(len(self.documents), 'document')}, {counted(self.chunks, 'chunk')}"
        return [f"{total}: {counts} ({self.seconds:.1f} s)", *self._skipped(), *failure_lines(self.failed)]

    def _skipped(self) -> list[str]:
        if not self.skipped.total():
            return []
        kinds = ", ".join(f"{suffix} {count}" for suffix, count in self.skipped.most_common(5))
        more = ", ..." if len(self.skipped) > 5 else ""
        return [f"{counted(self.skipped.total(), 'file')} of other kinds skipped ({kinds}{more})"]


def failures_json(failed: list[Failure]) -> list[dict[str, str]]:
    """Failures as ``--json`` prints them."""
    return [{"path": failure.path, "error": failure.error} for failure in failed]


def failure_lines(failed: list[Failure]) -> list[str]:
    """Failures for people."""
    if not failed:
        return []
    return [f"{len(failed)} failed:", *(f"  {failure.path}: {failure.error}" for failure in failed)]


def detail_lines(details: Mapping[str, Any]) -> list[str]:
    """`Report.details` as tables for people; older versions kept less."""
    what = some(details.get("paths", ())) or "removal; what was removed is named nowhere any more"
    lines = [f"run of {details['began']}: {what}"] if "began" in details else []
    lines += [
        f"{details['added']} added, {details['updated']} updated, {details['deleted']} deleted, "
        f"{details['unchanged']} unchanged, {len(details['failed'])} failed in {details['seconds']:.1f} s",
        f"converting {details['converting_s']:.1f} s, embedding {details['embedding_s']:.1f} s: "
        f"{counted(details['embedded'], 'chunk')} embedded, {details['reused']} had a vector",
    ]
    if details["slowest"]:
        slowest = [f"  {file['seconds']:8.3f} s  {file['path']}" for file in details["slowest"]]
        lines += ["slowest conversions:", *slowest]
    if details["fields"]:
        lines.append("fields found, by extractor:")
    for name, found in details["fields"].items():
        lines.append(f"  {name}: " + ", ".join(f"{origin} {count}" for origin, count in found.items()))
    if details["skipped"]:
        kinds = ", ".join(f"{suffix} {count}" for suffix, count in details["skipped"].items())
        lines.append(f"skipped, no converter: {kinds}")
    if notes := details.get("notes"):
        lines += ["notes:", *(f"  {told['path']}: {told['note']}" for told in notes)]
    if more := details.get("more_notes"):
        lines.append(f"  and {counted(more, 'more note')}")
    failed = [Failure(failure["path"], failure["error"]) for failure in details["failed"]]
    return [*lines, *failure_lines(failed)]


def some(paths: Sequence[str]) -> str:
    """The first few of them, in a line."""
    return ", ".join([*paths[:SHOWN_PATHS], *(["..."] if len(paths) > SHOWN_PATHS else [])])


def counted(number: int, noun: str) -> str:
    """``1 file``, ``2 files``, ``2 addresses``."""
    plural = "es" if noun.endswith("s") else "s"
    return f"{number} {noun}{'' if number == 1 else plural}"
