"""Archives and files of records: a document a member, kept in line with the container."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from configs.settings import load_settings
from ingest.ledger import read_ledger
from retrieve.store import open_store
from tests.ingest.stored import Ran, payloads, stored

Sync = Callable[..., Ran]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


def pack(file: Path, members: Mapping[str, str]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)


def test_a_member_a_document_and_changes_touch_what_changed(sync: Sync, folder: Path) -> None:
    file = folder / "all.zip"
    pack(file, {"a.md": "# A\n\nFirst.\n", "in/b.md": "# B\n\nSecond.\n", "c.bin": "no converter"})
    first = sync(folder)
    assert (first.counts(), first.report["failed"]) == ((2, 0, 0, 0), [])
    assert stored() == {"all.zip/a.md": ["# A\n\nFirst."], "all.zip/in/b.md": ["# B\n\nSecond."]}
    assert sync(folder).counts() == (0, 0, 2, 0)
    before = {entry.key[1]: entry.ingested for entry in read_ledger(store()).documents.values()}
    pack(file, {"a.md": "# A\n\nFirst.\n", "in/b.md": "# B\n\nChanged.\n", "d.md": "# D\n\nNew.\n"})
    assert sync(folder).counts() == (1, 1, 1, 0)
    after = {entry.key[1]: entry.ingested for entry in read_ledger(store()).documents.values()}
    assert after["all.zip/a.md"] == before["all.zip/a.md"]
    pack(file, {"d.md": "# D\n\nNew.\n"})
    assert sync(folder).counts() == (0, 0, 1, 2)
    assert set(stored()) == {"all.zip/d.md"}
    file.unlink()
    assert sync(folder).counts() == (0, 0, 0, 1)
    assert read_ledger(store()).containers == {}


def test_a_touched_archive_is_read_and_nothing_written_anew(sync: Sync, folder: Path) -> None:
    pack(folder / "all.zip", {"a.md": "# A\n\nFirst.\n"})
    sync(folder)
    os.utime(folder / "all.zip", ns=(1, 1))
    assert sync(folder).counts() == (0, 0, 1, 0)
    generation = store().info().generation
    assert sync(folder).counts() == (0, 0, 1, 0)
    assert store().info().generation == generation


def test_a_failed_member_is_listed_once_and_forgiven(sync: Sync, folder: Path) -> None:
    file = folder / "all.zip"
    pack(file, {"a.md": "# A\n\nFirst.\n", "bad.html": "\x89PNG\r\n\x1a\n" + "\x00" * 40})
    assert sync(folder).failed().keys() == {"all.zip/bad.html"}
    again = sync(folder)
    assert (again.counts(), again.failed().keys()) == ((0, 0, 1, 0), {"all.zip/bad.html"})
    pack(file, {"a.md": "# A\n\nFirst.\n", "bad.html": "<p>Good again, with a sentence to read.</p>"})
    assert (sync(folder).counts(), sync(folder).report["failed"]) == ((1, 0, 1, 0), [])


def test_a_damaged_archive_keeps_what_is_known(sync: Sync, folder: Path) -> None:
    file = folder / "all.zip"
    pack(file, {"a.md": "# A\n\nFirst.\n", "b.md": "# B\n\nSecond.\n"})
    sync(folder)
    file.write_bytes(b"PK\x03\x04 and nothing more")
    ran = sync(folder)
    assert (ran.code, ran.failed().keys(), ran.report["documents"]) == (1, {"all.zip"}, 2)
    assert set(stored()) == {"all.zip/a.md", "all.zip/b.md"}
    pack(file, {"a.md": "# A\n\nFirst.\n"})
    assert sync(folder).counts() == (0, 0, 1, 1)


def test_records_are_documents_with_their_fields(sync: Sync, folder: Path) -> None:
    lines = [
        '{"id": "k1", "team": "red", "text": "One record."}',
        '{"id": "k2", "team": "blue", "text": "Two."}',
    ]
    (folder / "rows.jsonl").write_text("\n".join([*lines, "not JSON"]))
    ran = sync(folder)
    assert ran.failed().keys() == {"rows.jsonl/000003.json"}
    teams = {payload["_dl"]["document"]: payload["team"] for payload in payloads()}
    assert teams == {"rows.jsonl/k1.json": "red", "rows.jsonl/k2.json": "blue"}
    (folder / "rows.jsonl").write_text("\n".join(["{}", *lines]).replace("Two.", "Two, changed."))
    assert sync(folder).counts()[1] == 1


def test_a_json_file_may_become_a_list_of_records_and_back(sync: Sync, folder: Path) -> None:
    file = folder / "data.json"
    file.write_text(json.dumps({"text": "A single value."}))
    assert sync(folder).counts() == (1, 0, 0, 0)
    file.write_text(json.dumps([{"text": "First of two."}, {"text": "Second of two."}]))
    assert sync(folder).counts() == (2, 0, 0, 1)
    assert set(stored()) == {"data.json/000001.json", "data.json/000002.json"}
    file.write_text(json.dumps({"text": "A single value again."}))
    assert sync(folder).counts() == (1, 0, 0, 2)
    assert set(stored()) == {"data.json"}


@pytest.mark.parametrize("broken", ["", " ", "[", '[{"text": "First of three."}, {"te', "\n[ {"])
def test_records_that_cannot_be_met_stay(sync: Sync, folder: Path, broken: str) -> None:
    file = folder / "data.json"
    records = [{"text": f"{word} of three."} for word in ("First", "Second", "Third")]
    file.write_text(json.dumps(records))
    assert sync(folder).counts() == (3, 0, 0, 0)
    file.write_text(broken)
    ran = sync(folder)
    assert (ran.code, ran.counts()[3], len(ran.failed())) == (1, 0, 1)
    assert len(stored()) == 3
    file.write_text(json.dumps(records[:2]))
    assert sync(folder).counts() == (0, 0, 2, 1)
    file.write_text("[]")
    assert sync(folder).counts() == (0, 0, 0, 2)


def test_what_lies_in_a_damaged_inner_archive_stays(sync: Sync, folder: Path) -> None:
    inner = folder / "inner.zip"
    pack(inner, {"a.md": "# A\n\nFirst.\n"})
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.write(inner, "inner.zip")
    inner.unlink()
    assert sync(folder).counts() == (1, 0, 0, 0)
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.writestr("inner.zip", b"PK\x03\x04 and nothing more")
    ran = sync(folder)
    assert (ran.code, ran.failed().keys()) == (1, {"all.zip/inner.zip"})
    assert set(stored()) == {"all.zip/inner.zip/a.md"}


def test_a_file_of_records_that_cannot_be_read_is_tried_again(
    sync: Sync, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "rows.jsonl").write_text('{"text": "One record."}')

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setenv("DRAFTLINE__INGEST__WORKERS", "0")
    with monkeypatch.context() as patched:
        patched.setattr("ingest.containers.records.records", broken)
        ran = sync(folder)
    assert (ran.code, ran.failed()) == (1, {"rows.jsonl": "cannot be read: Input/output error"})
    assert sync(folder).counts() == (1, 0, 0, 0)


@pytest.mark.deep
def test_a_members_labels_follow_the_rules_for_paths(
    sync: Sync, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(folder / "all.zip", {"hr/a.md": "# A\n\nFirst.\n", "b.md": "# B\n\nSecond.\n"})
    sync(folder)
    monkeypatch.setenv("DRAFTLINE__INGEST__RULES", "[{path: '**/hr/**', tenant: acme}]")
    assert sync(folder).counts() == (0, 1, 1, 0)
    tenants = {payload["_dl"]["document"]: payload["_dl"]["tenant"] for payload in payloads()}
    assert tenants == {"all.zip/hr/a.md": "acme", "all.zip/b.md": None}


def test_removing_an_archive_removes_its_members(run: Callable[..., Ran], folder: Path) -> None:
    pack(folder / "all.zip", {"a.md": "# A\n\nFirst.\n", "b.md": "# B\n\nSecond.\n"})
    run("--json", folder)
    assert run("remove", "--json", folder / "all.zip").report["deleted"] == 2
    ledger = read_ledger(store())
    assert (ledger.documents, ledger.containers) == ({}, {})
    assert run("--json", folder).counts() == (2, 0, 0, 0)


def store():  # type: ignore[no-untyped-def]
    return open_store(load_settings())
