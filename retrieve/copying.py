"""Copying a store whole: from the embedded one to a server, and back.

The copy is built beside what the target holds and replaces it at once. The source is only read,
but for a commit that was cut short there, which is finished first.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from configs.errors import InputError, StoreError
from retrieve.schema import RESERVED_FIELDS
from retrieve.store.base import Record, Store, StoreInfo

BATCH = 512


@dataclass(frozen=True)
class Copied:
    """What was copied."""

    chunks: int
    documents: int
    ledger: bool
    """Whether the side files came along: the next ingest then finds everything unchanged."""
    seconds: float


def copy_store(
    source: Store,
    target: Store,
    *,
    replace: bool,
    wait_s: float,
    advance: Callable[[int], object] = lambda chunks: None,
) -> Copied:
    """Copy all chunks with their vectors, and the side files, and check that both stores count the same.

    Args:
        replace: whether the target's own chunks may be replaced.
        wait_s: how long to wait for another writer of the target.
        advance: told of chunks as they are written.

    Raises:
        InputError: the source is empty, or the target is not and may not be replaced.
        StoreError: one of them cannot be read or written, or the source changed meanwhile.
    """
    started = time.monotonic()
    source.recover()
    source.check()
    info = source.info()
    _check_both(info, target.info(), replace=replace)
    assert info.embedder is not None
    assert info.dimension is not None
    fields = {name: kind for name, kind in info.fields.items() if name not in RESERVED_FIELDS}
    with target.writer(
        embedder=info.embedder,
        dimension=info.dimension,
        fields=fields,
        wait_s=wait_s,
        rebuild=f"copy of {info.chunks} chunks of {info.embedder}, generation {info.generation}",
    ) as writer:
        records = source.records()
        ledger = _copy_side(source, writer.side)
        if source.info().generation != info.generation:
            raise StoreError("the source changed while the copy began; run it again")
        for batch in batches(records):
            writer.put(writer.lacking(batch))
            advance(len(batch))
        writer.commit()
    _verify(info, target.info())
    return Copied(info.chunks, info.documents, ledger, time.monotonic() - started)


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Lists of records, of a size that an engine takes well."""
    remaining = iter(records)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _check_both(source: StoreInfo, target: StoreInfo, *, replace: bool) -> None:
    if not source.chunks:
        raise InputError("the source holds nothing to copy")
    if target.chunks and not replace:
        raise InputError(
            f"the target holds {target.chunks} chunks of {target.documents} documents; "
            "--replace puts the source's in their place"
        )


def _copy_side(source: Store, folder: Path) -> bool:
    for path in folder.iterdir():  # the target's own
        path.unlink()
    names = source.side_names()
    for name in names:
        published = source.side(name)
        if published is None:
            raise StoreError("the source changed while the copy began; run it again")
        shutil.copyfile(published, folder / name)
    return bool(names)


def _verify(source: StoreInfo, target: StoreInfo) -> None:
    wanted, found = (source.chunks, source.documents), (target.chunks, target.documents)
    if wanted != found:
        raise StoreError(
            f"the target counts {found[0]} chunks of {found[1]} documents instead of "
            f"{wanted[0]} of {wanted[1]}; run it again with --replace, and see `python -m retrieve doctor`"
        )
