"""Prepared documents on disk until they are embedded.

Everything is converted before anything is embedded: then the fields and their types are known, the
progress bar knows the end, and memory holds one document at a time.
"""

from __future__ import annotations

import os
import pickle
import sqlite3
import tempfile
from collections.abc import Iterator
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

    def __iter__(self) -> Iterator[Prepared]:
        with closing(self._db.execute("SELECT item FROM spool ORDER BY rowid")) as rows:
            for (item,) in rows:
                yield cast(Prepared, pickle.loads(item))
