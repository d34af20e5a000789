"""Copies between the embedded store and a server: whole, at once, and the source untouched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from configs.errors import InputError, StoreError
from configs.settings import Settings
from retrieve import __main__ as command
from retrieve import copying
from retrieve.copying import copy_store
from retrieve.store import open_store, server_client, server_points
from retrieve.store.base import Store
from retrieve.store.edge import EdgeStore
from retrieve.store.server import ServerStore
from tests.retrieve.conftest import server_store
from tests.retrieve.qdrant_double import QdrantDouble
from tests.retrieve.samples import fill, make_chunk, make_document, pages, request_for, vectors_for, writing
from tests.retrieve.test_edge_store import digests

MOMENT = datetime(2024, 2, 29, 12, tzinfo=UTC)
METADATA = {"author": "Ann", "n": 3, "price": 1.5, "draft": False, "seen": MOMENT, "tags": ["a", "b"]}


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    with server_store(tmp_path / "server") as store:
        yield store


def filled(store: Store, count: int = 30) -> None:
    documents = [make_document(n, {**METADATA, "n": n}, "north" if n % 2 else None) for n in range(count)]
    chunks = [make_chunk(document) for document in documents]
    with writing(store, fields={"planned": "keyword"}) as writer:
        writer.upsert(chunks, vectors_for(chunks))
        (writer.side / "ledger.sqlite").write_bytes(b"a ledger")
        writer.commit()


def payloads(store: Store) -> list[dict[str, object]]:
    return sorted(store.scroll(), key=lambda payload: str(payload["id"]))


def test_there_and_back(edge_store: EdgeStore, other: Store, tmp_path: Path) -> None:
    filled(edge_store)
    before = digests(tmp_path / "store")
    told: list[int] = []
    copied = copy_store(edge_store, other, replace=False, wait_s=1, advance=told.append)
    assert (copied.chunks, copied.documents, copied.ledger, sum(told)) == (30, 30, True, 30)
    assert digests(tmp_path / "store") == before
    back = EdgeStore(tmp_path / "back")
    copy_store(other, back, replace=False, wait_s=1)
    for store in (other, back):
        assert payloads(store) == payloads(edge_store)
        info, original = store.info(), edge_store.info()
        assert (info.embedder, info.dimension, info.fields) == ("tests", 8, original.fields)
        ledger = store.side("ledger.sqlite")
        assert ledger is not None
        assert ledger.read_bytes() == b"a ledger"
        chunk = make_chunk(make_document(7))
        assert store.search(request_for(chunk))[0].id == chunk.id
        assert store.facet("draft") == {False: 30}
    vectors = [{r.id: r.vector for r in store.records()} for store in (edge_store, back)]
    for name, vector in vectors[0].items():
        np.testing.assert_allclose(vectors[1][name], vector, atol=1e-6)


def test_a_target_that_is_not_empty_is_replaced_only_on_demand(edge_store: EdgeStore, other: Store) -> None:
    filled(edge_store, 3)
    fill(other, [make_document(99, {"old": 1})])
    with pytest.raises(InputError, match=r"holds 1 chunks of 1 documents; --replace"):
        copy_store(edge_store, other, replace=False, wait_s=1)
    assert pages(other) == ["page-99.md"]
    copy_store(edge_store, other, replace=True, wait_s=1)
    assert payloads(other) == payloads(edge_store)
    assert "old" not in other.info().fields
    copy_store(edge_store, other, replace=True, wait_s=1)  # once more changes nothing
    assert payloads(other) == payloads(edge_store)


def test_an_empty_source_is_refused(edge_store: EdgeStore, other: Store) -> None:
    fill(other, [make_document(1)])
    with pytest.raises(InputError, match="nothing to copy"):
        copy_store(edge_store, other, replace=True, wait_s=1)
    assert pages(other) == ["page-1.md"]


@pytest.mark.parametrize("way", ["to server", pytest.param("to edge", marks=pytest.mark.deep)])
def test_the_target_shows_the_old_or_the_new(
    edge_store: EdgeStore, other: Store, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    source, target = (edge_store, other) if way == "to server" else (other, edge_store)
    filled(source, 20)
    fill(target, [make_document(99)])
    monkeypatch.setattr(copying, "BATCH", 5)
    seen = []

    def look(_: int) -> None:
        seen.append(pages(target))

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(source, target, replace=True, wait_s=1, advance=stop)
    assert pages(target) == ["page-99.md"]
    copy_store(source, target, replace=True, wait_s=1, advance=look)
    assert seen == [["page-99.md"]] * 4
    assert payloads(target) == payloads(source)


def test_a_source_that_changes_meanwhile(
    edge_store: EdgeStore, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded store is read as it was when the copy began; a server has no older state to read."""
    monkeypatch.setattr(copying, "BATCH", 2)
    filled(edge_store, 3)

    def change(store: Store) -> Callable[[int], None]:
        return lambda _: fill(store, [make_document(50)]) and None

    copy_store(edge_store, other, replace=True, wait_s=1, advance=change(edge_store))
    assert len(pages(other)) == 3
    with pytest.raises(StoreError, match="changed by another process while it was read"):
        copy_store(other, edge_store, replace=True, wait_s=1, advance=change(other))
    assert len(pages(edge_store)) == 4


class TestCommand:
    @pytest.fixture
    def words(self, double: QdrantDouble, home: Path) -> list[str]:
        filled(EdgeStore(home / "store"))
        return ["--set", f"store.url={double.url}", "--set", "store.timeout_s=2"]

    def run(self, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
        monkeypatch.setattr("sys.argv", ["retrieve", "copy", *words])
        return command.main()

    def test_says_what_was_done(
        self,
        words: list[str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        make_settings: Callable[..., Settings],
    ) -> None:
        assert self.run(monkeypatch, "--from", "edge", "--to", "server", *words) == 0
        assert "30 chunks of 30 documents copied to the server" in capsys.readouterr().out
        assert self.run(monkeypatch, "--from", "server", "--to", "edge", "--replace", "--json", *words) == 0
        printed = json.loads(capsys.readouterr().out)
        assert (printed["from"], printed["to"], printed["chunks"], printed["ledger"]) == (
            "server",
            "edge",
            30,
            True,
        )
        assert open_store(make_settings()).info().chunks == 30

    def test_the_same_store_twice(
        self, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(monkeypatch, "--from", "edge", "--to", "edge", *words) == 2
        assert "the same store" in capsys.readouterr().err

    def test_an_interrupted_copy_goes_on_where_it_stopped(
        self,
        double: QdrantDouble,
        words: list[str],
        monkeypatch: pytest.MonkeyPatch,
        make_settings: Callable[..., Settings],
    ) -> None:
        monkeypatch.setattr(server_client, "PAUSES_S", ())
        monkeypatch.setattr(copying, "BATCH", 5)
        monkeypatch.setattr(server_points, "BATCH", 5)
        uploads = 0

        def die_at_fourth(request: str) -> str | None:
            nonlocal uploads
            uploads += request.startswith("PUT") and "/points" in request
            return "close" if uploads == 4 else None

        double.fault = die_at_fourth
        assert self.run(monkeypatch, "--from", "edge", "--to", "server", *words) == 2
        double.fault = lambda request: None
        (building,) = double.client.get_collections().collections
        assert double.client.count(building.name).count == 15
        double.requests.clear()
        assert self.run(monkeypatch, "--from", "edge", "--to", "server", *words) == 0
        assert len(double.writes()) == 3
        (collection,) = double.client.get_collections().collections
        assert collection.name == building.name
        store = open_store(make_settings("store.kind=server", *words[1::2]))
        assert isinstance(store, ServerStore)
        assert len(pages(store)) == 30
        store.close()
