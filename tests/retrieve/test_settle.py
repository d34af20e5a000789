"""Commits of a large embedded store: visible at once, completed afterwards, whatever happens between."""

from __future__ import annotations

import random
import signal
import threading
import time
from pathlib import Path

import pytest

from configs.errors import StoreError
from retrieve.store import edge_writer
from retrieve.store.edge import EdgeStore
from tests.retrieve.samples import fill, make_chunk, make_document, pages, request_for, vectors_for, writing
from tests.retrieve.test_edge_store import bytes_below, digests, run_python


@pytest.fixture(autouse=True)
def every_store_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_writer, "EAGER", 0)


def test_a_commit_is_seen_before_the_index_is_complete(edge_store: EdgeStore) -> None:
    chunks = [make_chunk(make_document(n)) for n in range(2)]
    with writing(edge_store) as writer:
        for number, chunk in enumerate(chunks):
            writer.upsert([chunk], vectors_for([chunk]))
            writer.commit()
            assert not writer.settled
            assert not edge_store.info().settled
            assert edge_store.search(request_for(chunk))[0].id == chunk.id
            assert len(pages(edge_store)) == number + 1
    assert edge_store.info().settled
    assert len(pages(edge_store)) == 2


def test_what_was_deleted_is_gone_at_once_and_from_the_disk_afterwards(
    edge_store: EdgeStore, tmp_path: Path
) -> None:
    secret = make_document(7, {"zyxfield": "Quetzalcoatl"})
    fill(edge_store, [make_document(1), secret])
    with writing(edge_store) as writer:
        writer.delete_documents([secret.id])
        writer.commit()
        assert pages(edge_store) == ["page-1.md"]
    left = bytes_below(tmp_path)
    assert b"topic1 and" in left
    assert [word for word in (b"topic7 and", b"zyxfield", b"Quetzalcoatl") if word in left] == []
    assert "zyxfield" not in edge_store.info().fields


def test_reading_what_is_not_complete_changes_no_byte(edge_store: EdgeStore, tmp_path: Path) -> None:
    fill(edge_store, [make_document(n) for n in range(5)])
    with writing(edge_store) as writer:
        chunk = make_chunk(make_document(9))
        writer.upsert([chunk], vectors_for([chunk]))
        writer.commit()
        before = digests(tmp_path)
        for store in (edge_store, EdgeStore(tmp_path / "store")):
            assert len(pages(store)) == 6
            assert store.search(request_for(chunk))[0].id == chunk.id
            store.close()
        assert digests(tmp_path) == before


@pytest.mark.deep
def test_what_was_not_committed_is_not_completed(edge_store: EdgeStore) -> None:
    fill(edge_store, [make_document(1)])
    with writing(edge_store) as writer:
        for number in (2, 3):
            chunk = make_chunk(make_document(number))
            writer.upsert([chunk], vectors_for([chunk]))
            if number == 2:
                writer.commit()
    assert pages(edge_store) == ["page-1.md", "page-2.md"]
    assert edge_store.info().settled


def test_a_writer_that_fails_leaves_the_rest_to_the_next(edge_store: EdgeStore) -> None:
    fill(edge_store, [make_document(1)])

    def fail() -> None:
        with writing(edge_store) as writer:
            writer.delete_documents([make_document(1).id])
            chunk = make_chunk(make_document(2))
            writer.upsert([chunk], vectors_for([chunk]))
            writer.commit()
            raise RuntimeError("told to")

    with pytest.raises(RuntimeError):
        fail()
    assert pages(edge_store) == ["page-2.md"]
    assert not edge_store.info().settled
    with writing(edge_store):  # changes nothing itself
        pass
    assert edge_store.info().settled
    assert pages(edge_store) == ["page-2.md"]


@pytest.mark.deep
def test_what_would_be_too_much_for_later_is_done_at_once(
    edge_store: EdgeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_writer, "PATIENCE", 2)
    states = []
    with writing(edge_store) as writer:
        for number in (1, 2, 1):
            chunk = make_chunk(make_document(number))
            writer.upsert([chunk], vectors_for([chunk]))
            writer.commit()
            states.append(writer.settled)
    assert states == [False, False, True]


def test_settling_by_itself(edge_store: EdgeStore, tmp_path: Path) -> None:
    fill(edge_store, [make_document(1)])
    generation = edge_store.info().generation
    edge_store.settle(wait_s=1)
    assert edge_store.info().generation == generation  # there was nothing to do
    with writing(edge_store) as writer:
        writer.delete_documents([make_document(1).id])
        chunk = make_chunk(make_document(2))
        writer.upsert([chunk], vectors_for([chunk]))
        writer.commit()
        with pytest.raises(StoreError, match="being written"):
            EdgeStore(tmp_path / "store").settle(wait_s=0)


WRITER = """
import sys
from pathlib import Path
from retrieve.store import edge_writer
from retrieve.store.edge import EdgeStore
from tests.retrieve.samples import make_chunk, make_document, vectors_for, writing

edge_writer.EAGER = 0
store, documents = EdgeStore(Path(sys.argv[1])), [make_document(n) for n in range(10)]
for version in range(1000):
    with writing(store, wait_s=10) as writer:
        for part in range(2):
            chunks = [make_chunk(d, version=f"{sys.argv[2]}.{version}.{part}") for d in documents]
            writer.delete_documents([document.id for document in documents])
            writer.upsert(chunks, vectors_for(chunks))
            writer.commit()
            print(version, flush=True)
"""


class Reader:
    """Reads all the time, in a thread, and notes every state that is not ten documents of one version."""

    def __init__(self, folder: Path) -> None:
        self.wrong: list[object] = []
        self.states: set[str] = set()
        self._store, self._stop = EdgeStore(folder), threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        request = request_for(make_chunk(make_document(0)), limit=20)
        while not self._stop.is_set():
            try:
                texts = [payload["_dl"]["text"] for payload in self._store.scroll()]
                found = self._store.search(request)
                versions = {text.partition("Version ")[2] for text in texts}
                self.states |= versions
                if len(texts) != 10 or len(versions) != 1 or len(found) != 10:
                    self.wrong.append((len(texts), versions, len(found)))
            except BaseException as error:
                self.wrong.append(error)
            time.sleep(0.003)


@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.deep)])
def test_no_killed_writer_harms_a_reader(edge_store: EdgeStore, tmp_path: Path, kills: int) -> None:
    fill(edge_store, [make_document(n) for n in range(10)])
    reader, rng = Reader(tmp_path / "store"), random.Random(kills)
    try:
        for attempt in range(kills):
            process = run_python(WRITER, tmp_path / "store", attempt)
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.6))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert len(pages(edge_store)) == 10
    finally:
        reader.stop()
    assert reader.wrong == []
    assert len(reader.states) > 1
    edge_store.settle(wait_s=1)
    with writing(edge_store):
        pass
    names = {path.name.partition("-")[0] for path in (tmp_path / "store").iterdir()}
    assert names == {"lock", "manifest.json", "shard"}
