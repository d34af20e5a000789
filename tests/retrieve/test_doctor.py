"""What an examination finds, and what repairing leaves."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import qdrant_edge as edge

from configs.errors import StoreError
from configs.settings import Settings
from retrieve import __main__ as command
from retrieve.doctor.command import doctor_for
from retrieve.store import edge_writer, files, open_store
from retrieve.store.edge import EdgeStore
from retrieve.store.manifest import FILE, read_manifest
from retrieve.store.server import ServerStore
from retrieve.store.server_versions import META
from tests.retrieve.qdrant_double import Fault, QdrantDouble
from tests.retrieve.samples import make_chunk, make_document, pages, vectors_for, writing

Doctor = Callable[..., tuple[int, dict[str, str], list[str]]]
EMBEDDER = "all-minilm-l6-v2"


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path) -> Doctor:
    """Run the command; exit code, problems by check, and what was repaired."""

    def run(*words: str) -> tuple[int, dict[str, str], list[str]]:
        monkeypatch.setattr("sys.argv", ["retrieve", "doctor", "--json", *words])
        code = command.main()
        printed = json.loads(capsys.readouterr().out)
        problems = {f["check"]: f["message"] for f in printed["findings"] if f["level"] == "problem"}
        assert printed["healthy"] == (not problems) == (code == 0)
        return code, problems, printed["repaired"]

    return run


def write(store: EdgeStore | ServerStore, *numbers: int) -> None:
    with writing(store, embedder=EMBEDDER) as writer:
        chunks = [make_chunk(make_document(n, {"author": "Ann", "n": n})) for n in numbers]
        writer.upsert(chunks, vectors_for(chunks))
        with sqlite3.connect(writer.side / "ledger.sqlite") as ledger:
            ledger.execute("create table if not exists files (path)")
        ledger.close()
        writer.commit()


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store in good health."""
    folder = tmp_path_factory.mktemp("healthy") / "store"
    write(EdgeStore(folder), *range(6))
    return folder


class TestEmbedded:
    @pytest.fixture
    def folder(self, healthy: Path, home: Path) -> Path:
        home.mkdir()
        files.copy_tree(healthy, home / "store")
        return home / "store"

    def test_a_healthy_store(self, folder: Path, doctor: Doctor, settings: Settings) -> None:
        assert doctor() == (0, {}, [])
        with doctor_for(settings) as examiner:
            checks = [finding.check for finding in examiner.examine()]
        assert checks == [
            "manifest",
            "files",
            "chunks",
            "fields",
            "index",
            "ledger",
            "leftovers",
            "disk",
            "embedder",
        ]

    def test_an_empty_home_stays_empty(self, home: Path, doctor: Doctor) -> None:
        assert doctor("--repair") == (0, {}, [])
        assert not home.exists()

    def test_for_people(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sys.argv", ["retrieve", "doctor"])
        assert command.main() == 0
        assert "6 chunks of 6 documents" in capsys.readouterr().out

    def test_leftovers_of_dead_writers(self, folder: Path, doctor: Doctor) -> None:
        for name in ("writing-shard", "shard-0-old", "side-0"):
            (folder / name).mkdir()
            (folder / name / "file").write_text("x" * 100)
        (folder / "manifest.tmp").write_text("half")
        code, problems, _ = doctor()
        assert (code, list(problems)) == (1, ["leftovers"])
        code, problems, repaired = doctor("--repair")
        assert (code, problems, repaired) == (0, {}, ["4 leftovers removed"])
        assert len(pages(EdgeStore(folder))) == 6

    def test_a_writer_at_work_is_not_disturbed(self, folder: Path, doctor: Doctor) -> None:
        store = EdgeStore(folder)
        with writing(store, embedder=EMBEDDER) as writer:
            chunk = make_chunk(make_document(9))
            writer.upsert([chunk], vectors_for([chunk]))
            assert doctor("--repair") == (0, {}, [])
            writer.commit()
        assert len(pages(store)) == 7

    def test_a_missing_index(self, folder: Path, doctor: Doctor) -> None:
        manifest = read_manifest(folder)
        shard = edge.EdgeShard.load(str(folder / str(manifest.shard)))
        for field in ("author", "_dl.tenant"):
            shard.update(edge.UpdateOperation.delete_field_index(field))
        shard.flush()
        shard.close()
        found = files.sizes(folder / str(manifest.shard))
        (folder / FILE).write_text(json.dumps({**manifest.model_dump(), "shard_files": found}))
        code, problems, _ = doctor()
        assert (code, list(problems)) == (1, ["fields"])
        assert "author, _dl.tenant" in problems["fields"]
        code, problems, repaired = doctor("--repair")
        assert (code, problems, repaired) == (0, {}, ["indexed: _dl.tenant, author"])
        assert EdgeStore(folder).facet("author") == {"Ann": 6}

    def test_an_incomplete_index(self, folder: Path, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(edge_writer, "EAGER", 0)

        def die() -> None:
            with writing(EdgeStore(folder), embedder=EMBEDDER) as writer:
                writer.delete_documents([make_document(2).id])
                writer.commit()
                raise RuntimeError

        with pytest.raises(RuntimeError):
            die()
        code, problems, _ = doctor()
        assert (code, list(problems)) == (1, ["index"])
        assert doctor("--repair") == (0, {}, ["the index is complete"])

    @pytest.mark.parametrize("damage", ["missing", "truncated", "no folder", "manifest", "no manifest"])
    def test_damage_that_loses_the_index(self, folder: Path, home: Path, doctor: Doctor, damage: str) -> None:
        shard = folder / str(read_manifest(folder).shard)
        victim = next(shard.rglob("segment.json"))
        if damage == "missing":
            victim.unlink()
        elif damage == "truncated":
            victim.write_bytes(victim.read_bytes()[:-1])
        elif damage == "no folder":
            files.remove(shard)
        elif damage == "manifest":
            (folder / FILE).write_text("{")
        else:
            (folder / FILE).unlink()
        code, problems, _ = doctor()
        assert (code, len(problems)) == (1, 1)
        (message,) = problems.values()
        assert "Lost: " in message
        if "manifest" not in damage:
            assert "6 chunks of 6 documents" in message
        code, problems, (repaired,) = doctor("--repair")
        assert (code, problems) == (0, {})
        assert "ingest again" in repaired
        assert len(list(home.glob("store.damaged-*"))) == 1
        store = EdgeStore(folder)
        assert store.info().chunks == 0
        write(store, 1)
        assert pages(store) == ["page-1.md"]

    def test_garbage_of_the_right_size(self, folder: Path, doctor: Doctor) -> None:
        shard = folder / str(read_manifest(folder).shard)
        for path in shard.rglob("segment.json"):
            path.write_bytes(b"\xff" * path.stat().st_size)
        code, problems, _ = doctor()
        assert (code, list(problems)) == (1, ["index"])

    @pytest.mark.parametrize("damage", ["missing", "garbage"])
    def test_a_damaged_ledger_costs_no_chunk(self, folder: Path, doctor: Doctor, damage: str) -> None:
        side = folder / str(read_manifest(folder).side)
        if damage == "missing":
            files.remove(side)
        else:
            (side / "ledger.sqlite").write_bytes(b"no database" * 100)
        code, problems, _ = doctor()
        assert (code, list(problems)) == (1, ["ledger"])
        code, problems, (repaired,) = doctor("--repair")
        assert (code, problems) == (0, {})
        assert "reads and embeds all files again" in repaired
        store = EdgeStore(folder)
        assert len(pages(store)) == 6
        assert store.side("ledger.sqlite") is None

    def test_a_newer_store_is_left_alone(self, folder: Path, doctor: Doctor) -> None:
        data = json.loads((folder / FILE).read_text())
        (folder / FILE).write_text(json.dumps({**data, "format": 99, "new": 1}))
        code, problems, repaired = doctor("--repair")
        assert (code, repaired) == (1, [])
        assert "upgrade Draftline" in problems["manifest"]

    def test_another_embedder_and_a_full_disk(
        self, folder: Path, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "SPARE_BYTES", 2**60)
        monkeypatch.setattr(files, "SPARE_BYTES_WITHOUT_HOLES", 2**60)
        code, problems, _ = doctor("--set", "models.embed=./nowhere")
        assert (code, sorted(problems)) == (1, ["disk", "embedder"])
        assert "no question can be asked" in problems["embedder"]


class TestServer:
    @pytest.fixture
    def words(self, double: QdrantDouble) -> list[str]:
        return [
            *("--set", "store.kind=server", "--set", f"store.url={double.url}"),
            *("--set", "store.timeout_s=1"),
        ]

    @pytest.fixture
    def store(self, words: list[str], make_settings: Callable[..., Settings]) -> ServerStore:
        store = open_store(make_settings(*words[1::2]))
        assert isinstance(store, ServerStore)
        write(store, *range(6))
        store.close()
        return store

    def test_a_healthy_store(self, store: ServerStore, words: list[str], doctor: Doctor) -> None:
        assert doctor(*words) == (0, {}, [])

    def test_an_empty_server(self, words: list[str], doctor: Doctor) -> None:
        assert doctor(*words) == (0, {}, [])

    def test_no_server(self, words: list[str], doctor: Doctor, home: Path) -> None:
        code, problems, _ = doctor("--set", "store.kind=server", "--set", "store.url=http://127.0.0.1:9")
        assert (code, list(problems)) == (1, ["server"])
        assert "cannot be reached" in problems["server"]

    def test_missing_indexes(
        self, double: QdrantDouble, store: ServerStore, words: list[str], doctor: Doctor
    ) -> None:
        for field in ("author", "_dl.tenant"):
            del double.indexes["draftline-v1"][field]
        code, problems, _ = doctor(*words)
        assert (code, list(problems)) == (1, ["fields"])
        code, problems, repaired = doctor("--repair", *words)
        assert (code, problems, repaired) == (0, {}, ["indexed: author, _dl.tenant"])
        assert double.indexes["draftline-v1"]["_dl.tenant"]["params"]["is_tenant"]

    def test_counts_that_differ(
        self, double: QdrantDouble, store: ServerStore, words: list[str], doctor: Doctor
    ) -> None:
        double.client.delete("draftline-v1", [make_chunk(make_document(1)).id])
        code, problems, _ = doctor(*words)
        assert (code, list(problems)) == (1, ["chunks"])
        assert "counts 5 chunks, and 6 were published" in problems["chunks"]

    def test_a_commit_that_was_cut_short(
        self,
        double: QdrantDouble,
        store: ServerStore,
        words: list[str],
        doctor: Doctor,
        make_settings: Callable[..., Settings],
    ) -> None:
        again = open_store(make_settings(*words[1::2]))
        assert isinstance(again, ServerStore)

        def dies(number: int) -> None:
            left = [1]  # the first says that a commit begins, the second that it is published

            def fault(request: str) -> Fault | None:
                left[0] -= request.startswith("PATCH")
                return 403 if left[0] < 0 else None

            double.fault = fault
            with pytest.raises(StoreError):
                write(again, number)
            double.fault = lambda request: None

        dies(7)
        with writing(again, embedder=EMBEDDER):  # becoming the writer finishes it
            pass
        assert doctor(*words) == (0, {}, [])
        dies(8)
        code, problems, _ = doctor(*words)
        assert (code, sorted(problems)) == (1, ["chunks", "commit"])
        assert "died in the middle of a commit" in problems["commit"]
        code, problems, repaired = doctor("--repair", *words)
        assert (code, problems, repaired) == (0, {}, ["finished; 8 chunks are published"])
        again.close()

    def test_versions_that_nobody_uses(
        self,
        double: QdrantDouble,
        store: ServerStore,
        words: list[str],
        doctor: Doctor,
        make_settings: Callable[..., Settings],
    ) -> None:
        again = open_store(make_settings(*words[1::2]))

        def die() -> None:
            with writing(again, rebuild="something") as writer:
                writer.put([])
                raise RuntimeError

        with pytest.raises(RuntimeError):
            die()
        with writing(again, embedder=EMBEDDER):  # it might be what this writer is at
            assert doctor("--repair", *words) == (0, {}, [])
        again.close()
        somebody = {"draftline-build": "somebody first ingest", META: {"shard": "draftline-v9"}}
        double.client.create_collection("draftline-v9", metadata=somebody)
        double.indexes["draftline-v9"] = {}
        code, problems, _ = doctor(*words)
        assert (code, list(problems)) == (1, ["leftovers"])
        code, problems, repaired = doctor("--repair", *words)
        assert (code, problems, repaired) == (0, {}, ["draftline-v2 deleted"])
        names = sorted(item.name for item in double.client.get_collections().collections)
        assert names == ["draftline-v1", "draftline-v9"]  # another machine may be at work on that one

    @pytest.mark.parametrize(
        ("replicas", "problem"),
        [
            ([(0, 1, "Active"), (0, 2, "Active")], None),
            ([(0, 1, "Active"), (0, 2, "Dead")], "shard 0 on node 2 is Dead"),
            ([(0, 1, "Active"), (1, 2, "Dead")], "shard 1 on node 2 is Dead"),
        ],
    )
    def test_nodes(
        self,
        double: QdrantDouble,
        store: ServerStore,
        words: list[str],
        doctor: Doctor,
        replicas: list[tuple[int, int, str]],
        problem: str | None,
    ) -> None:
        double.replicas = replicas
        code, problems, _ = doctor(*words)
        assert (code, problems) == ((1, {"nodes": problem}) if problem else (0, {}))

    def test_somebody_elses_and_a_newer_collection(
        self, double: QdrantDouble, words: list[str], doctor: Doctor
    ) -> None:
        double.client.create_collection("draftline")
        double.indexes["draftline"] = {}
        _, problems, _ = doctor(*words)
        assert "was not made by Draftline" in problems["server"]
        double.client.update_collection("draftline", metadata={META: {"format": 99, "new": 1}})
        _, problems, repaired = doctor("--repair", *words)
        assert "upgrade Draftline" in problems["server"]
        assert repaired == []
        assert double.client.collection_exists("draftline")
