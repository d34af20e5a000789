"""A commit in place, written down before it begins: what a crash cuts short, the next writer finishes.

A server changes its points one request at a time. Were a commit only half done, some documents would
carry labels that the ledger knows nothing of, and nobody would ever look at them again. Redo logging
(Haerder and Reuter, 1983): carrying a commit out twice does no harm, so it is done again from the log.

The log lies in the folder of the machine that writes, with the ledger. In the server stands only that a
commit has begun, so that another machine does not believe its own ledger meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from configs.errors import StoreError
from retrieve.schema import FieldType
from retrieve.store.base import Record
from retrieve.store.files import remove, write_durably
from retrieve.store.manifest import FILE as MANIFEST

FILE = "commit.redo"


@dataclass(frozen=True)
class Redo:
    """What a commit changes in the published version, and what it publishes with it."""

    commit: str
    """Its name, which the state that it publishes carries."""
    base: tuple[str, str]
    """The version that it changes, by its name and that of the commit before."""
    side: str | None
    """Folder of the side files, complete by now."""
    embedder: str
    fields: Mapping[str, FieldType]
    records: Sequence[Record]
    documents: Sequence[str]
    """Documents whose chunks go, but for the records."""
    chunks: Sequence[str]
    """Chunks that go."""


def write_redo(folder: Path, redo: Redo) -> None:
    """Write it down, durably and whole or not at all.

    Raises:
        OSError: the disk is full.
    """
    head = {name: value for name, value in vars(redo).items() if name != "records"}
    points = [{"id": record.id, "payload": record.payload} for record in redo.records]
    text = json.dumps({**head, "records": points}).encode()
    vectors = np.asarray([record.vector for record in redo.records], dtype=np.float32)
    commit = np.frombuffer(text, np.uint8)
    write_durably(folder / FILE, lambda file: np.savez(file, commit=commit, vectors=vectors))


def read_redo(folder: Path) -> Redo | None:
    """The commit that was not finished, or None.

    Raises:
        StoreError: it cannot be read.
    """
    path = folder / FILE
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as parts:
            head: dict[str, Any] = json.loads(parts["commit"].tobytes())
            points, vectors = head.pop("records"), parts["vectors"]
        records = [Record(p["id"], p["payload"], v) for p, v in zip(points, vectors, strict=True)]
        return Redo(**head | {"base": tuple(head["base"])}, records=records)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise StoreError(
            f"{path}, a commit that was cut short, cannot be read ({error}); "
            f"delete it and {folder / MANIFEST}, and ingest again"
        ) from None


def drop_redo(folder: Path) -> None:
    """The commit is finished."""
    remove(folder / FILE)
