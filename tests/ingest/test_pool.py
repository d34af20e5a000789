"""Workers that hang, crash or run out of memory: their file fails, the others go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configs.errors import DraftlineError
from configs.settings import Settings
from ingest import pool
from ingest.compare import make_plan
from ingest.ledger import Ledger
from ingest.plan import Task
from ingest.pool import WorkerPool
from ingest.prepare import Failed, Prepared, Preparer
from retrieve.store.base import StoreInfo

Make = Callable[..., Settings]

FILES = 24
"""Enough for two workers to be given some ahead of their turn."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number}.md").write_text(f"# Page {number}\n")
    return folder


def tasks(folder: Path, settings: Settings) -> list[Task]:
    return make_plan([str(folder)], settings, Ledger(), StoreInfo(0, 0, None, None, {}, "")).tasks


def outcomes(folder: Path, settings: Settings) -> dict[str, object]:
    with WorkerPool(settings, FILES) as workers:
        found = list(workers.run(tasks(folder, settings)))
    done = sorted(task.source.path for task, outcome in found if outcome is None)
    assert done == sorted(f"{number}.md" for number in range(FILES))
    return {task.source.path: outcome for task, outcome in found if outcome is not None}


def test_workers_prepare_what_the_main_process_would(folder: Path, make_settings: Make) -> None:
    found = outcomes(folder, make_settings("ingest.workers=2"))
    here = outcomes(folder, make_settings("ingest.workers=0"))
    assert found.keys() == here.keys()
    for path, outcome in found.items():
        expected = here[path]
        assert isinstance(outcome, Prepared)
        assert isinstance(expected, Prepared)
        assert (outcome.document, outcome.spans) == (expected.document, expected.spans)


class Troubled(Preparer):
    """Stands for a parser that goes wrong in C code, where no Python limit is heeded."""

    def prepare(self, task: Task) -> Iterator[object]:  # type: ignore[override]
        if task.source.path == "2.md":
            os.kill(os.getpid(), signal.SIGSEGV)
        if task.source.path == "4.md":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            time.sleep(3600)
        yield from super().prepare(task)


def troubled_work(*arguments: object) -> None:
    pool.Preparer = Troubled  # type: ignore[misc, assignment]
    pool._work(*arguments)  # type: ignore[arg-type]


def test_a_crash_and_a_hang_cost_their_own_files(
    folder: Path, make_settings: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "GRACE_S", 0.5)
    real = pool.WorkerPool._start

    def start(workers: WorkerPool) -> object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pool, "_work", troubled_work)
            return real(workers)

    monkeypatch.setattr(pool.WorkerPool, "_start", start)
    found = outcomes(folder, make_settings("ingest.workers=2", "ingest.convert_timeout_s=2"))
    failed = {path: outcome for path, outcome in found.items() if isinstance(outcome, Failed)}
    assert failed.keys() == {"2.md", "4.md"}
    assert "crashed (SIGSEGV)" in failed["2.md"].error
    assert "took more than 2 s" in failed["4.md"].error
    assert sum(isinstance(outcome, Prepared) for outcome in found.values()) == FILES - 2


def test_workers_that_cannot_start_say_so(folder: Path, make_settings: Make, tmp_path: Path) -> None:
    settings = make_settings("models.embed=nothing-here")
    with WorkerPool(settings, 1) as workers, pytest.raises(DraftlineError, match="nothing-here"):
        list(workers.run(tasks(folder, settings)[:1]))


def test_workers_end_with_the_pool(folder: Path, make_settings: Make) -> None:
    settings = make_settings("ingest.workers=2")
    with WorkerPool(settings, FILES) as workers:
        run = workers.run(tasks(folder, settings))
        next(run)
        pids = [worker.process.pid for worker in workers._workers]
    assert pids
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_ctrl_c_while_workers_are_being_started_is_no_traceback(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ingest", str(folder), "--convert-only", "--out", str(tmp_path / "out")]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not _is_importing(running.pid) and running.poll() is None:
        time.sleep(0.005)
    os.killpg(running.pid, signal.SIGINT)
    _, complaint = running.communicate(timeout=60)
    assert (running.returncode, "Traceback" in complaint) == (130, False), complaint


def _is_importing(pid: int) -> bool:
    """Whether the process that forks its workers has begun to import what they need."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    servers = [child for child in children if b"forkserver" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return any("/lxml/" in Path(f"/proc/{server}/maps").read_text() for server in servers)
