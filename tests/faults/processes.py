"""Ingests in processes of their own, which can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.ingest.stored import Ran

ROOT = Path(__file__).parents[2]


class Processes:
    """Starts ingests from one driver process (`tests.faults.driver`)."""

    def __init__(self) -> None:
        words = [sys.executable, "-m", "tests.faults.driver"]
        self._driver = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._read() == "ready"
        self.started = 0

    def ask(self, job: dict[str, Any]) -> int:
        assert self._driver.stdin is not None
        self._driver.stdin.write(json.dumps(job) + "\n")
        self._driver.stdin.flush()
        return int(self._read())

    def _read(self) -> str:
        assert self._driver.stdout is not None
        return self._driver.stdout.readline().strip()

    def close(self) -> None:
        self._driver.communicate("")


class Ingest:
    """One running ``python -m ingest --json``; its streams go to files beside ``home``."""

    def __init__(self, processes: Processes, home: Path, *words: object) -> None:
        self._processes, self.home = processes, home
        number = processes.started = processes.started + 1
        self._out, self._err = (home.with_name(f"ingest-{number}.{name}") for name in ("out", "err"))
        job = {"home": str(home), "out": str(self._out), "err": str(self._err)}
        self.pid = processes.ask({**job, "words": ["--json", *map(str, words)]})

    def wait(self) -> Ran:
        code = self._processes.ask({"wait": self.pid})
        return Ran(code, self._out.read_text(), self._err.read_text())

    def signal(self, number: signal.Signals) -> Ran:
        os.kill(self.pid, number)
        return self.wait()

    def ended(self) -> bool:
        status = Path(f"/proc/{self.pid}/stat").read_text()
        return status.rpartition(")")[2].split()[0] == "Z"

    def until_generation(self, number: int, timeout_s: float = 60) -> None:
        """Return as soon as the store has been published so often, or the process has ended."""
        manifest = self.home / "store" / "manifest.json"
        end = time.monotonic() + timeout_s
        while not self.ended():
            if manifest.exists() and json.loads(manifest.read_text())["generation"] >= number:
                return
            assert time.monotonic() < end
            time.sleep(0.005)
