"""A local Ray with two workers gives what a local run gives."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.settings import load_settings
from retrieve.store import open_store
from tests.ingest.stored import Ran, payloads

pytestmark = [
    pytest.mark.deep,
    pytest.mark.filterwarnings(
        "ignore:::ray", "ignore:.*:FutureWarning", "ignore:.*:UserWarning", "ignore:.*:DeprecationWarning"
    ),
]


def contents() -> dict[str, Any]:
    """Payloads by chunk, without the point of time that is the file's own."""
    return {payload["id"]: payload for payload in payloads()}


def test_ray_gives_the_same_chunks_metadata_and_vectors(
    sync: Callable[..., Ran], docs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    with zipfile.ZipFile(docs / "more.zip", "w") as archive:
        archive.writestr("in/side.md", "# Side\n\nA page in an archive.\n")
    (docs / "rows.jsonl").write_text('{"name": "Ada", "text": "one record"}\nnot JSON\n')
    (docs / "bad.html").write_bytes(b"\x89PNG\r\n\x1a\n")
    for place in range(40):
        (docs / f"page{place}.md").write_text(f"# Page {place}\n\n" + f"Words of page {place}. " * 90)
    local = sync(docs)
    expected = contents()
    vectors = {record.id: record.vector for record in open_store(load_settings()).records()}
    monkeypatch.setenv("DRAFTLINE_HOME", str(tmp_path / "other"))
    monkeypatch.setenv("DRAFTLINE__INGEST__WORKERS", "2")
    by_ray = sync(docs, "--engine", "ray")
    assert by_ray.code == local.code, by_ray.err
    assert contents() == expected
    assert by_ray.counts() == local.counts() == (45, 0, 0, 0)
    assert by_ray.failed() == local.failed()
    assert by_ray.failed().keys() == {"bad.html", "rows.jsonl/000002.json"}
    for record in open_store(load_settings()).records():
        assert np.abs(record.vector - vectors[record.id]).max() < 1e-5
    again = sync(docs, "--engine", "ray")
    assert again.counts() == (0, 0, 45, 0)
