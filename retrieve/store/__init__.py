"""Where chunks live and are searched: embedded (Qdrant Edge) or in a Qdrant server."""

from __future__ import annotations

from configs.settings import Settings
from retrieve.store.base import Store


def open_store(settings: Settings) -> Store:
    """The store that the settings name; cheap, and nothing is created before something is written."""
    from retrieve.store.edge import EdgeStore

    return EdgeStore(settings.home / "store")
