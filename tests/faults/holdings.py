"""What a store holds, checked against its ledger and a fresh conversion."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from configs.settings import load_settings
from ingest.chunk import ChunkBudget, chunk_body
from ingest.convert.base import load_converter
from ingest.convert.kinds import kind_of
from ingest.ledger import read_ledger
from retrieve.embed import load_tokenizer, max_tokens
from retrieve.store import open_store
from retrieve.store.base import Store

Piece = tuple[int, int, int, str, tuple[str, ...]]
"""Ordinal, start, end, text and section of a chunk."""


class Versions:
    """Every content that any file ever had, by its hash."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def look(self, folder: Path) -> dict[str, str]:
        """Remember all files below the folder; their hashes by relative path."""
        found = {}
        for path in folder.rglob("*.*"):
            data = path.read_bytes()
            found[path.relative_to(folder).as_posix()] = digest = hashlib.sha256(data).hexdigest()
            self._contents[digest] = data
        return found

    def pieces(self, path: str, digest: str) -> list[Piece]:
        """The chunks that a fresh conversion of this content has."""
        return _pieces(self._contents[digest], kind_of(path) or "")


@cache
def _pieces(data: bytes, kind: str) -> list[Piece]:
    settings = load_settings()
    budget = ChunkBudget(settings.ingest.chunk_tokens, settings.ingest.chunk_overlap, max_tokens(settings))
    body = load_converter(kind, settings.ingest).convert(data, f".{kind}").body
    spans = chunk_body(body, kind, budget, load_tokenizer(settings))
    return [(n, s.start, s.end, body[s.start : s.end], s.section) for n, s in enumerate(spans)]


def store_in(home: Path) -> Store:
    return open_store(load_settings().model_copy(update={"home": home}))


def payloads_in(home: Path) -> list[dict[str, Any]]:
    return sorted(store_in(home).scroll(), key=lambda payload: str(payload["id"]))


def held(home: Path, versions: Versions) -> dict[str, str]:
    """Which content the store holds of each document, after checking that it holds all of it, once."""
    store, payloads = store_in(home), payloads_in(home)
    assert max(Counter(payload["id"] for payload in payloads).values(), default=1) == 1
    documents: dict[str, set[str]] = {}
    pieces: dict[str, list[Piece]] = {}
    for payload in payloads:
        ours = payload["_dl"]
        documents.setdefault(ours["document"], set()).add(ours["hash"])
        piece = (ours["ordinal"], ours["start"], ours["end"], ours["text"], tuple(ours["section"]))
        pieces.setdefault(ours["document"], []).append(piece)
    found = {}
    for path, digests in documents.items():
        (found[path],) = digests
        assert sorted(pieces[path]) == versions.pieces(path, found[path]), path
    entries = read_ledger(store).documents.values()
    assert {entry.key[1]: entry.hash for entry in entries} == found
    assert {entry.key[1]: entry.chunks for entry in entries} == {p: len(all) for p, all in pieces.items()}
    info = store.info()
    assert (info.chunks, info.documents) == (len(payloads), len(found))
    return found


def data_below(home: Path) -> bytes:
    """The bytes of every file that stays under a home, and their names; holes are left out."""
    parts = []
    for path in sorted(home.rglob("*")):
        parts.append(os.fsencode(path))
        if path.is_file():
            parts += _data_of(path)
    return b"\0".join(parts)


def _data_of(path: Path) -> list[bytes]:
    runs, position = [], 0
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while position < size:
            try:
                start = os.lseek(file.fileno(), position, os.SEEK_DATA)
            except OSError:  # only a hole is left
                break
            position = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            runs.append(os.pread(file.fileno(), position - start, start))
    return runs
