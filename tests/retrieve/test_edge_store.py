"""The embedded store's own promises: immutable generations, whole states, nothing left behind."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from configs.errors import StoreError
from retrieve.store import edge_writer, files
from retrieve.store.edge import EdgeStore
from retrieve.store.manifest import FILE, Manifest, read_manifest
from tests.retrieve.samples import (
    fill,
    make_chunk,
    make_document,
    pages,
    request_for,
    vectors_for,
    writing,
)


def data_of(path: Path) -> bytes:
    """A file's bytes without its holes, each run preceded by its offset."""
    runs, position = [b""], 0
    with path.open("rb") as file:
        while True:
            try:
                start = os.lseek(file.fileno(), position, os.SEEK_DATA)
            except OSError:  # only a hole is left
                return b"".join(runs)
            position = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            run = os.pread(file.fileno(), position - start, start)
            if run.strip(b"\0"):
                runs.append(b"@%d:" % start + run.rstrip(b"\0"))


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(data_of(path)).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def bytes_below(folder: Path) -> bytes:
    return b"\0".join(data_of(path) for path in folder.rglob("*") if path.is_file())


def run_python(code: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
    """Python code in a process of its own, with the repository's modules."""
    words = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


def test_nothing_is_created_by_reading(edge_store: EdgeStore, tmp_path: Path) -> None:
    edge_store.info()
    assert list(edge_store.scroll()) == []
    assert list(tmp_path.iterdir()) == []


def test_reading_changes_no_byte(edge_store: EdgeStore, tmp_path: Path) -> None:
    chunks = fill(edge_store, [make_document(n, {"n": n, "b": True}) for n in range(40)])
    before = digests(tmp_path)
    for store in (edge_store, EdgeStore(tmp_path / "store"), EdgeStore(tmp_path / "store")):
        assert store.search(request_for(chunks[3]))[0].id == chunks[3].id
        assert len(list(store.scroll())) == 40
        store.facet("n")
        store.close()
    assert digests(tmp_path) == before


READER = """
import sys
from pathlib import Path
from retrieve.store.edge import EdgeStore

store = EdgeStore(Path(sys.argv[1]))
for line in sys.stdin:
    documents = sorted(payload["_dl"]["document"] for payload in store.scroll())
    print(" ".join(documents), flush=True)
"""


def test_a_reader_in_another_process_follows_every_commit(edge_store: EdgeStore, tmp_path: Path) -> None:
    fill(edge_store, [make_document(0)])
    reader = run_python(READER, tmp_path / "store", stdin=subprocess.PIPE)
    assert reader.stdin is not None
    assert reader.stdout is not None
    for number in range(1, 4):
        reader.stdin.write("\n")
        reader.stdin.flush()
        expected = [f"page-{n}.md" for n in range(number)]
        assert reader.stdout.readline().split() == expected
        assert pages(edge_store) == expected
        fill(edge_store, [make_document(number)])
    reader.communicate("", timeout=20)
    assert reader.returncode == 0


def test_a_reader_notices_that_the_store_was_deleted_and_made_anew(
    edge_store: EdgeStore, tmp_path: Path
) -> None:
    fill(edge_store, [make_document(0)])
    assert pages(edge_store) == ["page-0.md"]
    files.remove(tmp_path / "store")
    fill(EdgeStore(tmp_path / "store"), [make_document(1)])
    assert pages(edge_store) == ["page-1.md"]
    files.remove(tmp_path / "store")
    assert pages(edge_store) == []


def test_only_the_published_generation_stays(edge_store: EdgeStore, tmp_path: Path) -> None:
    for number in range(3):
        fill(edge_store, [make_document(number)])
        assert len(list(edge_store.scroll())) == number + 1
    manifest = read_manifest(tmp_path / "store")
    assert {path.name for path in (tmp_path / "store").iterdir()} - {"lock"} == {FILE, manifest.shard}


@pytest.mark.parametrize("kind", ["document", "chunk", "replaced", "relabelled"])
def test_no_byte_of_what_was_removed_stays(edge_store: EdgeStore, tmp_path: Path, kind: str) -> None:
    secret = make_document(7, {"author": "Xanthippe", "zyxfield": "Quetzalcoatl"})
    chunks = fill(edge_store, [*(make_document(n) for n in range(5)), secret])
    reader = EdgeStore(tmp_path / "store")
    assert len(list(reader.scroll())) == 6  # an idle reader has the old generation open
    for word in (b"topic7 and", b"Xanthippe", b"zyxfield", b"Quetzalcoatl"):
        assert word in bytes_below(tmp_path)
    plain = make_document(7)
    with writing(edge_store) as writer:
        if kind == "document":
            writer.delete_documents([secret.id])
        elif kind == "chunk":
            writer.delete_chunks([chunks[-1].id])
        else:
            chunk = make_chunk(plain, version="two" if kind == "replaced" else "")
            if kind == "replaced":
                writer.delete_documents([secret.id])
            writer.upsert([chunk], vectors_for([chunk]))
        writer.commit()
    left = bytes_below(tmp_path)
    assert b"topic3 and" in left
    assert (b"topic7 and" in left) == (kind in ("replaced", "relabelled"))
    for word in (b"Xanthippe", b"zyxfield", b"Quetzalcoatl"):
        assert word not in left
    assert len(list(reader.scroll())) == (5 if kind in ("document", "chunk") else 6)
    assert "zyxfield" not in edge_store.info().fields


def test_a_writer_interrupted_right_after_publishing_has_published(
    edge_store: EdgeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between the new manifest and the end of the commit: what is swept is the old generation."""
    fill(edge_store, [make_document(0)])
    publish = edge_writer.write_manifest

    def interrupted(folder: Path, manifest: Manifest) -> None:
        publish(folder, manifest)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(edge_writer, "write_manifest", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fill(edge_store, [make_document(1)])
    edge_store.check()
    assert pages(edge_store) == ["page-0.md", "page-1.md"]
    fill(edge_store, [make_document(2)])
    assert pages(edge_store) == ["page-0.md", "page-1.md", "page-2.md"]


def test_a_writer_that_changes_nothing_copies_nothing(edge_store: EdgeStore, tmp_path: Path) -> None:
    fill(edge_store, [make_document(1)])
    with writing(edge_store) as writer:
        (writer.side / "ledger").write_text("seen")
        assert not (tmp_path / "store" / "writing-shard").exists()
        before = read_manifest(tmp_path / "store").shard
        writer.commit()
        assert read_manifest(tmp_path / "store").shard == before
    ledger = edge_store.side("ledger")
    assert ledger is not None
    assert ledger.read_text() == "seen"


def test_threads_read_whole_states_while_a_writer_commits(edge_store: EdgeStore) -> None:
    """Each commit replaces all ten documents' chunks: a reader sees ten of one version."""
    documents = [make_document(n) for n in range(10)]
    fill(edge_store, documents)
    stop, wrong, states = threading.Event(), list[object](), Counter[str]()

    def read() -> None:
        while not stop.is_set():
            try:
                texts = [payload["_dl"]["text"] for payload in edge_store.scroll()]
                found = edge_store.search(request_for(make_chunk(documents[0]), limit=20))
                versions = {text.partition("Version ")[2] for text in texts}
                states.update(versions)
                if len(texts) != 10 or len(versions) != 1 or len(found) != 10:
                    wrong.append((len(texts), versions, len(found)))
            except BaseException as error:
                wrong.append(error)
            time.sleep(0.005)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    with writing(edge_store) as writer:
        for version in range(4):
            chunks = [make_chunk(document, version=str(version)) for document in documents]
            writer.delete_documents([document.id for document in documents])
            writer.upsert(chunks, vectors_for(chunks))
            writer.commit()
    time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(states) > 1


KILLED = """
import os, signal, sys
from pathlib import Path
from retrieve.store import edge_writer, files, manifest, shard
from retrieve.store.edge import EdgeStore
from tests.retrieve.samples import make_chunk, make_document, vectors_for, writing

folder, stage = Path(sys.argv[1]), sys.argv[2]

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

store = EdgeStore(folder)
with writing(store) as writer:
    chunk = make_chunk(make_document(9))
    if stage == "while copying":
        files._copy_sparse = die
    writer.upsert([chunk], vectors_for([chunk]))
    if stage == "after writing":
        die()
    writer.delete_documents([make_document(0).id])
    if stage == "before optimizing":
        shard.count = die
    if stage == "before making durable":
        edge_writer.sync_tree = die
    if stage == "before publishing":
        edge_writer.write_manifest = die
    if stage == "while publishing":
        Path.replace = die
    if stage == "after publishing":
        writer._sweep = die
    writer.commit()
"""
# The quick set has a stage before, at and after the moment that counts; the deep one has all.
STAGES = [
    *(
        pytest.param(stage, marks=pytest.mark.deep)
        for stage in ("while copying", "before optimizing", "before making durable", "before publishing")
    ),
    "after writing",
    "while publishing",
    "after publishing",
]


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_writer_leaves_the_old_state_or_the_new(
    edge_store: EdgeStore, tmp_path: Path, stage: str
) -> None:
    fill(edge_store, [make_document(0), make_document(1)])
    assert pages(edge_store) == ["page-0.md", "page-1.md"]
    process = run_python(KILLED, tmp_path / "store", stage)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, errors
    new = stage == "after publishing"
    expected = ["page-1.md", "page-9.md"] if new else ["page-0.md", "page-1.md"]
    for store in (edge_store, EdgeStore(tmp_path / "store")):  # a reader from before, and a new one
        assert pages(store) == expected
    fill(edge_store, [make_document(5)])  # the lock is free, and the next writer sweeps
    assert pages(edge_store) == sorted([*expected, "page-5.md"])
    manifest = read_manifest(tmp_path / "store")
    assert {path.name for path in (tmp_path / "store").iterdir()} - {"lock"} == {FILE, manifest.shard}
    if new:
        assert b"topic0 and" not in bytes_below(tmp_path)


@pytest.mark.deep
def test_writers_killed_at_random_moments(edge_store: EdgeStore, tmp_path: Path) -> None:
    """Every commit moves all documents to the next version; a state is ten documents of one version."""
    code = """
    import sys
    from pathlib import Path
    from retrieve.store.edge import EdgeStore
    from tests.retrieve.samples import make_chunk, make_document, vectors_for, writing

    store, documents = EdgeStore(Path(sys.argv[1])), [make_document(n) for n in range(10)]
    with writing(store) as writer:
        for version in range(1000):
            chunks = [make_chunk(document, version=f"{sys.argv[2]}.{version}") for document in documents]
            writer.delete_documents([document.id for document in documents])
            writer.upsert(chunks, vectors_for(chunks))
            writer.commit()
            print(version, flush=True)
    """
    fill(edge_store, [make_document(n) for n in range(10)])
    for attempt in range(20):
        process = run_python(code, tmp_path / "store", attempt)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.037 * attempt)
        process.kill()
        process.communicate()
        texts = [payload["_dl"]["text"] for payload in edge_store.scroll()]
        assert len(texts) == 10
        assert len({text.partition("Version ")[2] for text in texts}) == 1


class TestDamage:
    @pytest.fixture
    def folder(self, edge_store: EdgeStore, tmp_path: Path) -> Path:
        fill(edge_store, [make_document(n) for n in range(3)])
        return tmp_path / "store"

    @pytest.mark.parametrize(
        "content", ["", "{", "[]", "null", '{"format": 1}x', '{"generation": "x"}', "\0" * 100]
    )
    def test_a_garbled_manifest(self, folder: Path, content: str) -> None:
        (folder / FILE).write_text(content)
        for action in (EdgeStore(folder).info, lambda: list(EdgeStore(folder).scroll())):
            with pytest.raises(StoreError, match="is damaged"):
                action()

    def test_a_newer_format(self, folder: Path) -> None:
        data = json.loads((folder / FILE).read_text())
        (folder / FILE).write_text(json.dumps({**data, "format": 99, "new": 1}))
        with pytest.raises(StoreError, match="upgrade Draftline"):
            EdgeStore(folder).info()

    def test_missing_and_truncated_files(self, folder: Path) -> None:
        shard = read_manifest(folder).shard
        assert shard is not None
        for path in sorted((folder / shard).rglob("*")):
            if not path.is_file():
                continue
            content = path.read_bytes()
            for broken in (None, content[: len(content) // 2]):
                path.unlink()
                if broken is not None:
                    path.write_bytes(broken)
                with pytest.raises(StoreError, match="is damaged"):
                    list(EdgeStore(folder).scroll())
                with pytest.raises(StoreError, match="is damaged"), writing(EdgeStore(folder)):
                    pass
                path.write_bytes(content)
        assert len(list(EdgeStore(folder).scroll())) == 3

    def test_no_shard_at_all(self, folder: Path) -> None:
        shard = read_manifest(folder).shard
        assert shard is not None
        files.remove(folder / shard)
        with pytest.raises(StoreError, match="is damaged"):
            list(EdgeStore(folder).scroll())

    def test_garbage_of_the_right_size(self, folder: Path) -> None:
        """Whatever Edge makes of it, it ends in a StoreError or in an answer, not in a panic."""
        shard = read_manifest(folder).shard
        assert shard is not None
        for name in ("segment.json", "mutable_id_tracker.mappings", "config.json"):
            for path in sorted((folder / shard).rglob(name)):
                content = path.read_bytes()
                path.write_bytes(b"\xff" * len(content))
                with contextlib.suppress(StoreError):
                    list(EdgeStore(folder).scroll())
                path.write_bytes(content)

    def test_a_file_where_the_folder_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(StoreError, match="cannot write the store"), writing(EdgeStore(tmp_path / "file")):
            pass


class TestFullDisk:
    def test_too_little_space_leaves_the_old_state(
        self, edge_store: EdgeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(edge_store, [make_document(0)])
        before = digests(tmp_path)
        monkeypatch.setattr(files, "SPARE_BYTES", 2**60)
        chunk = make_chunk(make_document(1))
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)), writing(edge_store) as writer:
            writer.upsert([chunk], vectors_for([chunk]))
        monkeypatch.undo()
        assert {k: v for k, v in digests(tmp_path).items() if "lock" not in k} == {
            k: v for k, v in before.items() if "lock" not in k
        }
        assert pages(edge_store) == ["page-0.md"]

    @pytest.mark.parametrize("kind", ["ext4", "tmpfs"])
    def test_a_disk_that_really_fills_up(self, tmp_path: Path, kind: str) -> None:
        """Real chunks into a real, small file system, until it refuses."""
        disk = tmp_path / "disk"
        disk.mkdir()
        mount: list[str | Path] = ["mount", "-t", "tmpfs", "-o", "size=600m", "tmpfs", disk]
        if kind == "ext4":
            image = tmp_path / "image"
            with image.open("wb") as file:
                file.truncate(64 * 2**20)
            subprocess.run(["mkfs.ext4", "-q", "-F", image], capture_output=True, check=False)
            mount = ["mount", "-o", "loop", image, disk]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("mounting a small file system is not permitted here")
        code = """
        import os, sys
        from pathlib import Path
        from retrieve.store.edge import EdgeStore
        from tests.retrieve.samples import make_chunk, make_document, vectors_for, writing

        store, written = EdgeStore(Path(sys.argv[1]) / "store"), 0
        try:
            with writing(store) as writer:
                for number in range(10_000):
                    documents = [make_document(n) for n in range(200 * number, 200 * number + 200)]
                    chunks = [make_chunk(document, version=os.urandom(2000).hex()) for document in documents]
                    writer.upsert(chunks, vectors_for(chunks))
                    writer.commit()
                    written += 200
        except OSError as error:
            print(error.errno, written, len(list(EdgeStore(Path(sys.argv[1]) / "store").scroll())))
        """
        try:
            process = run_python(code, disk)
            output, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
            number, written, left = map(int, output.split())
            assert number == errno.ENOSPC
            assert written == left > 0
        finally:
            subprocess.run(["umount", disk], check=True)


def test_a_field_is_named_nowhere_before_a_chunk_has_it(edge_store: EdgeStore, tmp_path: Path) -> None:
    with writing(edge_store, fields={"of_a_page_to_come": "keyword", "author": "keyword"}) as writer:
        chunks = [make_chunk(make_document(0, {"author": "Osei"}))]
        writer.upsert(chunks, vectors_for(chunks))
        writer.commit()
    assert edge_store.info().fields["author"] == "keyword"
    assert "of_a_page_to_come" not in edge_store.info().fields
    left = b"".join(data_of(path) for path in tmp_path.rglob("*") if path.is_file())
    assert b"of_a_page_to_come" not in left
    assert b"author" in left
