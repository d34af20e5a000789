"""``python -m ingest`` with a reader model: the tiny one that copies, and SmolLM2, which makes things up."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.reader.__main__ import TINY
from benchmarks.reader.pages import make_page
from tests.ingest.stored import Ran, payloads

Sync = Callable[..., Ran]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two pages, one that is none, and a text."""
    folder = tmp_path / "site"
    folder.mkdir()
    rng = random.Random(99)
    for name in ("one", "two"):
        (folder / f"{name}.html").write_text(make_page(rng, blocks=3, words=6).html)
    (folder / "bad.html").write_bytes(b"%PDF-1.7")
    (folder / "note.txt").write_text("A note that no model reads.\n")
    return folder


def words(model: Path) -> list[str]:
    changes = ("ingest.html=reader-lm", f"models.reader={model}", "generate.speculate=always")
    return [word for change in changes for word in ("--set", change)]


def origins() -> dict[str, str | None]:
    """Who wrote each document's body."""
    return {payload["_dl"]["document"]: payload["_dl"]["origins"].get("body") for payload in payloads()}


def test_pages_are_read_by_the_model_and_switching_reads_them_again(sync: Sync, site: Path) -> None:
    wanted = [*words(TINY), "--set", "generate.weights=float"]
    first = sync(*wanted, site)
    assert (first.code, first.counts()) == (1, (3, 0, 0, 0))
    assert first.failed().keys() == {"bad.html"}
    assert origins() == {"one.html": TINY.name, "two.html": TINY.name, "note.txt": None}
    assert sync(*wanted, site).counts() == (0, 0, 3, 0)
    assert sync(site).counts() == (0, 2, 1, 0)
    assert set(origins().values()) == {None}


def test_what_does_not_come_to_an_end_is_not_stored_and_the_run_says_so(
    sync: Sync, site: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(TINY, tmp_path / "reader-lm-0.5b")
    wanted = [*words(model), "--set", "generate.weights=float", "--set", "ingest.reader_max_ratio=0.01"]
    (site / "one.html").write_text(make_page(random.Random(7), blocks=7, words=9).html)
    ran = sync(*wanted, site)
    assert "reader-lm-0.5b, whose licence CC-BY-NC-4.0 (non-commercial) forbids commercial use" in ran.err
    assert "note: one.html: reader-lm-0.5b: it did not come to an end; converted without it" in ran.err
    assert str(origins()["one.html"]).startswith("default (reader-lm-0.5b: ")


@pytest.mark.deep
def test_what_a_model_makes_up_is_not_stored_and_the_run_says_so(
    sync: Sync, site: Path, smollm_folder: Path
) -> None:
    for name in ("two.html", "bad.html"):
        (site / name).unlink()
    (site / "one.html").write_text(
        "<h1>Pumps</h1><p>Oil the pump in hall seven at noon, and the mill at one.</p>"
    )
    ran = sync(*words(smollm_folder), site)
    assert (ran.code, ran.counts()) == (0, (2, 0, 0, 0))
    assert f"note: one.html: {smollm_folder.name}: " in ran.err
    assert "converted without it" in ran.err
    found = origins()
    assert found["one.html"].startswith(f"default ({smollm_folder.name}: ")
    assert found["note.txt"] is None


def test_a_reader_without_a_model_stops_the_run(sync: Sync, site: Path) -> None:
    ran = sync("--set", "ingest.html=reader-lm", site)
    assert ran.code == 2
    assert "set models.reader" in ran.err
