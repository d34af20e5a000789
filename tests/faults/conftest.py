"""Ingest in this process, and in processes of their own that one driver starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.processes import Ingest, Processes
from tests.ingest.conftest import docs, run, sync

__all__ = ["docs", "run", "sync"]


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    processes = Processes()
    yield processes
    processes.close()


@pytest.fixture
def ingest(processes: Processes, home: Path) -> Callable[..., Ingest]:
    """Start ``python -m ingest --json`` with these words, in the test's home."""
    return lambda *words: Ingest(processes, home, *words)
