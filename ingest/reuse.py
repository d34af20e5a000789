"""Vectors that the store has already: an edited document embeds what changed, a moved one nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np

from retrieve.filters import Filter, MatchAny
from retrieve.store.base import Store, Vector

KEPT = 20_000
"""Vectors kept beside those of the documents at hand: 30 MB of 384 components."""


class StoredVectors:
    """Vectors of the texts of documents that are about to be replaced.

    They are read from what is published, so they are there until the commit that replaces them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: list[str] = []
        self._vectors: dict[bytes, Vector] = {}

    def expect(self, documents: Iterable[str]) -> None:
        """Remember to look into these documents (by `Document.id`) for texts to come."""
        if len(self._vectors) > KEPT:
            self._vectors = {}
        self._pending += documents

    @property
    def expects(self) -> bool:
        """Whether the next `find` looks into the store."""
        return bool(self._pending)

    def find(self, texts: Sequence[str]) -> list[Vector | None]:
        """The stored vector, shape (dim,), of each text as it is embedded; None where there is none."""
        if self._pending:
            where = Filter(must=(MatchAny("_dl.document_id", tuple(sorted(set(self._pending)))),))
            for record in self._store.records(where):
                self._vectors[_digest(record.embedding_text())] = np.array(record.vector, dtype=np.float32)
            self._pending = []
        return [self._vectors.get(_digest(text)) for text in texts] if self._vectors else [None] * len(texts)


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()
