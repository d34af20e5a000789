"""What only the store in a server has to deal with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from configs.errors import StoreError
from configs.settings import Settings
from retrieve.store import open_store
from retrieve.store.base import Record
from retrieve.store.server import ServerStore
from retrieve.store.server_versions import DENSE, META, SPARSE
from tests.retrieve.qdrant_double import QdrantDouble
from tests.retrieve.samples import (
    fill,
    make_chunk,
    make_document,
    pages,
    request_for,
    vectors_for,
    writing,
)


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
    (collection,) = client.get_collections().collections
    client.delete_collection(collection.name)
    assert store.side("ledger") is None
    with writing(store) as writer:
        assert list(writer.side.iterdir()) == []
    store.close()


@pytest.mark.parametrize(
    ("call", "left"),
    [("delete", ["page-1.md", "page-2.md", "page-3.md"]), ("update_collection", ["page-1.md", "page-2.md"])],
)
def test_a_commit_that_dies_half_way_is_mended_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, left: list[str]
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
        patch.setattr(client, call, fail)
        with pytest.raises(RuntimeError):
            replace()
    assert store.side("ledger") is None
    assert pages(store) == left
    replace()
    assert pages(store) == ["page-1.md", "page-3.md"]
    assert store.side("ledger") is not None
    store.close()


class TestVersions:
    @pytest.fixture
    def client(self) -> QdrantClient:
        return QdrantClient(":memory:")

    @pytest.fixture
    def store(self, client: QdrantClient, tmp_path: Path) -> Iterator[ServerStore]:
        store = ServerStore(client, "docs", tmp_path)
        yield store
        store.close()

    def names(self, client: QdrantClient) -> list[str]:
        return sorted(item.name for item in client.get_collections().collections)

    def behind(self, client: QdrantClient) -> str:
        (alias,) = client.get_aliases().aliases
        assert alias.alias_name == "docs"
        return alias.collection_name

    def test_a_rebuilt_store_takes_over_at_once(self, client: QdrantClient, store: ServerStore) -> None:
        chunks = fill(store, [make_document(n, {"n": n}) for n in range(3)])
        assert (self.names(client), self.behind(client)) == (["docs-v1"], "docs-v1")
        wide = np.eye(3, dtype=np.float32)
        with writing(store, embedder="wider", dimension=3, rebuild="wider") as writer:
            records = [Record(r.id, r.payload, wide[0]) for r in store.records()]
            writer.put(records[:2])
            assert self.names(client) == ["docs-v1", "docs-v2"]
            assert store.search(request_for(chunks[0]))[0].id == chunks[0].id
            writer.commit()
            assert (self.names(client), self.behind(client)) == (["docs-v2"], "docs-v2")
            assert (store.info().embedder, store.info().dimension, store.info().chunks) == ("wider", 3, 2)
            writer.put(records[2:])  # from now on it is an ordinary writer
            assert store.info().chunks == 2
            writer.commit()
        assert (self.behind(client), store.info().chunks) == ("docs-v2", 3)
        with pytest.raises(StoreError, match=r"'wider'.*'tests'"):
            store.search(request_for(chunks[0], embedder="tests"))

    def test_a_reader_that_knew_the_version_before(
        self, client: QdrantClient, store: ServerStore, tmp_path: Path
    ) -> None:
        chunks = fill(store, [make_document(n) for n in range(3)])
        reader = ServerStore(client, "docs", tmp_path / "reader")
        assert len(reader.search(request_for(chunks[0]))) == 3
        with writing(store, embedder="wider", dimension=3, rebuild="wider") as writer:
            writer.put([Record(r.id, r.payload, np.ones(3, dtype=np.float32)) for r in store.records()])
            writer.commit()
        with pytest.raises(StoreError, match=r"holds vectors of the embedder 'wider'"):
            reader.search(request_for(chunks[0], embedder="tests"))

    def test_what_a_dead_writer_was_building_goes(self, client: QdrantClient, store: ServerStore) -> None:
        fill(store, [make_document(1)])

        def die(rebuild: str) -> None:
            with writing(store, rebuild=rebuild) as writer:
                writer.put(list(store.records()))
                raise RuntimeError("killed")

        for rebuild in ("one", "one", "another"):
            with pytest.raises(RuntimeError):
                die(rebuild)
            assert len(self.names(client)) == 2  # gone on with, or gone
        assert pages(store) == ["page-1.md"]
        with writing(store, rebuild="a third") as writer:
            writer.put([])
            writer.commit()
        assert len(self.names(client)) == 1
        assert store.info().chunks == 0

    def test_a_first_ingest_that_fails_leaves_nothing(self, client: QdrantClient, store: ServerStore) -> None:
        def die() -> None:
            with writing(store) as writer:
                chunk = make_chunk(make_document(1))
                writer.upsert([chunk], vectors_for([chunk]))
                assert self.names(client) == ["docs-v1"]
                raise RuntimeError("killed")

        with pytest.raises(RuntimeError):
            die()
        assert self.names(client) == []
        assert store.info().chunks == 0

    def test_a_collection_from_before_there_were_versions(
        self, client: QdrantClient, store: ServerStore
    ) -> None:
        """It is written in place, and gives its name to the alias when everything is replaced."""
        fill(store, [make_document(1)])
        versions = store.versions
        manifest = versions.published().manifest.model_copy(update={"shard": None})  # type: ignore[union-attr]
        (record,) = store.records()
        versions.drop("docs-v1")
        client.create_collection(
            "docs",
            vectors_config={DENSE: models.VectorParams(size=8, distance=models.Distance.COSINE)},
            sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            metadata={META: manifest.model_dump()},
        )
        vectors = {DENSE: record.vector.tolist()}
        client.upsert(
            "docs", [models.PointStruct(id=record.id, vector=vectors, payload=dict(record.payload))]
        )
        assert pages(store) == ["page-1.md"]
        fill(store, [make_document(2)])
        assert (self.names(client), pages(store)) == (["docs"], ["page-1.md", "page-2.md"])
        with writing(store, rebuild="again") as writer:
            writer.put(list(store.records()))
            writer.commit()
        assert (self.names(client), self.behind(client)) == (["docs-v1"], "docs-v1")
        assert pages(store) == ["page-1.md", "page-2.md"]

    def test_a_collection_of_a_newer_version(self, client: QdrantClient, store: ServerStore) -> None:
        client.create_collection("docs", metadata={META: {"format": 99, "surprise": True}})
        with pytest.raises(StoreError, match=r"'docs' has format 99.*upgrade Draftline"):
            store.info()
        client.update_collection("docs", metadata={META: {"chunks": "many"}})
        with pytest.raises(StoreError, match="metadata of the collection 'docs' is damaged"):
            store.info()


def test_the_layout_that_the_settings_name(
    double: QdrantDouble, make_settings: Callable[..., Settings]
) -> None:
    words = ("store.shards=3", "store.write_consistency=2", "store.write_ordering=strong")
    store = open_store(make_settings(f"store.url={double.url}", *words, profile="cluster"))
    fill(store, [make_document(1, {"author": "Ann", "n": 3})])
    created = double.created["draftline-v1"]
    assert isinstance(created.quantization_config, models.ScalarQuantization)
    assert created.on_disk_payload
    assert isinstance(created.vectors, dict)
    assert created.vectors[DENSE].on_disk
    assert (created.shard_number, created.replication_factor, created.write_consistency_factor) == (3, 2, 2)
    assert all("ordering=strong" in request for request in double.writes())
    fields = double.indexes["draftline-v1"]
    assert {name: fields[name]["data_type"] for name in ("author", "n", "_dl.modified")} == {
        "author": "keyword",
        "n": "integer",
        "_dl.modified": "datetime",
    }
    assert fields["_dl.tenant"]["params"] == {"type": "keyword", "is_tenant": True}
    indexed = max(n for n, request in enumerate(double.requests) if "/index" in request)
    first = min(n for n, request in enumerate(double.requests) if request in double.writes())
    assert indexed < first
    store.close()


def test_a_collection_of_an_older_version_gets_the_indexes_it_lacks(
    double: QdrantDouble, make_settings: Callable[..., Settings]
) -> None:
    store = open_store(make_settings(f"store.url={double.url}", profile="cluster"))
    fill(store, [make_document(1)])
    for field in ("_dl.copies", "_dl.page"):
        del double.indexes["draftline-v1"][field]
    fill(store, [make_document(2)])
    assert double.indexes["draftline-v1"]["_dl.copies"]["data_type"] == "integer"
    assert "_dl.page" in double.indexes["draftline-v1"]
    store.close()


@pytest.mark.parametrize(
    ("quantization", "kind"), [("binary", models.BinaryQuantization), ("off", type(None))]
)
def test_quantization(
    double: QdrantDouble, make_settings: Callable[..., Settings], quantization: str, kind: type
) -> None:
    words = (f"store.url={double.url}", "store.kind=server", f"store.quantization={quantization}")
    store = open_store(make_settings(*words))
    fill(store, [make_document(1)])
    assert isinstance(double.created["draftline-v1"].quantization_config, kind)
    store.close()
