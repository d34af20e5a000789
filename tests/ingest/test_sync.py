"""Keeping the store in line with a folder that changes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.settings import load_settings
from ingest.ledger import FILE, read_ledger
from retrieve.store import open_store
from tests.ingest.stored import Ran, payloads, stored

Sync = Callable[..., Ran]


def generation() -> str:
    return open_store(load_settings()).info().generation


def test_a_folder_comes_in_and_stays(sync: Sync, docs: Path) -> None:
    first = sync(docs)
    assert first.code == 0
    assert first.report.keys() == {
        "documents",
        "added",
        "updated",
        "unchanged",
        "deleted",
        "failed",
        "chunks",
        "seconds",
    }
    assert first.counts() == (3, 0, 0, 0)
    assert (first.report["documents"], first.report["chunks"], first.report["failed"]) == (3, 3, [])
    before = generation()
    again = sync(docs)
    assert (again.counts(), again.report["documents"], again.report["chunks"]) == ((0, 0, 3, 0), 3, 3)
    assert generation() == before
    assert set(stored()) == {"pump.md", "valve.txt", "sub/led.html"}


def test_payloads_carry_the_users_fields_and_ours(sync: Sync, docs: Path) -> None:
    sync(docs, "--tenant", "acme", "--access", "hr", "--access", "board")
    pump = next(payload for payload in payloads() if payload["_dl"]["document"] == "pump.md")
    ours = pump["_dl"]
    assert (pump["author"], pump["year"]) == ("Ada", 2024)
    assert (ours["type"], ours["root"], ours["section"]) == ("markdown", str(docs), ["Pump"])
    assert (ours["tenant"], ours["access"]) == ("acme", ["hr", "board"])
    assert ours["text"] == "# Pump\n\nThe pump runs at noon."
    assert ours["start"] == 0


def test_edit_add_rename_delete_and_touch(sync: Sync, docs: Path) -> None:
    sync(docs)
    (docs / "pump.md").write_text("# Pump\n\nThe pump runs at midnight now.\n")
    (docs / "new.md").write_text("A new page.\n")
    (docs / "valve.txt").rename(docs / "sub" / "tap.txt")
    (docs / "sub" / "led.html").unlink()
    assert sync(docs).counts() == (2, 1, 0, 2)
    assert {path: texts[0][-9:] for path, texts in stored().items()} == {
        "pump.md": "ight now.",
        "new.md": "new page.",
        "sub/tap.txt": "s slowly.",
    }
    os.utime(docs / "new.md", ns=(1, 1))
    assert sync(docs).counts() == (0, 0, 3, 0)
    (docs / "new.md").write_text("A gnu page.\n")
    assert sync(docs).counts() == (0, 1, 2, 0)


def test_a_long_document_that_gets_shorter_leaves_nothing_behind(sync: Sync, docs: Path) -> None:
    page = docs / "long.md"
    page.write_text("".join(f"# Part {i}\n\n{'Words of this part. ' * 40}\n\n" for i in range(12)))
    sync(docs)
    assert len(stored()["long.md"]) >= 12
    page.write_text("# Part 0\n\nShort.\n")
    sync(docs)
    assert stored()["long.md"] == ["# Part 0\n\nShort."]


@pytest.mark.deep
def test_small_commits_give_the_same_store(sync: Sync, docs: Path) -> None:
    for number in range(6):
        (docs / f"n{number}.md").write_text(f"Number {number} of six.\n" * 30)
    ran = sync(docs, "--set", "ingest.commit_every_s=0.000001", "--set", "ingest.embed_batch=1")
    assert ran.counts() == (9, 0, 0, 0)
    assert set(stored()) == {"pump.md", "valve.txt", "sub/led.html", *(f"n{n}.md" for n in range(6))}
    assert sync(docs).counts() == (0, 0, 9, 0)


def test_roots_do_not_touch_each_other(sync: Sync, docs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(docs, other)
    sync(docs)
    assert sync(other).counts() == (3, 0, 0, 0)
    (docs / "pump.md").unlink()
    (other / "valve.txt").unlink()
    ran = sync(other)
    assert (ran.counts(), ran.report["documents"]) == ((0, 0, 2, 1), 2)
    assert len(payloads()) == 5
    assert sync(docs, other).counts() == (0, 0, 4, 1)


def test_a_path_inside_a_root_belongs_to_it(sync: Sync, docs: Path) -> None:
    sync(docs)
    (docs / "pump.md").unlink()
    (docs / "sub" / "deep.md").write_text("Deep.\n")
    assert sync(docs / "sub").counts() == (1, 0, 1, 0)
    assert "sub/deep.md" in stored()
    assert "pump.md" in stored(), "a sync of one part deletes nothing in another"
    assert sync(docs / "sub" / "deep.md").counts() == (0, 0, 1, 0)
    assert sync(docs).counts() == (0, 0, 3, 1)


@pytest.mark.deep
def test_a_larger_root_takes_over_the_smaller(sync: Sync, docs: Path) -> None:
    sync(docs / "sub")
    sync(docs / "pump.md")
    assert set(stored()) == {"led.html", "pump.md"}
    sync(docs)
    assert set(stored()) == {"pump.md", "valve.txt", "sub/led.html"}
    assert len(payloads()) == 3
    assert read_ledger(open_store(load_settings())).roots == {str(docs)}


def test_a_glob_syncs_what_it_names(sync: Sync, docs: Path) -> None:
    (docs / "extra.md").write_text("Extra.\n")
    assert sync(f"{docs}/*.md").counts() == (2, 0, 0, 0)
    (docs / "extra.md").unlink()
    assert sync(f"{docs}/*.md").counts() == (0, 0, 1, 1)


def test_a_missing_root_deletes_nothing(sync: Sync, docs: Path, tmp_path: Path) -> None:
    sync(docs)
    moved = docs.rename(tmp_path / "moved")
    ran = sync(docs)
    assert (ran.code, ran.out) == (2, "")
    assert "no such file or folder" in ran.err
    ran = sync(docs, moved)
    assert (ran.code, ran.counts()) == (1, (3, 0, 0, 0))
    assert ran.failed() == {str(docs): "no such file or folder"}
    assert len(payloads()) == 6


def test_a_failed_update_keeps_the_old_version(sync: Sync, docs: Path) -> None:
    sync(docs)
    page = docs / "pump.md"
    good = page.read_text()
    page.write_text("---\nauthor: [Ada\n---\n# Pump\n\nBroken.\n")
    for _ in range(2):
        ran = sync(docs)
        assert (ran.code, ran.counts(), ran.report["documents"]) == (1, (0, 0, 2, 0), 3)
        assert "line" in ran.failed()["pump.md"]
        assert stored()["pump.md"] == ["# Pump\n\nThe pump runs at noon."]
    page.write_text(good)
    assert sync(docs).counts() == (0, 0, 3, 0)
    assert read_ledger(open_store(load_settings())).failures == {}


def test_a_known_failure_is_not_tried_again_until_the_file_changes(
    sync: Sync, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (docs / "bad.html").write_bytes(b"\x89PNG\r\n\x1a\n")
    sync(docs)
    before = generation()
    with monkeypatch.context() as patch:
        patch.setattr("ingest.conversion.WorkerPool", None)
        assert sync(docs).failed().keys() == {"bad.html"}
    assert generation() == before
    (docs / "bad.html").unlink()
    assert sync(docs).report["failed"] == []
    assert read_ledger(open_store(load_settings())).failures == {}


def test_an_unreadable_file_is_tried_every_time(sync: Sync, docs: Path) -> None:
    (docs / "valve.txt").unlink()
    (docs / "valve.txt").symlink_to("/proc/self/mem")  # a regular file whose first page nobody can read
    ran = sync(docs)
    assert ran.failed() == {"valve.txt": "cannot be read: Input/output error"}
    (docs / "valve.txt").unlink()
    (docs / "valve.txt").write_text("Readable again.\n")
    assert sync(docs).counts() == (1, 0, 2, 0)


def test_an_unreadable_folder_loses_nothing(sync: Sync, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(docs)
    real = os.scandir

    def guarded(path: str) -> Any:
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    ran = sync(docs)
    assert (ran.code, ran.counts(), ran.report["documents"]) == (1, (0, 0, 2, 0), 3)
    assert "sub/led.html" in stored()


def test_settings_that_shape_chunks_renew_them(sync: Sync, docs: Path) -> None:
    sync(docs)
    assert sync(docs, "--set", "ingest.chunk_tokens=50").counts() == (0, 3, 0, 0)
    assert sync(docs, "--set", "ingest.chunk_tokens=50").counts() == (0, 0, 3, 0)


def test_labels_follow_rules_and_their_changes_are_stored(sync: Sync, docs: Path) -> None:
    rules = "ingest.rules=[{path: 'sub/**', access: [hr]}, {path: '*.txt', tenant: null}]"
    sync(docs, "--tenant", "acme", "--set", rules)
    labels = {p["_dl"]["document"]: (p["_dl"]["tenant"], p["_dl"]["access"]) for p in payloads()}
    assert labels == {"sub/led.html": ("acme", ["hr"]), "valve.txt": (None, []), "pump.md": ("acme", [])}
    assert sync(docs, "--tenant", "acme", "--set", rules).counts() == (0, 0, 3, 0)
    assert sync(docs, "--tenant", "acme").counts() == (0, 2, 1, 0)


def test_a_field_of_several_types_is_a_keyword_everywhere(sync: Sync, docs: Path) -> None:
    sync(docs)
    (docs / "other.md").write_text("---\nyear: about 1900\n---\nText.\n")
    ran = sync(docs)
    assert (ran.code, ran.counts()) == (0, (1, 1, 2, 0))
    assert {p["year"] for p in payloads() if "year" in p} == {"2024", "about 1900"}
    assert open_store(load_settings()).info().fields["year"] == "keyword"
    (docs / "third.md").write_text("---\nyear: 7\n---\nText.\n")
    assert sync(docs).counts() == (1, 0, 4, 0)
    assert {p["year"] for p in payloads() if "year" in p} == {"2024", "about 1900", "7"}


def test_integers_and_floats_are_floats(sync: Sync, docs: Path) -> None:
    from retrieve.filters import Filter, Range

    sync(docs)
    (docs / "other.md").write_text("---\nyear: 2024.5\n---\nText.\n")
    assert sync(docs).counts() == (1, 0, 3, 0)
    store = open_store(load_settings())
    assert store.info().fields["year"] == "float"
    assert len(list(store.scroll(Filter(must=(Range("year", gte=2024),))))) == 2


def test_odd_documents_are_documents(sync: Sync, docs: Path) -> None:
    (docs / "empty.md").write_text("")
    (docs / "only.md").write_text("---\ntitle: nothing else\n---\n")
    (docs / "name with ünïcode & spaces.md").write_text("Text.\n")
    ran = sync(docs)
    assert (ran.code, ran.counts(), ran.report["documents"], ran.report["chunks"]) == (0, (6, 0, 0, 0), 6, 4)
    assert sync(docs).counts() == (0, 0, 6, 0)


def test_a_folder_of_empty_files_is_known(sync: Sync, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.md").write_text("")
    assert sync(tmp_path / "d").counts() == (1, 0, 0, 0)
    assert sync(tmp_path / "d").counts() == (0, 0, 1, 0)


def test_everything_deleted_leaves_an_empty_store(sync: Sync, docs: Path) -> None:
    sync(docs)
    for path in docs.rglob("*.*"):
        path.unlink()
    ran = sync(docs)
    assert (ran.code, ran.counts(), ran.report["chunks"]) == (0, (0, 0, 0, 3), 0)
    assert payloads() == []
    assert sync(docs).counts() == (0, 0, 0, 0)


def test_a_ledger_that_knows_nothing_doubles_nothing(sync: Sync, docs: Path, home: Path) -> None:
    sync(docs)
    next((home / "store").glob(f"side-*/{FILE}")).unlink()
    (docs / "pump.md").write_text("# Pump\n\nThe pump runs at midnight now.\n")
    assert sync(docs).counts() == (3, 0, 0, 0)
    assert stored()["pump.md"] == ["# Pump\n\nThe pump runs at midnight now."]
    assert len(payloads()) == 3
