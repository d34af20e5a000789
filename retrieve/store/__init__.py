"""Where chunks live and are searched: embedded (Qdrant Edge) or in a Qdrant server."""

from __future__ import annotations

from functools import partial
from typing import Literal

from configs.settings import Settings
from retrieve.store.base import Store


def open_store(settings: Settings, kind: Literal["edge", "server"] | None = None) -> Store:
    """The store that the settings name; cheap, and nothing is created before something is written.

    Args:
        kind: the embedded one, or that in a server; None takes ``store.kind``.
    """
    if (kind or settings.store.kind) == "server":
        from retrieve.store.server import ServerStore
        from retrieve.store.server_client import connect, connect_async
        from retrieve.store.server_versions import Layout

        name = settings.store.collection
        return ServerStore(
            connect(settings),
            name,
            settings.home / "server" / name,
            layout=Layout.of(settings.store),
            patience_s=settings.store.timeout_s,
            connect_async=partial(connect_async, settings),
        )
    from retrieve.store.edge import EdgeStore

    return EdgeStore(settings.home / "store")
