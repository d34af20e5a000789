"""A disk that fills up while ingest writes: one line, the published state stays, and a later run finishes."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from configs.settings import load_settings
from ingest.ledger import LedgerChanges, apply_changes
from ingest.prepare import Prepared
from ingest.sources import Stamp
from ingest.spool import Spool
from retrieve.schema import Document
from retrieve.store import files, open_store
from tests.ingest.stored import Ran, stored

Sync = Callable[..., Ran]
ROOM, SOME = 2 * 2**30, 60 * 2**20


class Disk:
    """A small file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, options: str) -> bool:
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def leave(self, size: int) -> None:
        """Shrink it until so many bytes are free."""
        used = shutil.disk_usage(self.folder).used
        assert self.mount(f"remount,size={max(used + size, 4096)}")  # 0 would be no limit
        assert shutil.disk_usage(self.folder).free <= size + 4096

    def enlarge(self) -> None:
        assert self.mount(f"remount,size={ROOM}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    disk.folder.mkdir()
    if os.geteuid() or not disk.mount(f"size={ROOM}"):
        pytest.skip("a small file system can only be mounted by root")
    yield disk
    subprocess.run(["umount", "-l", str(disk.folder)], check=True)


def check_full(ran: Ran) -> None:
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: the disk is full")
    assert ran.err.endswith("; free some space and run the command again\n")
    assert ran.err.count("\n") == 1


def test_a_full_disk_is_one_line_and_loses_nothing(
    sync: Sync, docs: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAFTLINE_HOME", str(disk.folder / "home"))
    disk.leave(0)
    check_full(sync(docs))
    assert open_store(load_settings()).info().chunks == 0
    disk.enlarge()
    assert sync(docs).counts() == (3, 0, 0, 0)
    before = stored()
    (docs / "pump.md").write_text("The pump runs at midnight now.\n")
    (docs / "valve.txt").unlink()
    for size in (0, 4096, SOME):
        disk.leave(size)
        check_full(sync(docs))
    assert stored() == before
    disk.enlarge()
    assert sync(docs).counts() == (0, 1, 1, 1)
    assert stored().keys() == {"pump.md", "sub/led.html"}


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_disk_that_is_full_at_any_moment(sync: Sync, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where nothing can be mounted: free space is asked for before each large write."""
    sync(docs)
    before, asked = stored(), []
    moment = 0

    def usage(path: Any) -> Usage:
        asked.append(path)
        return Usage(1 << 40, 0, 0 if len(asked) > moment else 1 << 40)

    (docs / "pump.md").write_text("The pump runs at midnight now.\n")
    with monkeypatch.context() as patch:
        patch.setattr(files.shutil, "disk_usage", usage)
        for moment in (0, 2, 4):
            asked.clear()
            check_full(sync(docs))
            assert len(asked) == moment + 1
            assert stored() == before
    assert sync(docs).counts() == (0, 1, 2, 0)


def test_a_full_disk_under_the_ledger(disk: Disk) -> None:
    changes = LedgerChanges(put_roots=[f"/{number:0900}" for number in range(100)])
    disk.leave(8192)
    with pytest.raises(OSError, match=r"ledger\.sqlite") as full:
        apply_changes(disk.folder, changes)
    assert full.value.errno == errno.ENOSPC


def test_a_full_disk_under_the_spool() -> None:
    day = datetime(2024, 1, 1, tzinfo=UTC)
    document = Document("id", "a.txt", "/", "text", "x" * 10**6, {}, "hash", day)
    with Spool() as spool:
        spool._db.execute("PRAGMA max_page_count = 16")  # SQLite then fails as on a full disk
        with pytest.raises(OSError) as full:
            spool.put(Prepared(document, [], Stamp(1, 2, 3), "recipe", False, (), "a.md"))
    assert full.value.errno == errno.ENOSPC


def test_converting_to_a_full_disk(run: Sync, docs: Path, disk: Disk) -> None:
    out = disk.folder / "out"
    disk.leave(0)
    check_full(run("--json", docs, "--convert-only", "--out", out))
    disk.enlarge()
    assert run(docs, "--convert-only", "--out", out).code == 0
    assert not list(out.rglob(".draftline-*"))
