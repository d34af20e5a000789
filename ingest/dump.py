"""What the store holds, as files again: documents with their metadata as markdown, JSON lines or Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from configs.errors import InputError, StoreError
from ingest.front_matter import dump_front_matter
from ingest.ledger import Ledger
from ingest.sources import is_within
from ingest.web.urls import is_url, page_file
from ingest.writing import free_name, replacing, target_names, write_below
from retrieve.filters import Filter, MatchAny
from retrieve.schema import RESERVED, Metadata
from retrieve.store.base import Store

FORMATS = ("markdown", "jsonl", "parquet")
BATCH = 64
"""Documents that are in memory at a time."""
NAMES = {"jsonl": "documents.jsonl", "parquet": "documents.parquet"}


@dataclass(frozen=True)
class Stored:
    """A document as its chunks tell it."""

    root: str
    path: str
    body: str
    metadata: Metadata
    """The user's fields."""
    ours: Mapping[str, Any]
    """What Draftline keeps of it (see `retrieve.schema`), without what is a chunk's own."""


def dump(store: Store, out: Path, form: str, advance: Callable[[str], object] = lambda path: None) -> int:
    """Write all documents of the store into the folder ``out``; returns how many.

    Args:
        form: ``markdown`` (a file a document, as `--convert-only` writes it; with several roots, a folder
            a root), ``jsonl`` or ``parquet`` (one file of all).
        advance: told the path of each document.

    Raises:
        InputError: ``out`` cannot be written to. StoreError: the store cannot be read.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: not a folder")
    write = {"markdown": _markdown, "jsonl": _jsonl, "parquet": _parquet}[form]
    return write(store, out, advance)


def refuse_among_originals(out: Path, form: str, ledger: Ledger) -> None:
    """See that nothing is written where it would take an original's place, or be ingested itself.

    Raises:
        InputError: ``out`` lies in a folder that was ingested, or would have its files beside originals.
    """
    folder = str(out)
    for root in sorted({*ledger.roots, *(root for root, _ in ledger.documents)}):
        inside = is_within(folder, root) if root in ledger.roots else folder == root
        if inside or (form == "markdown" and is_within(root, folder)):
            raise InputError(f"--out {out}: {root} was ingested; name a folder apart from it")


def documents(store: Store) -> Iterator[Stored]:
    """All documents, whole, in the order of their roots and paths."""
    found = sorted((root, path, id) for (root, path), id in _keys(store).items())
    remaining = iter(found)
    while batch := list(islice(remaining, BATCH)):
        chunks: dict[str, list[Mapping[str, Any]]] = {id: [] for _, _, id in batch}
        where = Filter(must=(MatchAny("_dl.document_id", tuple(sorted(chunks))),))
        for record in store.records(where):
            chunks[record.payload[RESERVED]["document_id"]].append(record.payload)
        for root, path, id in batch:
            if not chunks[id]:
                raise StoreError("the store changed meanwhile; run it again")
            yield _whole(root, path, chunks[id])


def _keys(store: Store) -> dict[tuple[str, str], str]:
    ours = (payload[RESERVED] for payload in store.scroll())
    return {(one["root"], one["document"]): one["document_id"] for one in ours}


def _whole(root: str, path: str, payloads: Sequence[Mapping[str, Any]]) -> Stored:
    parts: list[str] = []
    end = 0
    for payload in sorted(payloads, key=lambda payload: int(payload[RESERVED]["ordinal"])):
        ours = payload[RESERVED]
        parts += [ours["gap"], ours["text"][max(0, end - ours["start"]) :]]
        end = ours["end"]
    first = payloads[0]
    metadata = {name: value for name, value in first.items() if name != RESERVED}
    kept = ("type", "hash", "modified", "tenant", "access", "words", "origins")
    ours = {name: first[RESERVED].get(name) for name in kept}
    return Stored(root, path, "".join(parts).rstrip() + "\n", metadata, ours)


def _markdown(store: Store, out: Path, advance: Callable[[str], object]) -> int:
    keys = sorted(_keys(store))
    folders = _folders({root for root, _ in keys})
    names = _names(keys, folders)
    targets = target_names(names.values())
    moments = {name for name, kind in store.info().fields.items() if kind == "datetime"}
    for document in documents(store):
        target = targets[names[document.root, document.path]]
        write_below(out, target, dump_front_matter(_moments(document.metadata, moments), document.body))
        advance(document.path)
    return len(keys)


def _moments(metadata: Metadata, fields: set[str]) -> Metadata:
    """Metadata as converters give it: a payload holds moments as ISO 8601 text."""
    return {name: _moment(value) if name in fields else value for name, value in metadata.items()}


def _moment(value: Any) -> Any:
    if isinstance(value, list):
        return [_moment(item) for item in value]
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):  # stored before the field was declared as one of moments
        return value


def _names(keys: Sequence[tuple[str, str]], folders: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """A relative file name for each document, by (root, path); pages become files of safe names."""
    names: dict[tuple[str, str], str] = {}
    used = set[str]()
    for root, path in keys:
        inside = page_file(path, ".html") if is_url(root) else path
        names[root, path] = free_name(str(PurePosixPath(folders[root], inside)), used)
    return names


def _folders(roots: set[str]) -> dict[str, str]:
    """A folder's name for each root: none where there is one, else its last part, made unique."""
    if len(roots) == 1:
        return dict.fromkeys(roots, "")
    names: dict[str, str] = {}
    for root in sorted(roots):
        name = PurePosixPath(root).name or "root"
        taken = sum(other == name or other.startswith(f"{name}-") for other in names.values())
        names[root] = f"{name}-{taken + 1}" if taken else name
    return names


def _jsonl(store: Store, out: Path, advance: Callable[[str], object]) -> int:
    count = 0
    with replacing(out / NAMES["jsonl"]) as path, path.open("w", encoding="utf-8") as file:
        for document in documents(store):
            count += 1
            file.write(json.dumps(_record(document), ensure_ascii=False) + "\n")
            advance(document.path)
    return count


def _parquet(store: Store, out: Path, advance: Callable[[str], object]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.string()
    columns = {
        **dict.fromkeys(("root", "document", "text", "metadata", "type", "hash", "modified", "tenant"), text),
        "access": pa.list_(text),
        "words": pa.int64(),
        "origins": text,
    }
    schema, count = pa.schema(list(columns.items())), 0
    with replacing(out / NAMES["parquet"]) as path, pq.ParquetWriter(path, schema) as writer:
        remaining = documents(store)
        while batch := list(islice(remaining, BATCH)):
            rows = [_record(document) for document in batch]
            for row in rows:
                row.update(metadata=json.dumps(row["metadata"]), origins=json.dumps(row["origins"]))
                advance(row["document"])
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            count += len(rows)
    return count


def _record(document: Stored) -> dict[str, Any]:
    return {
        "root": document.root,
        "document": document.path,
        "text": document.body,
        "metadata": document.metadata,
        **document.ours,
    }
