"""Where chunks live and are searched: embedded (Qdrant Edge) or in a Qdrant server."""

from __future__ import annotations

from configs.settings import Settings
from retrieve.store.base import Store


def open_store(settings: Settings) -> Store:
    """The store that the settings name; cheap, and nothing is created before something is written."""
    if settings.store.kind == "server":
        from retrieve.store.server import ServerStore
        from retrieve.store.server_client import connect

        name = settings.store.collection
        return ServerStore(connect(settings), name, settings.home / "server" / name)
    from retrieve.store.edge import EdgeStore

    return EdgeStore(settings.home / "store")
