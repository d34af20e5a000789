"""The ledger: what was ingested, from which file, and what failed; published together with the chunks.

It is a SQLite file among the store's side files, so one commit of the store moves both. Readers load
it whole; the writer applies one batch of changes just before each commit.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from configs.errors import StoreError
from ingest.sources import Key, Stamp
from retrieve.schema import FieldType
from retrieve.store.base import Store

FILE = "ledger.sqlite"
FORMAT = 2
_SCHEMA = """
CREATE TABLE documents (
    root TEXT, path TEXT, id TEXT NOT NULL, size INTEGER, mtime_ns INTEGER, inode INTEGER,
    hash TEXT NOT NULL, recipe TEXT NOT NULL, chunks INTEGER NOT NULL, fields TEXT NOT NULL,
    ingested TEXT NOT NULL, container TEXT, PRIMARY KEY (root, path)) WITHOUT ROWID;
CREATE TABLE failures (
    root TEXT, path TEXT, size INTEGER, mtime_ns INTEGER, inode INTEGER,
    recipe TEXT NOT NULL, error TEXT NOT NULL, PRIMARY KEY (root, path)) WITHOUT ROWID;
CREATE TABLE roots (path TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_CONTAINERS = """
CREATE TABLE containers (
    root TEXT, path TEXT, size INTEGER, mtime_ns INTEGER, inode INTEGER,
    recipe TEXT NOT NULL, ingested TEXT NOT NULL, PRIMARY KEY (root, path)) WITHOUT ROWID;
"""
_COLUMNS_1 = "root, path, id, size, mtime_ns, inode, hash, recipe, chunks, fields, ingested, NULL"
_COLUMNS = _COLUMNS_1.replace("NULL", "container")
_UPGRADES = {1: f"ALTER TABLE documents ADD COLUMN container TEXT; {_CONTAINERS}"}
"""What brings a ledger of an older format to the next one."""


@dataclass(frozen=True)
class Entry:
    """A document in the store."""

    key: Key
    id: str
    stamp: Stamp
    hash: str
    recipe: str
    """See `ingest.plan.recipe_of`."""
    chunks: int
    fields: Mapping[str, FieldType]
    ingested: str
    """ISO 8601, UTC."""
    container: str | None = None
    """Path, below the same root, of the file that it is a member of."""

    @property
    def file(self) -> str:
        """Absolute path of the file it came from: of a member, its container's."""
        return place(self.key[0], self.container or self.key[1])


@dataclass(frozen=True)
class ContainerEntry:
    """A container whose members are all accounted for."""

    key: Key
    stamp: Stamp
    recipe: str
    ingested: str

    @property
    def file(self) -> str:
        return place(*self.key)


@dataclass(frozen=True)
class KnownFailure:
    """A file that could not be converted; tried again when the file or the recipe has changed."""

    key: Key
    stamp: Stamp
    recipe: str
    """See `ingest.plan.Task.attempt`."""
    error: str

    @property
    def file(self) -> str:
        return place(*self.key)


@dataclass
class Ledger:
    """The ledger's content."""

    documents: dict[Key, Entry] = field(default_factory=dict)
    failures: dict[Key, KnownFailure] = field(default_factory=dict)
    containers: dict[Key, ContainerEntry] = field(default_factory=dict)
    roots: set[str] = field(default_factory=set)
    """Folders that were ingested whole."""


@dataclass
class LedgerChanges:
    """What one commit changes; applied in this order."""

    drop: list[Key] = field(default_factory=list)
    put: list[Entry] = field(default_factory=list)
    forgive: list[Key] = field(default_factory=list)
    fail: list[KnownFailure] = field(default_factory=list)
    drop_roots: list[str] = field(default_factory=list)
    put_roots: list[str] = field(default_factory=list)
    drop_containers: list[Key] = field(default_factory=list)
    put_containers: list[ContainerEntry] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(vars(self).values())


def place(root: str, path: str) -> str:
    """The absolute path (or URL) of a path below a root; the path of a site's first page is ``/``."""
    return f"{root.rstrip('/')}/{path if path != '/' else ''}"


def now() -> str:
    """The time that entries are stamped with."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_ledger(store: Store) -> Ledger:
    """The published ledger; empty where nothing was ingested yet.

    Raises:
        StoreError: it cannot be read.
    """
    for attempt in range(3):
        path = store.side(FILE)
        if path is None:
            return Ledger()
        try:
            # Published files never change, so SQLite need not lock or look for a journal.
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
                return _load(db, path)
        except sqlite3.Error as error:
            if attempt == 2 or path.exists():
                raise _damaged(path, error) from error
    return Ledger()


def apply_changes(folder: Path, changes: LedgerChanges) -> None:
    """Bring the ledger in a writer's side folder up to date; leaves one file, without a journal.

    Raises:
        StoreError: it cannot be read. OSError: the disk is full.
    """
    path = folder / FILE
    with _writable(path) as db:
        db.executemany("DELETE FROM documents WHERE root = ? AND path = ?", changes.drop)
        db.executemany("DELETE FROM failures WHERE root = ? AND path = ?", [*changes.drop, *changes.forgive])
        db.executemany(
            "INSERT OR REPLACE INTO documents VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", map(_row, changes.put)
        )
        db.executemany("DELETE FROM failures WHERE root = ? AND path = ?", (e.key for e in changes.put))
        stamped = ((*f.key, *astuple(f.stamp), f.recipe, f.error) for f in changes.fail)
        db.executemany("INSERT OR REPLACE INTO failures VALUES (?,?,?,?,?,?,?)", stamped)
        db.executemany("DELETE FROM roots WHERE path = ?", ((root,) for root in changes.drop_roots))
        db.executemany("INSERT OR IGNORE INTO roots VALUES (?)", ((root,) for root in changes.put_roots))
        db.executemany("DELETE FROM containers WHERE root = ? AND path = ?", changes.drop_containers)
        found = ((*c.key, *astuple(c.stamp), c.recipe, c.ingested) for c in changes.put_containers)
        db.executemany("INSERT OR REPLACE INTO containers VALUES (?,?,?,?,?,?,?)", found)


@contextmanager
def _writable(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        fresh = not path.exists()
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA secure_delete = ON")
            # The file is a working copy that dies with its writer: its journal would protect nothing.
            db.execute("PRAGMA journal_mode = MEMORY")
            db.execute("PRAGMA synchronous = OFF")
            if fresh:
                db.executescript(f"{_SCHEMA}{_CONTAINERS} PRAGMA user_version = {FORMAT};")
            _upgrade(db, _format(db, path))
            with db:
                yield db
            db.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise _damaged(path, error) from error
    except sqlite3.Error as error:
        raise _damaged(path, error) from error


def _format(db: sqlite3.Connection, path: Path) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT:
        raise StoreError(
            f"{path} has format {version}, this Draftline reads up to {FORMAT}: upgrade Draftline"
        )
    if version < 1:
        raise sqlite3.DatabaseError("not a ledger")
    return version


def _upgrade(db: sqlite3.Connection, version: int) -> None:
    for older in range(version, FORMAT):
        db.executescript(f"{_UPGRADES[older]} PRAGMA user_version = {older + 1};")


def _load(db: sqlite3.Connection, path: Path) -> Ledger:
    version = _format(db, path)
    ledger = Ledger()
    for row in db.execute(f"SELECT {_COLUMNS if version > 1 else _COLUMNS_1} FROM documents"):
        root, name, id, size, mtime, inode, hash, recipe, chunks, fields, ingested, container = row
        key, stamp = (root, name), Stamp(size, mtime, inode)
        kinds = json.loads(fields)
        ledger.documents[key] = Entry(key, id, stamp, hash, recipe, chunks, kinds, ingested, container)
    for root, name, size, mtime, inode, recipe, error in db.execute("SELECT * FROM failures"):
        key = (root, name)
        ledger.failures[key] = KnownFailure(key, Stamp(size, mtime, inode), recipe, error)
    for root, name, size, mtime, inode, recipe, ingested in (
        db.execute("SELECT * FROM containers") if version > 1 else ()
    ):
        key = (root, name)
        ledger.containers[key] = ContainerEntry(key, Stamp(size, mtime, inode), recipe, ingested)
    ledger.roots = {root for (root,) in db.execute("SELECT path FROM roots")}
    return ledger


def _row(entry: Entry) -> tuple[str | int | None, ...]:
    fields = json.dumps(entry.fields, sort_keys=True)
    return (
        *entry.key,
        entry.id,
        *astuple(entry.stamp),
        entry.hash,
        entry.recipe,
        entry.chunks,
        fields,
        entry.ingested,
        entry.container,
    )


def _damaged(path: Path, error: Exception) -> StoreError:
    folder = path.parent.parent
    return StoreError(f"the ledger {path} is damaged ({error}); delete {folder} and ingest again")
