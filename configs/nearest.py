"""Which known name somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CLOSE = 0.7
"""How alike two names must be, from 0 to 1: an error that suggests what nobody meant helps nobody."""
PART = 4
"""Letters of a name that are enough to mean the longer one: ``tokens`` for ``max_tokens``."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one; None when none is like it."""
    plain = _plain(name)
    spelled = {_plain(other): other for other in known}
    if plain in spelled:
        return spelled[plain]
    close = difflib.get_close_matches(plain, spelled, n=1, cutoff=CLOSE)
    holding = [other for other in spelled if len(plain) >= PART and plain in other]
    found = close[0] if close else min(holding, key=len, default=None)
    return spelled[found] if found is not None else None


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
