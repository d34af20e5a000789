"""Stores of both kinds."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retrieve.store.base import Store
from retrieve.store.edge import EdgeStore


@pytest.fixture
def edge_store(tmp_path: Path) -> Iterator[EdgeStore]:
    store = EdgeStore(tmp_path / "store")
    yield store
    store.close()


def _server_store(folder: Path) -> Store:
    from qdrant_client import QdrantClient

    from retrieve.store.server import ServerStore

    url = os.environ.get("DRAFTLINE_TEST_QDRANT_URL")
    client = QdrantClient(url=url) if url else QdrantClient(":memory:")
    return ServerStore(client, f"tests-{uuid.uuid4()}", folder)


@pytest.fixture(params=["edge", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of each kind; the server is qdrant-client's in-memory one unless a real one is named."""
    make: dict[str, Callable[[Path], Store]] = {"edge": EdgeStore, "server": _server_store}
    store = make[request.param](tmp_path / "store")
    yield store
    store.close()
