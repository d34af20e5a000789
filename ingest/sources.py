"""What can be ingested and what was found: sources, failures, scopes, listings."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from configs.folders import expanded
from ingest.globs import compile_glob
from ingest.web.urls import page_file

Key = tuple[str, str]
"""Root and path of a document: what identifies it."""


@dataclass(frozen=True)
class Stamp:
    """What tells, without reading a file, that it has not changed."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True)
class Source:
    """A file to ingest."""

    root: str
    """Absolute path of the folder that `path` is relative to; of a page, its origin (``https://host``)."""
    path: str
    """With forward slashes."""
    stamp: Stamp
    location: str | None = None
    """Absolute path of the file with its bytes, where that is not `path` below `root`."""
    url: str | None = None
    """Of a page: the address it was fetched from."""

    @property
    def key(self) -> Key:
        return (self.root, self.path)

    @property
    def file(self) -> Path:
        """The file with its bytes; its suffix says what kind they are of."""
        return Path(self.location) if self.location else Path(self.root, self.path)

    @property
    def file_name(self) -> str:
        """What a copy is called below a folder of copies; with forward slashes."""
        return page_file(self.path, self.file.suffix) if self.url else self.path


@dataclass(frozen=True)
class Failure:
    """A file or path that could not be ingested, and why, in one line."""

    path: str
    error: str


@dataclass(frozen=True)
class Scope:
    """One path argument: a file, a folder, the part of a folder that a glob names, a page or a site."""

    base: str
    """Absolute path or URL, without a slash at its end: the folder, or the file itself."""
    pattern: str | None = None
    is_file: bool = False
    root: str | None = None
    """The root that the person asked for."""

    def covers(self, file: str) -> bool:
        """Whether an absolute path lies in this scope, be the file there or not."""
        if self.is_file:
            return file == self.base
        if not is_within(file, self.base):
            return False
        return self.pattern is None or bool(compile_glob(self.pattern).fullmatch(relative(file, self.base)))


@dataclass
class Listing:
    """What was found."""

    scopes: list[Scope] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Absolute paths that are there but could not be read: what is known of them is kept."""
    apart: list[str] = field(default_factory=list)
    """Absolute paths inside the scopes that the paths given do not speak of."""
    roots: list[str] = field(default_factory=list)
    """Folders that were given whole, so that later paths inside them belong to them."""
    missing: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Files of a kind that nobody here can convert, counted by suffix."""

    def covers(self, file: str) -> bool:
        """Whether an absolute path is one that the paths given speak of, be the file there or not."""
        spoken = file in self._named or any(scope.covers(file) for scope in self._wide)
        return spoken and file not in self._others

    def is_unread(self, file: str) -> bool:
        """Whether a file, or a folder that it is in, is there but could not be read."""
        return file in self._closed or any(file[:i] in self._closed for i, c in enumerate(file) if c == "/")

    @cached_property
    def _named(self) -> frozenset[str]:
        return frozenset(scope.base for scope in self.scopes if scope.is_file)

    @cached_property
    def _wide(self) -> tuple[Scope, ...]:
        return tuple(scope for scope in self.scopes if not scope.is_file)

    @cached_property
    def _others(self) -> frozenset[str]:
        return frozenset(self.apart)

    @cached_property
    def _closed(self) -> frozenset[str]:
        return frozenset(self.unread)


def is_within(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or lies below it (both absolute, without a look at the disk)."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def relative(path: str, folder: str) -> str:
    """``path`` below ``folder``, with forward slashes."""
    return path[len(folder.rstrip("/")) + 1 :]


def absolute(path: str | Path) -> Path:
    """Absolute and without ``..``, symbolic links kept: a link that moves to a new release stays one root."""
    return Path(os.path.abspath(expanded(path)))  # noqa: PTH100 - Path.resolve follows links


def display(path: str) -> str:
    """A path that can be printed and stored even where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")
