"""A store that was copied: ingest goes on where it was, at the other place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from retrieve import __main__ as retrieve
from tests.ingest.stored import Ran
from tests.retrieve.conftest import double
from tests.retrieve.qdrant_double import QdrantDouble

__all__ = ["double"]


def test_ingest_finds_everything_unchanged_in_the_copy(
    sync: Callable[..., Ran],
    docs: Path,
    home: Path,
    double: QdrantDouble,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = ["--set", f"store.url={double.url}"]
    sync(docs)
    monkeypatch.setattr("sys.argv", ["retrieve", "copy", "--from", "edge", "--to", "server", *place])
    assert retrieve.main() == 0
    place += ["--set", "store.kind=server"]
    double.requests.clear()
    assert sync(docs, *place).counts() == (0, 0, 3, 0)
    assert double.writes() == []
    (docs / "pump.md").write_text("# Pump\n\nThe pump runs at midnight.\n")
    assert sync(docs, *place).counts() == (0, 1, 2, 0)
    monkeypatch.setattr(
        "sys.argv", ["retrieve", "copy", "--from", "server", "--to", "edge", "--replace", *place]
    )
    assert retrieve.main() == 0
    assert sync(docs).counts() == (0, 0, 3, 0)
