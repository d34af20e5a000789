"""A folder to ingest, and the command run in this process with the real embedder loaded once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.__main__ import main
from tests.ingest.stored import Ran


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
