"""The store in a Qdrant server examined: server, collection, indexes, nodes, and this machine's files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from qdrant_client import QdrantClient, models

from configs.errors import StoreError
from configs.settings import Settings
from retrieve.doctor.finding import Finding, embedder_findings, from_error
from retrieve.fields import field_path
from retrieve.schema import RESERVED_FIELDS
from retrieve.store import redo
from retrieve.store.lock import lock_if_there
from retrieve.store.manifest import read_manifest
from retrieve.store.server import ServerStore
from retrieve.store.server_client import server_errors
from retrieve.store.server_versions import SCHEMA_TYPES, Layout, Version, Versions
from retrieve.store.server_writer import owner

OLDEST = (1, 16)
"""Older servers keep no metadata of collections, where the state of a version lies."""


class ServerDoctor:
    """Examines the store in a server; ``folder`` is this machine's part of it."""

    def __init__(self, client: QdrantClient, folder: Path, settings: Settings) -> None:
        self._client = client
        self._folder = folder
        self._settings = settings
        self._versions = Versions(client, settings.store.collection, Layout.of(settings.store))

    def examine(self) -> list[Finding]:
        """Everything that was looked at, problems or not."""
        try:
            with server_errors("examining it"):
                return self._examine()
        except StoreError as error:
            return [from_error("server", error)]

    def _examine(self) -> list[Finding]:
        found = [self._server()]
        published = self._versions.published()
        found += self._leftovers()
        if published is None:
            empty = f"there is no collection {self._versions.alias!r}: the store is empty"
            return [*found, Finding("collection", "note", empty, "fill it with: python -m ingest PATH...")]
        info = self._client.get_collection(published.name)
        found += [
            self._collection(published),
            self._counts(published),
            self._fields(published, info),
            self._state(info),
            *self._nodes(published),
            self._ledger(published),
        ]
        return found + embedder_findings(published.manifest.embedder, self._settings)

    def _server(self) -> Finding:
        version = self._client.info().version
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        message = f"Qdrant {version} answers at {self._settings.store.url}"
        if numbers and numbers < OLDEST:
            return Finding(
                "server", "problem", message, f"upgrade it to {'.'.join(map(str, OLDEST))} or later"
            )
        return Finding("server", "ok", message)

    def _collection(self, published: Version) -> Finding:
        manifest, alias = published.manifest, self._versions.alias
        message = (
            f"{alias} -> {published.name}, generation {manifest.generation}: "
            f"{manifest.chunks:,} chunks of {manifest.documents:,} documents"
        )
        if published.name == alias:
            message += "; made before there were versions, so replacing it shows no store for a moment"
            return Finding("collection", "note", message)
        return Finding("collection", "ok", message)

    def _counts(self, published: Version) -> Finding:
        count = self._client.count(published.name, exact=True).count
        if count == published.manifest.chunks:
            return Finding("chunks", "ok", f"the server counts {count:,}, too")
        message = f"the server counts {count:,} chunks, and {published.manifest.chunks:,} were published"
        advice = "an ingest died or is running; run it again, and it mends this"
        return Finding("chunks", "problem", message, advice)

    def _fields(self, published: Version, info: models.CollectionInfo) -> Finding:
        fields = {**published.manifest.fields, **RESERVED_FIELDS}
        known = {
            name: kind
            for name, kind in fields.items()
            if (index := info.payload_schema.get(field_path(name))) is not None
            and index.data_type == SCHEMA_TYPES[kind]
        }
        missing = [name for name in fields if name not in known]
        if not missing:
            return Finding("fields", "ok", f"all {len(fields)} are indexed")
        message = f"not indexed: {', '.join(missing)}; filters on them are slow, or refused in strict mode"
        repair = partial(self._reindex, published, set(missing))
        return Finding("fields", "problem", message, "--repair indexes them", repair)

    def _reindex(self, published: Version, missing: set[str]) -> str:
        fields = published.manifest.fields
        known = {n: k for n, k in {**fields, **RESERVED_FIELDS}.items() if n not in missing}
        with server_errors("indexing fields"):
            made = self._versions.index(published.name, fields, known)
        return f"indexed: {', '.join(made)}"

    def _state(self, info: models.CollectionInfo) -> Finding:
        indexed, points = info.indexed_vectors_count or 0, info.points_count or 0
        message = f"{info.status.value}; {indexed:,} vectors in the index, {points:,} chunks"
        if (
            info.status == models.CollectionStatus.RED
            or info.optimizer_status != models.OptimizersStatusOneOf.OK
        ):
            advice = "an operation failed in the server and was not recovered; see its logs"
            return Finding("index", "problem", f"{message}; {info.optimizer_status}", advice)
        return Finding("index", "ok", message)

    def _nodes(self, published: Version) -> list[Finding]:
        try:
            cluster = self._client.collection_cluster_info(published.name)
        except NotImplementedError:  # qdrant-client's in-memory mode has no nodes
            return []
        states = [(shard.shard_id, cluster.peer_id, shard.state) for shard in cluster.local_shards]
        states += [(shard.shard_id, shard.peer_id, shard.state) for shard in cluster.remote_shards]
        active = {shard for shard, _, state in states if state == models.ReplicaState.ACTIVE}
        lame = [(shard, peer, state) for shard, peer, state in states if state != models.ReplicaState.ACTIVE]
        if lame:
            message = "; ".join(
                f"shard {shard} on node {peer} is {state.value}" for shard, peer, state in lame
            )
            advice = "other copies answer in their place; see the logs of these nodes"
            if not {shard for shard, _, _ in lame} <= active:
                advice = (
                    "bring the nodes back, or restore their shards from a snapshot; searches fail until then"
                )
            return [Finding("nodes", "problem", message, advice)]
        peers = len({peer for _, peer, _ in states})
        return [Finding("nodes", "ok", f"{cluster.shard_count} shards on {peers} nodes, all active")]

    def _ledger(self, published: Version) -> Finding:
        local, state = read_manifest(self._folder), published.manifest
        advice = "ingest where it was done last; an ingest here reads and embeds all files again"
        if published.pending and not (self._folder / redo.FILE).exists():
            message = "another machine is writing, or has died over it: no ledger but its own is believed"
            return Finding("ledger", "note", message, advice)
        if (local.generation, local.commit) == (state.generation, state.commit):
            return Finding("ledger", "ok", "this machine was the last to write")
        message = "another machine was the last to write, so this one does not know what is up to date"
        return Finding("ledger", "note", message, advice)

    def _leftovers(self) -> list[Finding]:
        try:
            with lock_if_there(self._folder):
                return self._unfinished() + (self._unused() or [Finding("leftovers", "ok", "none")])
        except StoreError as error:
            return [Finding("leftovers", "note", f"not looked for: {error}")]

    def _unfinished(self) -> list[Finding]:
        if not (self._folder / redo.FILE).exists():
            return []
        message = (
            "a writer died in the middle of a commit: some documents are as it wanted them, some are not"
        )
        advice = "--repair finishes it, and so does the next ingest"
        return [Finding("commit", "problem", message, advice, self._finish)]

    def _finish(self) -> str:
        chosen = self._settings.store
        layout, patience_s = Layout.of(chosen), chosen.timeout_s
        store = ServerStore(
            self._client, self._versions.alias, self._folder, layout=layout, patience_s=patience_s
        )
        store.recover()
        if (self._folder / redo.FILE).exists():
            raise StoreError("an ingest is at work in this folder; it finishes its own commit")
        return f"finished; {store.info().chunks:,} chunks are published"

    def _unused(self) -> list[Finding]:
        found, ours = [], f"{owner(self._folder) or 'nobody'} "
        for version in self._versions.others():
            if version.build and not version.build.startswith(ours):
                what = version.build.partition(" ")[2]
                message = f"{version.name} is being built elsewhere ({what}), or was when that died"
                advice = "if nothing runs there any more, delete the collection in the server"
                found.append(Finding("leftovers", "note", message, advice))
                continue
            message = f"{version.name} is no longer used, or its building was interrupted"
            if version.build:
                message += (
                    f" ({version.build.removeprefix(ours)}); running that again goes on where it stopped"
                )
            repair = self._dropping(version)
            found.append(Finding("leftovers", "problem", message, "--repair deletes it", repair))
        return found

    def _dropping(self, unused: Version) -> Callable[[], str]:
        def repair() -> str:
            with lock_if_there(self._folder), server_errors("deleting a collection"):
                if unused not in self._versions.others():
                    return f"{unused.name} is in use by now, or gone; left as it is"
                self._versions.drop(unused.name)
            return f"{unused.name} deleted"

        return repair
