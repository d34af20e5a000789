"""Memory that models use again and again stays with the process.

glibc gives large freed blocks back to the system at once, and every page of the next tensor is then a page
fault and zeroed again: a seventh of the time of embedding a folder.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""
_KEPT = 512 << 20
"""Bytes that may be free at the top of the heap before any are given back."""
_LARGEST = 32 << 20
"""Smaller blocks come from the heap; glibc allows no larger limit."""


@lru_cache(maxsize=1)
def keep_large_buffers() -> bool:
    """Tell the C library to keep what is freed; False where it is not one that can be told."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # musl, macOS
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST) and mallopt(_TRIM_THRESHOLD, _KEPT))
