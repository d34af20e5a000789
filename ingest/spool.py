"""Prepared documents on disk until they are embedded.

Everything is converted before anything is embedded: then the fields and their types are known, the
progress bar knows the end, and memory holds one document at a time.
"""

from __future__ import annotations

import os
import pickle
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from errno import ENOSPC
from typing import cast

from ingest.prepare import Prepared


class Spool:
    """Prepared documents, in the order they were put; the file has no name and dies with us."""

    def __init__(self) -> None:
        # An empty name is SQLite's private database, in a file it unlinks at once.
        self._db = sqlite3.connect("")
        self._db.execute("CREATE TABLE spool (item BLOB)")
        self._rewritten = 0
        """The last row that `rewrite` changed."""
        self.documents = 0
        self.chunks = 0
        self.hashes: set[str] = set()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exception: object) -> None:
        self._db.close()

    def put(self, prepared: Prepared) -> None:
        """Keep a document.

        Raises:
            OSError: the disk of temporary files is full.
        """
        try:
            self._db.execute("INSERT INTO spool VALUES (?)", (pickle.dumps(prepared),))
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise OSError(ENOSPC, os.strerror(ENOSPC), tempfile.gettempdir()) from error
            raise
        self.documents += 1
        self.hashes.add(prepared.document.content_hash)
        self.chunks += len(prepared.spans)

    def rewrite(self, change: Callable[[list[Prepared]], list[Prepared]], size: int) -> None:
        """Put changed documents in the place of those that came since the last time, ``size`` at a time."""
        while True:
            rows = self._db.execute(
                "SELECT rowid, item FROM spool WHERE rowid > ? ORDER BY rowid LIMIT ?",
                (self._rewritten, size),
            ).fetchall()
            if not rows:
                return
            changed = change([cast(Prepared, pickle.loads(item)) for _, item in rows])
            self._db.executemany(
                "UPDATE spool SET item = ? WHERE rowid = ?",
                [(pickle.dumps(item), row) for item, (row, _) in zip(changed, rows, strict=True)],
            )
            self._rewritten = rows[-1][0]

    def __iter__(self) -> Iterator[Prepared]:
        with closing(self._db.execute("SELECT item FROM spool ORDER BY rowid")) as rows:
            for (item,) in rows:
                yield cast(Prepared, pickle.loads(item))
