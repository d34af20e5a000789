"""A folder to ingest, and the command run in this process with the real embedder loaded once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from configs.settings import load_settings
from ingest.__main__ import main
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


@pytest.fixture
def run(
    home: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Run ``python -m ingest`` with these words; the embedder is real and shared by all tests."""
    monkeypatch.setattr("ingest.pipeline.load_embedder", lambda settings: embedder)

    def run(*words: object) -> Ran:
        capfd.readouterr()
        code = main([str(word) for word in words])
        return Ran(code, *capfd.readouterr())

    return run


@pytest.fixture
def sync(run: Callable[..., Ran]) -> Callable[..., Ran]:
    """``run`` with --json."""
    return lambda *words: run("--json", *words)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A small tree of all kinds of text."""
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "pump.md").write_text("---\nauthor: Ada\nyear: 2024\n---\n# Pump\n\nThe pump runs at noon.\n")
    (folder / "valve.txt").write_text("The valve is made of brass and opens slowly.\n")
    (folder / "sub" / "led.html").write_text(
        "<html lang=en><head><title>Lights</title></head><body><main><h1>Lights</h1>"
        "<p>A red light means that there is no uplink, and a green one that all is well.</p></main></body>"
    )
    return folder


def payloads() -> list[dict[str, Any]]:
    """Every chunk in the store."""
    return list(open_store(load_settings()).scroll())


def stored() -> dict[str, list[str]]:
    """Document paths with their chunks' texts, in order."""
    documents: dict[str, list[tuple[int, str]]] = {}
    for payload in payloads():
        ours = payload["_dl"]
        documents.setdefault(ours["document"], []).append((ours["ordinal"], ours["text"]))
    return {path: [text for _, text in sorted(chunks)] for path, chunks in documents.items()}
