"""What only the store in a server has to deal with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models

from configs.errors import StoreError
from configs.settings import Settings
from retrieve.store import open_store
from retrieve.store.server import ServerStore
from tests.retrieve.samples import fill, make_chunk, make_document, pages, vectors_for, writing


def test_a_server_that_is_not_there(make_settings: Callable[..., Settings]) -> None:
    store = open_store(
        make_settings("store.kind=server", "store.url=http://127.0.0.1:9", "store.timeout_s=2")
    )
    with pytest.raises(StoreError, match=r"cannot be reached.*store\.url"):
        store.info()
    with pytest.raises(StoreError, match="cannot be reached"), writing(store):
        pass
    store.close()


def test_somebody_elses_collection_is_left_alone(tmp_path: Path) -> None:
    client = QdrantClient(":memory:")
    client.create_collection(
        "theirs", vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT)
    )
    store = ServerStore(client, "theirs", tmp_path)
    with pytest.raises(StoreError, match="was not made by Draftline"):
        store.info()
    with pytest.raises(StoreError, match="was not made by Draftline"), writing(store):
        pass
    assert client.collection_exists("theirs")
    store.close()


def test_a_ledger_of_another_collection_is_not_believed(tmp_path: Path) -> None:
    client = QdrantClient(":memory:")
    store = ServerStore(client, "docs", tmp_path)
    with writing(store) as writer:
        (writer.side / "ledger").write_text("page-1.md is up to date")
        writer.commit()
    fill(store, [make_document(1)])
    assert store.side("ledger") is not None
    client.delete_collection("docs")
    assert store.side("ledger") is None
    with writing(store) as writer:
        assert list(writer.side.iterdir()) == []
    store.close()


def test_a_commit_that_dies_half_way_is_mended_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = QdrantClient(":memory:")
    store = ServerStore(client, "docs", tmp_path)
    fill(store, [make_document(1), make_document(2)])

    def replace() -> None:
        with writing(store) as writer:
            writer.delete_documents([make_document(2).id])
            fresh = make_document(3)
            chunk = make_chunk(fresh)
            writer.upsert([chunk], vectors_for([chunk]))
            (writer.side / "ledger").write_text("three")
            writer.commit()

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(client, "delete", fail)
        with pytest.raises(RuntimeError):
            replace()
    assert store.side("ledger") is None
    assert pages(store) == ["page-1.md", "page-2.md", "page-3.md"]
    replace()
    assert pages(store) == ["page-1.md", "page-3.md"]
    assert store.side("ledger") is not None
    store.close()
