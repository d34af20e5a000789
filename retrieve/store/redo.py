"""A commit in place, written down before it begins: what a crash cuts short, the next writer finishes.

A server changes its points one request at a time. Were a commit only half done, some documents would
carry labels that the ledger knows nothing of, and nobody would ever look at them again. Redo logging
(Haerder and Reuter, 1983): carrying a commit out twice does no harm, so it is done again from the log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from configs.errors import StoreError
from retrieve.schema import FieldType
from retrieve.store.base import Record
from retrieve.store.files import remove, write_durably

FILE = "commit.redo"


@dataclass(frozen=True)
class Redo:
    """What a commit changes in the published version, and what it publishes with it."""

    commit: str
    """Its name; the version that it was published in carries it."""
    generation: int
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
        with np.load(path, allow_pickle=False) as parts:
            head: dict[str, Any] = json.loads(parts["commit"].tobytes())
            vectors = parts["vectors"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"{path}, a commit that was not finished, cannot be read ({error}); delete it and run "
            "python -m ingest reembed, or delete the collection and ingest again"
        ) from None
    points = head.pop("records")
    records = [
        Record(point["id"], point["payload"], vector) for point, vector in zip(points, vectors, strict=True)
    ]
    return Redo(**head, records=records)


def drop_redo(folder: Path) -> None:
    """The commit is finished."""
    remove(folder / FILE)
