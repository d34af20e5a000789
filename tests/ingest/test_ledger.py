"""The ledger holds what its changes say, over any number of commits, and notices damage."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import StoreError
from ingest import ledger
from ingest.ledger import Entry, KnownFailure, Ledger, LedgerChanges, apply_changes, read_ledger
from ingest.sources import Stamp

ROOTS = st.sampled_from(["/", "/a", "/a/b", "/ünï 'quoted\""])
KEYS = st.tuples(ROOTS, st.sampled_from(["x.md", "y.md", "sub/x.md", "日本.txt"]))
WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
STAMPS = st.builds(Stamp, st.integers(0, 1 << 62), st.integers(0, 1 << 62), st.integers(-1, 1 << 62))
ENTRIES = st.builds(
    Entry,
    key=KEYS,
    id=WORDS,
    stamp=STAMPS,
    hash=WORDS,
    recipe=WORDS,
    chunks=st.integers(0, 1 << 40),
    fields=st.dictionaries(WORDS, st.sampled_from(["keyword", "integer", "datetime"]), max_size=3),
    ingested=WORDS,
)
FAILURES = st.builds(KnownFailure, key=KEYS, stamp=STAMPS, recipe=WORDS, error=WORDS)
CHANGES = st.builds(
    LedgerChanges,
    drop=st.lists(KEYS, max_size=3),
    put=st.lists(ENTRIES, max_size=4),
    forgive=st.lists(KEYS, max_size=3),
    fail=st.lists(FAILURES, max_size=3),
    drop_roots=st.lists(ROOTS, max_size=2),
    put_roots=st.lists(ROOTS, max_size=2),
)


class Published:
    """As much of a store as the ledger needs: a folder of side files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def side(self, name: str) -> Path | None:
        path = self.folder / name
        return path if path.exists() else None


def read(folder: Path) -> Ledger:
    store: Any = Published(folder)
    return read_ledger(store)


def applied(model: Ledger, changes: LedgerChanges) -> None:
    """What `apply_changes` promises, on dicts."""
    for key in changes.drop:
        model.documents.pop(key, None)
    for key in (*changes.drop, *changes.forgive):
        model.failures.pop(key, None)
    for entry in changes.put:
        model.documents[entry.key] = entry
        model.failures.pop(entry.key, None)
    model.failures |= {failure.key: failure for failure in changes.fail}
    model.roots = (model.roots - set(changes.drop_roots)) | set(changes.put_roots)


@given(batches=st.lists(CHANGES, max_size=4))
@settings(max_examples=60)
def test_it_holds_what_the_changes_say(batches: list[LedgerChanges]) -> None:
    model = Ledger()
    with tempfile.TemporaryDirectory() as name:
        for changes in batches:
            applied(model, changes)
            apply_changes(Path(name), changes)
            assert read(Path(name)) == model
            assert [path.name for path in Path(name).iterdir()] == [ledger.FILE], "no journal stays"


def test_there_is_nothing_before_the_first_ingest(tmp_path: Path) -> None:
    assert read(tmp_path) == Ledger()
    assert not LedgerChanges()
    assert LedgerChanges(put_roots=["/a"])


def test_what_is_dropped_leaves_no_byte(tmp_path: Path) -> None:
    def entry(number: int) -> Entry:
        key = ("/root", f"Xanthippe-{number}.md")
        return Entry(key, f"id{number}", Stamp(1, 2, 3), "hash", "recipe", 1, {"zyxfield": "keyword"}, "now")

    entries = [entry(number) for number in range(200)]
    failure = KnownFailure(("/root", "bad.md"), Stamp(1, 2, 3), "recipe", "Quetzalcoatl was there twice")
    apply_changes(tmp_path, LedgerChanges(put=entries, fail=[failure]))
    apply_changes(tmp_path, LedgerChanges(drop=[e.key for e in entries], forgive=[failure.key]))
    left = (tmp_path / ledger.FILE).read_bytes()
    for word in (b"Xanthippe", b"zyxfield", b"Quetzalcoatl"):
        assert word not in left


def damage_text(path: Path) -> None:
    path.write_text("this is no database, but it is long enough to be looked at as one " * 20)


def damage_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[2000:] = b"\xff" * (len(data) - 2000)
    path.write_bytes(data)


def damage_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE failures")


def damage_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 0")


@pytest.mark.parametrize("damage", [damage_text, damage_pages, damage_tables, damage_version])
def test_a_damaged_file_is_named_with_a_cure(tmp_path: Path, damage: Any) -> None:
    changes = LedgerChanges(put_roots=["/a"], drop=[("/a", "b")], forgive=[("/a", "b")])
    apply_changes(tmp_path, changes)
    damage(tmp_path / ledger.FILE)
    for use in (lambda: read(tmp_path), lambda: apply_changes(tmp_path, changes)):
        with pytest.raises(StoreError, match=r"ledger\.sqlite is damaged .*; delete .* and ingest again"):
            use()


def test_a_newer_format_is_not_touched(tmp_path: Path) -> None:
    apply_changes(tmp_path, LedgerChanges(put_roots=["/a"]))
    with closing(sqlite3.connect(tmp_path / ledger.FILE)) as db:
        db.execute("PRAGMA user_version = 99")
    before = (tmp_path / ledger.FILE).read_bytes()
    for use in (lambda: read(tmp_path), lambda: apply_changes(tmp_path, LedgerChanges(put_roots=["/b"]))):
        with pytest.raises(StoreError, match="has format 99, this Draftline reads up to 2: upgrade"):
            use()
    assert (tmp_path / ledger.FILE).read_bytes() == before
