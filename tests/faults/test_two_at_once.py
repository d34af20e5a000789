"""Two ingests at once, a store that is being written, and Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.settings import load_settings
from retrieve.store.lock import write_lock
from tests.faults.holdings import Versions, held
from tests.faults.processes import Ingest
from tests.ingest.stored import Ran, stored

EACH = ("--set", "ingest.commit_every_s=0.000001", "--set", "ingest.embed_batch=2")


def folder_of(path: Path, pages: int) -> Path:
    path.mkdir()
    for number in range(pages):
        (path / f"{path.name}-{number}.txt").write_text(f"{path.name} {number}. " + "Words of it. " * 60)
    return path


def test_two_folders_at_once_both_come_in(ingest: Callable[..., Ingest], home: Path, tmp_path: Path) -> None:
    versions, folders = Versions(), [folder_of(tmp_path / name, 3) for name in ("left", "right")]
    target = versions.look(folders[0]) | versions.look(folders[1])
    running = [ingest(folder, *EACH, "--set", "ingest.lock_wait_s=60") for folder in folders]
    assert [one.wait().counts() for one in running] == [(3, 0, 0, 0), (3, 0, 0, 0)]
    assert held(home, versions) == target


def test_the_same_folder_twice_at_once_comes_in_once(
    ingest: Callable[..., Ingest], home: Path, tmp_path: Path
) -> None:
    folder, versions = folder_of(tmp_path / "docs", 3), Versions()
    target = versions.look(folder)
    running = [ingest(folder, "--set", "ingest.lock_wait_s=60") for _ in range(2)]
    counts = sorted(one.wait().counts() for one in running)
    assert counts == [(0, 0, 3, 0), (3, 0, 0, 0)]
    assert held(home, versions) == target


def test_a_second_ingest_gives_up_after_the_time_that_it_was_given(
    ingest: Callable[..., Ingest], sync: Callable[..., Ran], docs: Path, tmp_path: Path
) -> None:
    first = ingest(folder_of(tmp_path / "many", 16), *EACH)
    first.until_generation(1)
    ran = sync(docs, "--set", "ingest.lock_wait_s=0.1")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert f"is being written by process {first.pid}; wait until it is done" in ran.err
    first.signal(signal.SIGKILL)
    assert sync(docs).counts() == (3, 0, 0, 0), "a process that died holds no lock"


def test_a_locked_store_is_waited_for(sync: Callable[..., Ran], docs: Path, home: Path) -> None:
    locked, free = threading.Event(), threading.Event()

    def hold() -> None:
        with write_lock(home / "store", 5):
            locked.set()
            free.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(5)
    assert sync("remove", docs).code == 2, "nothing was ingested, so the lock does not matter"
    started = time.monotonic()
    ran = sync(docs, "--set", "ingest.lock_wait_s=0.3")
    assert time.monotonic() - started >= 0.3
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    threading.Timer(0.5, free.set).start()
    assert sync(docs, "--set", "ingest.lock_wait_s=30").counts() == (3, 0, 0, 0)
    holder.join()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_keep_what_is_published_and_say_so(
    ingest: Callable[..., Ingest], sync: Callable[..., Ran], home: Path, tmp_path: Path, how: signal.Signals
) -> None:
    folder, versions = folder_of(tmp_path / "many", 12), Versions()
    target = versions.look(folder)
    running = ingest(folder, *EACH)
    running.until_generation(2)
    ran = running.signal(how)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err == "interrupted: what was published stays; run it again to finish the rest\n"
    now = held(home, versions)
    assert 2 <= len(now) < 12
    assert now.items() <= target.items()
    assert sync(folder).counts() == (12 - len(now), 0, len(now), 0)
    assert held(home, versions) == target
    assert not list((load_settings().home / "store").glob("writing-*"))
    assert len(stored()) == 12
