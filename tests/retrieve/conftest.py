"""Stores of both kinds."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieve.store.base import Store
from retrieve.store.edge import EdgeStore
from tests.retrieve.qdrant_double import QdrantDouble


@pytest.fixture
def edge_store(tmp_path: Path) -> Iterator[EdgeStore]:
    store = EdgeStore(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def double() -> Iterator[QdrantDouble]:
    """A stand-in for a server, on a real socket."""
    double = QdrantDouble()
    yield double
    double.close()


@contextlib.contextmanager
def server_store(folder: Path) -> Iterator[Store]:
    """A store in the server that DRAFTLINE_TEST_QDRANT_URL names, or in qdrant-client's in-memory mode."""
    from qdrant_client import QdrantClient

    from retrieve.store.server import ServerStore

    url = os.environ.get("DRAFTLINE_TEST_QDRANT_URL")
    client = QdrantClient(url=url, timeout=60) if url else QdrantClient(":memory:")
    store = ServerStore(client, f"tests-{uuid.uuid4()}", folder)
    try:
        yield store
    finally:
        if url:
            published = store.versions.published()
            for version in (*store.versions.others(), *([published] if published else [])):
                store.versions.drop(version.name)
        store.close()


@pytest.fixture(params=["edge", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of each kind; see `server_store`."""
    if request.param == "server":
        with server_store(tmp_path / "store") as server:
            yield server
        return
    edge = EdgeStore(tmp_path / "store")
    yield edge
    edge.close()
