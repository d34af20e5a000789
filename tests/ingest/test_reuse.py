"""What the store has embedded already is not embedded again."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from configs.settings import load_settings
from ingest.journal import read_report, write_report
from ingest.report import Report, detail_lines
from retrieve.store import open_store
from tests.ingest.stored import Ran, stored

Sync = Callable[..., Ran]


def counts() -> tuple[int, int]:
    """Chunks embedded and chunks with a vector already, of the last run."""
    found = read_report(load_settings().home)
    assert found is not None
    return found["embedded"], found["reused"]


def vectors() -> dict[str, Any]:
    return {record.embedding_text(): record.vector for record in open_store(load_settings()).records()}


def test_a_moved_folder_embeds_nothing(sync: Sync, docs: Path) -> None:
    sync(docs)
    before = vectors()
    (docs / "sub").rename(docs / "moved")
    (docs / "pump.md").rename(docs / "moved" / "pump.md")
    assert sync(docs).counts() == (2, 0, 1, 2)
    assert counts() == (0, 2)
    assert set(stored()) == {"moved/led.html", "moved/pump.md", "valve.txt"}
    after = vectors()
    assert all(np.array_equal(before[text], after[text]) for text in before)


def test_an_edited_document_embeds_what_changed(sync: Sync, docs: Path) -> None:
    parts = [f"# Part {i}\n\n" + f"Words of part {i}. " * 40 for i in range(12)]
    (docs / "long.md").write_text("\n\n".join(parts))
    sync(docs)
    whole = len(stored()["long.md"])
    parts[5] = parts[5].replace("Words", "Other words", 1)
    (docs / "long.md").write_text("\n\n".join(parts))
    sync(docs)
    embedded, reused = counts()
    assert embedded <= 2
    assert embedded + reused == whole


def test_new_labels_keep_the_vectors(sync: Sync, docs: Path) -> None:
    sync(docs)
    assert sync(docs, "--tenant", "acme").counts() == (0, 3, 0, 0)
    assert counts() == (0, 3)


def test_a_file_that_moves_into_an_archive_embeds_nothing(sync: Sync, docs: Path) -> None:
    sync(docs)
    text = (docs / "pump.md").read_text()
    (docs / "pump.md").unlink()
    with zipfile.ZipFile(docs / "old.zip", "w") as archive:
        archive.writestr("pump.md", text)
    assert sync(docs).counts() == (1, 0, 2, 1)
    assert counts() == (0, 1)


def test_no_prune_keeps_what_is_gone(sync: Sync, docs: Path) -> None:
    sync(docs)
    (docs / "valve.txt").unlink()
    ran = sync(docs, "--no-prune")
    assert (ran.counts(), ran.report["documents"]) == ((0, 0, 2, 0), 3)
    assert "valve.txt" in stored()
    assert sync(docs).counts() == (0, 0, 2, 1)


def test_a_folder_that_takes_over_another_root_moves_its_documents_even_without_pruning(
    sync: Sync, docs: Path
) -> None:
    sync(docs / "sub")
    assert set(stored()) == {"led.html"}
    assert sync(docs, "--no-prune").counts() == (3, 0, 0, 1)
    assert set(stored()) == {"pump.md", "valve.txt", "sub/led.html"}
    assert counts()[1] == 1


def test_the_report_of_a_run(run: Callable[..., Ran], docs: Path, tmp_path: Path) -> None:
    (docs / "picture.xyz").write_bytes(b"x")
    (docs / "latin.txt").write_bytes("Die Türen öffnen sich früh.\n".encode("latin-1") * 9)
    file = tmp_path / "run.json"
    run(docs, "--report", file)
    details = json.loads(file.read_text())
    kept = run("report", "--json").report
    assert {**details, "seconds": None} == {**kept, "seconds": None}
    assert (details["added"], details["embedded"], details["skipped"]) == (4, 4, {".xyz": 1})
    slowest = {entry["path"] for entry in details["slowest"]}
    assert slowest == {"pump.md", "valve.txt", "latin.txt", "sub/led.html"}
    assert details["paths"] == [str(docs)]
    assert datetime.fromisoformat(details["began"]) <= datetime.now(UTC)
    (told,) = details["notes"]
    assert told["path"] == "latin.txt"
    assert "not valid UTF-8" in told["note"]
    assert details["fields"]["author"] == {"front-matter": 1}
    shown = run("report").out
    older = {name: kept[name] for name in kept.keys() - {"began", "paths", "notes", "more_notes"}}
    assert "notes:" not in detail_lines(older)
    assert f": {docs}\n4 added" in shown
    assert f"notes:\n  latin.txt: {told['note']}" in shown
    assert "author: front-matter 1" in shown


def test_a_removal_is_reported_without_names(run: Callable[..., Ran], docs: Path) -> None:
    assert run("report").out == "no report of a run is kept here yet\n"
    run(docs)
    run("remove", docs / "pump.md", docs / "nothing.md")
    shown = run("report").out
    assert "0 added, 0 updated, 1 deleted, 0 unchanged, 0 failed" in shown
    assert ": removal;" in shown
    assert ".md" not in shown + json.dumps(run("report", "--json").report)


def test_a_report_of_paths_that_are_no_text_can_be_written(tmp_path: Path) -> None:
    write_report(tmp_path / "run.json", Report(paths=["docs/f\udcff"]))
    (path,) = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["paths"]
    assert path.startswith("docs/f")
