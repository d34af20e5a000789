"""The manifest: the one file that says what the embedded store's published state is.

Replacing it, atomically, is what publishes. It names the folders of the current generation, which
never change again: ``shard-N-*`` (Qdrant Edge's files) and ``side-N-*`` (side files). Everything
else in the store's folder is being written, or left over from a writer that died.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from configs.errors import StoreError
from retrieve.schema import RESERVED_FIELDS, FieldType
from retrieve.store.base import StoreInfo, other_embedder, same_embedder
from retrieve.store.files import sizes, write_json

FORMAT = 3
"""1: `unsettled` was not there; 2: nor was `commit`."""
FILE = "manifest.json"


class Manifest(BaseModel):
    """The published state. ``generation`` 0 is the empty store, which has no files at all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    generation: int = 0
    commit: str = ""
    """Of a store in a server: the name of the commit that published this state."""
    shard: str | None = None
    shard_files: Mapping[str, int] = Field(default_factory=dict)
    """Sizes of the shard's files: a missing or truncated one is noticed before Edge maps it."""
    side: str | None = None
    embedder: str | None = None
    dimension: int | None = None
    fields: Mapping[str, FieldType] = Field(default_factory=dict)
    """The user's fields only."""
    chunks: int = 0
    documents: int = 0
    unsettled: int = 0
    """How many chunks were written or deleted since the index was complete and compact."""

    def embedder_for(self, name: str, dimension: int) -> str:
        """The embedder's name as it is remembered, for a writer that calls it so.

        Raises:
            StoreError: the vectors are another embedder's.
        """
        if self.embedder is None or not same_embedder(self.embedder, name) or self.dimension != dimension:
            raise other_embedder(self.embedder, name)
        return self.embedder

    def info(self) -> StoreInfo:
        """What people and other packages are told of it."""
        return StoreInfo(
            chunks=self.chunks,
            documents=self.documents,
            embedder=self.embedder,
            dimension=self.dimension,
            fields={**self.fields, **RESERVED_FIELDS},
            generation=str(self.generation),
            settled=not self.unsettled,
        )


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a store's folder.

    Raises:
        StoreError: it cannot be read, or a newer Draftline wrote it.
    """
    path = folder / FILE
    try:
        return parse_manifest(json.loads(path.read_text(encoding="utf-8")), str(path))
    except FileNotFoundError:
        return Manifest()
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise damaged(folder, f"{path.name}: {reason}") from error


def parse_manifest(data: Any, where: str) -> Manifest:
    """A manifest from its JSON.

    Raises:
        StoreError: a newer Draftline wrote it. ValueError: it is no manifest.
    """
    if not isinstance(data, Mapping):
        raise ValueError("not an object")
    version = data.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise StoreError(
            f"{where} has format {version}, this Draftline reads up to {FORMAT}: upgrade Draftline"
        )
    return Manifest.model_validate({**data, "format": FORMAT})


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Publish: the manifest's folders must be complete and durable by now."""
    write_json(folder / FILE, manifest.model_dump())


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raise StoreError when a published file is missing or, in the shard, has another size."""
    if manifest.side is not None and not (folder / manifest.side).is_dir():
        raise damaged(folder, f"{manifest.side} is missing")
    if manifest.shard is None:
        return
    found = sizes(folder / manifest.shard)
    for name, size in manifest.shard_files.items():
        if found.get(name) != size:
            state = "is missing" if name not in found else f"has {found[name]} bytes instead of {size}"
            raise damaged(folder, f"{manifest.shard}/{name} {state}")


def damaged(folder: Path, what: str) -> StoreError:
    """The error for a store that cannot be used any more."""
    return StoreError(
        f"the store in {folder} is damaged ({what}); `python -m retrieve doctor` tells what is lost and "
        "mends it, or delete that folder and ingest again"
    )
