"""What an examination finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from configs.errors import ModelError, StoreError
from configs.models import model_path
from configs.settings import Settings
from retrieve.store.base import same_embedder


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    """What was looked at, in a word or two."""
    level: Literal["ok", "note", "problem"]
    message: str
    advice: str = ""
    """What a person can do about it."""
    repair: Callable[[], str] | None = None
    """Mends it and says what was done; raises StoreError when it cannot."""

    def to_json(self) -> dict[str, Any]:
        """The form that ``--json`` prints."""
        return {
            "check": self.check,
            "level": self.level,
            "message": self.message,
            "advice": self.advice,
            "repairable": self.repair is not None,
        }


def embedder_findings(stored: str | None, settings: Settings) -> list[Finding]:
    """Whether the embedder that the settings name is here, and is the one that made the vectors."""
    name = settings.models.embed
    found = []
    try:
        model_path(name, settings, role="embed")
    except ModelError as error:
        found.append(Finding("embedder", "problem", str(error)))
    if stored is not None and not same_embedder(stored, name):
        message = f"the vectors are of {stored!r}, and models.embed names {name!r}: no question can be asked"
        advice = f"set models.embed={stored}, or: python -m ingest reembed --set models.embed={name}"
        found.append(Finding("embedder", "problem", message, advice))
    return found or [Finding("embedder", "ok", f"{name}, as the settings say")]


def from_error(check: str, error: StoreError, advice: str = "") -> Finding:
    """A problem that an error tells of."""
    return Finding(check, "problem", str(error), advice)
