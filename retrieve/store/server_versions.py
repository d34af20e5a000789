"""Which collection is the store: numbered versions behind an alias, each carrying its own state.

The alias (``store.collection``) is what people name: ``draftline`` -> ``draftline-v3``. Ingest changes
the version behind it; whatever replaces everything fills the next one and moves the alias, so that
readers go from the whole old state to the whole new one. The published state lies in the metadata of
the collection that it describes, so the two can never be apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from qdrant_client import QdrantClient, models

from configs.errors import StoreError
from configs.sections import StoreSettings
from retrieve.fields import field_path
from retrieve.schema import RESERVED_FIELDS, FieldType
from retrieve.store.manifest import Manifest, parse_manifest
from retrieve.store.server_client import is_missing

DENSE, SPARSE = "dense", "bm25"
META = "draftline"
"""Key of a collection's metadata under which its state is kept."""
BUILD = "draftline-build"
"""Key of its metadata that says what is being built in it, and for which store folder."""
PENDING = "draftline-pending"
"""Key of its metadata that names a commit that has begun since it was published."""
TENANT = "_dl.tenant"

SCHEMA_TYPES: Mapping[FieldType, models.PayloadSchemaType] = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "integer": models.PayloadSchemaType.INTEGER,
    "float": models.PayloadSchemaType.FLOAT,
    "bool": models.PayloadSchemaType.BOOL,
    "datetime": models.PayloadSchemaType.DATETIME,
}


@dataclass(frozen=True)
class Layout:
    """How new versions lie in the server; see the settings ``store.*``."""

    quantization: Literal["off", "int8", "binary"] = "off"
    on_disk: bool = False
    shards: int | None = None
    replicas: int = 1
    write_consistency: int = 1
    write_ordering: Literal["weak", "medium", "strong"] = "medium"

    @classmethod
    def of(cls, settings: StoreSettings) -> Layout:
        """The layout that the settings name."""
        return cls(
            settings.quantization,
            settings.on_disk,
            settings.shards,
            settings.replicas,
            settings.write_consistency,
            settings.write_ordering,
        )

    def quantization_config(self) -> models.QuantizationConfig | None:
        if self.quantization == "int8":
            scalar = models.ScalarQuantizationConfig(
                type=models.ScalarType.INT8, quantile=0.99, always_ram=True
            )
            return models.ScalarQuantization(scalar=scalar)
        if self.quantization == "binary":
            return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
        return None


@dataclass(frozen=True)
class Version:
    """A collection of ours."""

    name: str
    manifest: Manifest
    build: str
    """What is being built in it and by whom; empty once it was published."""
    pending: str = ""
    """The commit that has begun to change it in place; empty when that is published."""
    unindexed: frozenset[str] = frozenset()
    """Fields of ours that have no index: an older Draftline made it, which did not have them."""


class Versions:
    """The collections behind one alias."""

    def __init__(self, client: QdrantClient, alias: str, layout: Layout) -> None:
        self._client = client
        self.alias = alias
        self._layout = layout

    def published(self) -> Version | None:
        """The version that the alias names; None: there is none.

        Raises:
            StoreError: it was not made by Draftline, or by a newer one.
        """
        return self.read(self.alias)

    def read(self, name: str) -> Version | None:
        """A collection by its name or alias; errors as of `published`."""
        try:
            info = self._client.get_collection(name)
        except Exception as error:
            if is_missing(error):
                return None
            raise
        return version_of(info, name)

    def others(self) -> list[Version]:
        """Versions that the alias does not name: being built, or left by a writer that died."""
        named = {item.collection_name for item in self._client.get_aliases().aliases}
        found = [self.read(name) for _, name in self._numbered() if name not in named]
        return [version for version in found if version is not None and version.manifest.shard is not None]

    def create(self, dimension: int, build: str) -> str:
        """A new, empty version, which nobody sees yet; its name."""
        last = max((number for number, _ in self._numbered()), default=0)
        name, layout = f"{self.alias}-v{last + 1}", self._layout
        self._client.create_collection(
            name,
            vectors_config={
                DENSE: models.VectorParams(
                    size=dimension, distance=models.Distance.COSINE, on_disk=layout.on_disk
                )
            },
            sparse_vectors_config={
                SPARSE: models.SparseVectorParams(
                    modifier=models.Modifier.IDF, index=models.SparseIndexParams(on_disk=layout.on_disk)
                )
            },
            shard_number=layout.shards,
            replication_factor=layout.replicas,
            write_consistency_factor=layout.write_consistency,
            on_disk_payload=layout.on_disk,
            quantization_config=layout.quantization_config(),
            metadata={META: Manifest(shard=name).model_dump(), BUILD: build},
        )
        return name

    def index(self, name: str, fields: Mapping[str, FieldType], known: Mapping[str, FieldType]) -> list[str]:
        """Index fields that are not known, or known with another type; which they were."""
        made = []
        for field, kind in {**fields, **RESERVED_FIELDS}.items():
            if known.get(field) == kind:
                continue
            path = field_path(field)
            if field in known:
                self._client.delete_payload_index(name, path, wait=True)
            self._client.create_payload_index(name, path, _schema(field, kind), wait=True)
            made.append(field)
        return made

    def announce(self, name: str, commit: str) -> None:
        """Say that a commit begins to change a published version."""
        self._client.update_collection(name, metadata={PENDING: commit})

    def publish(self, name: str, manifest: Manifest) -> None:
        """Write a version's state into it."""
        state = manifest.model_copy(update={"shard": name, "side": None})
        self._client.update_collection(name, metadata={META: state.model_dump(), BUILD: "", PENDING: ""})

    def switch(self, name: str) -> None:
        """Let the alias name another version, for all readers at once, and drop the one before."""
        before = self.published()
        operations: list[Any] = [
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=name, alias_name=self.alias)
            )
        ]
        if before is not None and before.name == self.alias:
            # From before there were versions: a collection has the alias's name, and must go first.
            self._client.delete_collection(before.name)
        elif before is not None:
            gone = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self.alias))
            operations.insert(0, gone)
        self._client.update_collection_aliases(operations)
        if before is not None and before.name != self.alias:
            self._client.delete_collection(before.name)

    def drop(self, name: str) -> None:
        """Delete a version."""
        self._client.delete_collection(name)

    def _numbered(self) -> list[tuple[int, str]]:
        pattern = re.compile(re.escape(self.alias) + r"-v([0-9]+)")
        names = (item.name for item in self._client.get_collections().collections)
        return sorted((int(match[1]), match[0]) for match in map(pattern.fullmatch, names) if match)


def version_of(info: models.CollectionInfo, name: str) -> Version:
    """A version from what the server tells; errors as of `Versions.published`."""
    metadata = info.config.metadata or {}
    if META not in metadata:
        raise StoreError(
            f"the collection {name!r} was not made by Draftline; name another with store.collection"
        )
    try:
        manifest = parse_manifest(metadata[META], f"the collection {name!r}")
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise StoreError(
            f"the metadata of the collection {name!r} is damaged ({reason}); delete it and ingest again"
        ) from error
    unindexed = frozenset(name for name in RESERVED_FIELDS if field_path(name) not in info.payload_schema)
    build, pending = (str(metadata.get(key) or "") for key in (BUILD, PENDING))
    return Version(manifest.shard or name, manifest, build, pending, unindexed)


def _schema(field: str, kind: FieldType) -> Any:
    if field == TENANT:
        return models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
    return SCHEMA_TYPES[kind]
