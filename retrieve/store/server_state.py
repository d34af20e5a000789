"""Which version of a collection is published: as the server knows it now, or as we last heard of it."""

from __future__ import annotations

import time
from functools import partial

from qdrant_client import AsyncQdrantClient

from retrieve.store.server_client import aretry, is_missing, retry, server_errors
from retrieve.store.server_versions import Version, Versions, version_of

FRESH_S = 1.0
"""How old the known state may be when a search begins."""


class Published:
    """The published version of a collection; None where there is none.

    Args:
        patience_s: how long a call that fails in a way that may pass is tried again.
    """

    def __init__(self, versions: Versions, patience_s: float) -> None:
        self._versions = versions
        self._patience_s = patience_s
        self.forget()

    def forget(self) -> None:
        """Ask the server next time."""
        self._known: tuple[float, Version | None] = (-FRESH_S, None)

    def now(self) -> Version | None:
        """As the server knows it now."""
        with server_errors("asking for its state"):
            return self.read()

    def read(self) -> Version | None:
        """As `now`, within a call whose errors are already told."""
        return self._learned(retry(self._versions.published, self._patience_s))

    def recent(self) -> Version | None:
        """As we last heard of it; what has replaced it since is noticed by who asks for its points."""
        return self._fresh() or self.read()

    async def arecent(self, client: AsyncQdrantClient, *, at_once: bool) -> Version | None:
        """As `recent`, by a client of the running event loop; `at_once`: as the server knows it now."""
        if not at_once and (version := self._fresh()):
            return version
        alias = self._versions.alias
        try:
            info = await aretry(partial(client.get_collection, alias), self._patience_s)
        except Exception as error:
            if is_missing(error):
                return None
            raise
        return self._learned(version_of(info, alias))

    def _fresh(self) -> Version | None:
        when, version = self._known
        return version if time.monotonic() - when < FRESH_S else None

    def _learned(self, version: Version | None) -> Version | None:
        self._known = (time.monotonic(), version)
        return version
