"""How a run ended, and what the store then holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from configs.settings import load_settings
from retrieve.store import open_store


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The last line of stdout."""
        value: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return value

    def counts(self) -> tuple[int, int, int, int]:
        """Added, updated, unchanged, deleted."""
        return tuple(self.report[name] for name in ("added", "updated", "unchanged", "deleted"))  # type: ignore[return-value]

    def failed(self) -> dict[str, str]:
        return {item["path"]: item["error"] for item in self.report["failed"]}


def payloads(*overrides: str) -> list[dict[str, Any]]:
    """Every chunk in the store."""
    return list(open_store(load_settings(overrides=overrides)).scroll())


def stored() -> dict[str, list[str]]:
    """Document paths with their chunks' texts, in order."""
    documents: dict[str, list[tuple[int, str]]] = {}
    for payload in payloads():
        ours = payload["_dl"]
        documents.setdefault(ours["document"], []).append((ours["ordinal"], ours["text"]))
    return {path: [text for _, text in sorted(chunks)] for path, chunks in documents.items()}
