"""The nightly run as a person starts it: the real handbook, models and store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, "DRAFTLINE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.deep
def test_the_handbook_is_asked_and_the_run_kept(tmp_path: Path) -> None:
    ingested = run(tmp_path, "ingest", "./docs", "--json")
    assert ingested.returncode == 0, ingested.stderr
    nightly = run(tmp_path, "evaluate", "nightly", "--limit", "4", "--json")
    assert nightly.returncode in (0, 1), nightly.stderr
    summary = json.loads(nightly.stdout)
    assert summary["questions"] == 4
    assert summary["error"] == 0
    assert summary["failed"] == {}
    assert summary["headline"]["context_recall"] > 0
    assert summary["headline"].get("citation_truth", 1.0) == 1.0
    assert json.loads(Path(summary["record"]).read_text())["limited"] is True
    assert Path(summary["report"]).read_text().startswith("<!doctype html>")
    listed = run(tmp_path, "evaluate", "history")
    assert len(listed.stdout.splitlines()) == 2
