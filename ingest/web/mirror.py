"""Copies of a site's pages on disk, and what is known of each: when it was fetched, and what it said."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from configs.errors import StoreError
from configs.folders import make_folder
from ingest.web.urls import origin_of

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pages (
    url TEXT PRIMARY KEY, file TEXT NOT NULL, hash TEXT NOT NULL, etag TEXT, modified TEXT,
    fetched TEXT NOT NULL, links TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS visits (start TEXT PRIMARY KEY, outcome TEXT NOT NULL) WITHOUT ROWID;
"""
_INDEX = "index.sqlite"


@dataclass(frozen=True)
class Page:
    """A page that was fetched."""

    url: str
    file: str
    """Name of the copy in the mirror's folder; its suffix says what kind of file it is."""
    hash: str
    etag: str | None
    modified: str | None
    """The Last-Modified header as it came."""
    fetched: str
    """ISO 8601, UTC."""
    links: tuple[str, ...]


@dataclass(frozen=True)
class Visit:
    """How the last visit of a site, beginning at one address, ended."""

    start: str
    """Where it ended up: the address itself, or where it led by a redirect."""
    missing: str | None = None
    """Why there is nothing at the address."""
    moved: bool = False
    """It is another origin's now, where the visit of ``start`` says more."""
    area: str | None = None
    """What it covered: the folder or page it ended up at, where that is not the address given."""
    pages: tuple[str, ...] = ()
    """The addresses that belong to it, in the order of their discovery; their copies are in the mirror."""
    failures: tuple[tuple[str, str], ...] = ()
    """Addresses that could not be fetched, with the reason."""
    skipped: int = 0
    """Pages of a kind that cannot be converted."""


class Mirror:
    """The pages of one origin."""

    def __init__(self, web: Path, origin: str) -> None:
        self.folder = web / re.sub(r"[^A-Za-z0-9.-]+", "_", origin)

    @property
    def exists(self) -> bool:
        return (self.folder / _INDEX).exists()

    @contextmanager
    def locked(self, wait_s: float) -> Iterator[None]:
        """One visitor at a time.

        Raises:
            StoreError: another one did not end in time.
        """
        make_folder(self.folder)
        try:
            with FileLock(self.folder / "lock", timeout=wait_s):
                yield
        except Timeout:
            raise StoreError(
                f"another ingest is reading the same site (lock held for more than {wait_s:g} s); wait for it"
            ) from None

    def page(self, url: str) -> Page | None:
        """What is known of a page, if its copy is there."""
        with self._open() as db:
            row = db.execute("SELECT * FROM pages WHERE url = ?", (url,)).fetchone()
        if row is None or not (self.folder / row[1]).is_file():
            return None
        address, file, digest, etag, modified, fetched, links = row
        return Page(address, file, digest, etag, modified, fetched, tuple(json.loads(links)))

    def copies(self) -> list[tuple[str, Path]]:
        """All pages with their copies, by address."""
        with self._open() as db:
            rows = db.execute("SELECT url, file FROM pages ORDER BY url").fetchall()
        return [(url, self.folder / file) for url, file in rows]

    def put(self, page: Page, body: bytes | None, changed: float | None) -> None:
        """Keep a page; its copy is written only where the bytes are new.

        Args:
            body: None where the copy at hand is still the page.
            changed: when the page last changed, as a time stamp; None: now.
        """
        if body is not None:
            path = self.folder / page.file
            _write(path, body)
            if changed is not None:
                os.utime(path, (changed, changed))
        row = (page.url, page.file, page.hash, page.etag, page.modified, page.fetched, json.dumps(page.links))
        with self._open() as db:
            old = db.execute("SELECT file FROM pages WHERE url = ?", (page.url,)).fetchone()
            db.execute("INSERT OR REPLACE INTO pages VALUES (?,?,?,?,?,?,?)", row)
        if old is not None and old[0] != page.file:
            (self.folder / old[0]).unlink(missing_ok=True)

    def drop(self, urls: Iterable[str]) -> None:
        """Forget pages and delete their copies."""
        with self._open() as db:
            for url in urls:
                for (file,) in db.execute("SELECT file FROM pages WHERE url = ?", (url,)).fetchall():
                    (self.folder / file).unlink(missing_ok=True)
                db.execute("DELETE FROM pages WHERE url = ?", (url,))

    def visit(self, start: str) -> Visit | None:
        """How the last visit that began at an address ended."""
        with self._open() as db:
            row = db.execute("SELECT outcome FROM visits WHERE start = ?", (start,)).fetchone()
        return None if row is None else _visit(row[0])

    def finish(self, given: str, visit: Visit) -> None:
        """Keep a visit's outcome; pages that no visit speaks of any more are dropped."""
        with self._open() as db:
            db.execute("INSERT OR REPLACE INTO visits VALUES (?,?)", (given, json.dumps(vars(visit))))
        self._drop_unspoken()

    def forget(self, within: str) -> None:
        """Forget all visits that began, and all pages that lie, at or below an address."""
        base = within.rstrip("/")
        with self._open() as db:
            starts = [start for (start,) in db.execute("SELECT start FROM visits")]
            urls = [url for (url,) in db.execute("SELECT url FROM pages")]
            gone = [start for start in starts if _is_below(start, base)]
            db.executemany("DELETE FROM visits WHERE start = ?", ((start,) for start in gone))
        self.drop([url for url in urls if _is_below(url, base)])
        self._drop_unspoken()

    def _drop_unspoken(self) -> None:
        with self._open() as db:
            spoken = {url for (o,) in db.execute("SELECT outcome FROM visits") for url in _visit(o).pages}
            urls = [url for (url,) in db.execute("SELECT url FROM pages")]
        self.drop([url for url in urls if url not in spoken])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        make_folder(self.folder)
        path = self.folder / _INDEX
        try:
            with closing(sqlite3.connect(path, timeout=30)) as db:
                db.execute("PRAGMA secure_delete = ON")
                db.executescript(_SCHEMA)
                with db:
                    yield db
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"the list of pages {path} cannot be used ({error}); delete {self.folder} and ingest again"
            ) from error


def mirror_of(web: Path, url: str) -> Mirror:
    """The mirror that an address belongs to."""
    return Mirror(web, origin_of(url))


def copy_name(url: str, suffix: str) -> str:
    """What the copy of a page is called: addresses are longer and stranger than file names may be."""
    return sha256(url.encode()).hexdigest()[:32] + suffix


def _visit(outcome: str) -> Visit:
    value = json.loads(outcome)
    value["failures"] = tuple((url, error) for url, error in value["failures"])
    return Visit(**{**value, "pages": tuple(value["pages"])})


def _is_below(url: str, base: str) -> bool:
    return url == base or url.startswith((f"{base}/", f"{base}?"))


def _write(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
