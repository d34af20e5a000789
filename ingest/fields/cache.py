"""What a model has answered before, on disk: a second run asks nothing twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from configs.folders import make_folder
from configs.settings import Settings
from ingest.ledger import read_ledger
from retrieve.store.base import Store

FILE = "fields.sqlite"
_WAIT_S = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, source TEXT, answer TEXT) WITHOUT ROWID
"""


def forget_answers(settings: Settings, store: Store) -> None:
    """Forget what was answered about files that are not in the store."""
    cache = AnswerCache(settings.home / FILE)
    if cache.exists():
        cache.keep({entry.hash for entry in read_ledger(store).documents.values()})


class AnswerCache:
    """Answers by a digest of all that decides them; each knows the file that it is about.

    A damaged cache is begun anew: it holds nothing that cannot be asked again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def exists(self) -> bool:
        """Whether anything was ever answered."""
        return self._path.exists()

    def get(self, key: str) -> str | None:
        """The answer, if there was one."""
        if not self._path.exists():
            return None
        try:
            with self._open() as db:
                row = db.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        except sqlite3.DatabaseError:
            return None
        return None if row is None else str(row[0])

    def put(self, key: str, source: str, answer: str) -> None:
        """Keep an answer; ``source`` is the digest of the file's bytes."""
        try:
            self._put(key, source, answer)
        except sqlite3.OperationalError:
            return  # locked, or the disk is full: it will be asked again
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)
            self._put(key, source, answer)

    def keep(self, sources: Collection[str]) -> None:
        """Forget the answers about all other files, and every byte of them."""
        if not self._path.exists():
            return
        try:
            with self._open() as db:
                db.execute("CREATE TEMP TABLE kept (source TEXT PRIMARY KEY)")
                db.executemany("INSERT OR IGNORE INTO kept VALUES (?)", ((source,) for source in sources))
                db.execute("DELETE FROM answers WHERE source NOT IN (SELECT source FROM kept)")
                db.commit()
                db.execute("VACUUM")
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)

    def _put(self, key: str, source: str, answer: str) -> None:
        make_folder(self._path.parent)
        with self._open() as db:
            db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (key, source, answer))
            db.commit()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=_WAIT_S)) as db:
            db.execute("PRAGMA secure_delete = ON")
            db.execute(_SCHEMA)
            yield db
