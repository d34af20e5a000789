"""How alike two texts are, and keys that texts share when they are alike.

Resemblance is the share of word shingles that two texts have in common (Broder, "On the resemblance and
containment of documents", 1997, sections 2 and 3). The keys are bands of its MinHash sketch: texts that
resemble each other to 0.9 share a key in 99 of 100 cases, to 0.5 in 3 (locality-sensitive hashing:
Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4). Nothing but the text and its
labels goes into a key, so it never matters what else there is, or in which order it came.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.9
"""Texts of this resemblance or more say the same."""
WIDTH = 3
"""Words of a shingle: of 150 words, two may differ."""
BANDS, ROWS = 8, 8
KEY_BITS = 52
"""What every reader of JSON keeps exactly."""

_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")

Shingles = frozenset[tuple[str, ...]]
Hashes = NDArray[np.uint64]


def words_of(text: str) -> list[str]:
    """Words, whatever their case and the marks between them; of scripts without spaces, characters."""
    return _WORD.findall(text.casefold())


def shingles(text: str) -> Shingles:
    """All runs of three words; of a shorter text, all its words."""
    words = words_of(text)
    last = max(1, len(words) - WIDTH + 1)
    return frozenset(tuple(words[at : at + WIDTH]) for at in range(last)) if words else frozenset()


def resemblance(a: Shingles, b: Shingles) -> float:
    """Jaccard similarity, 0 to 1."""
    return len(a & b) / len(a | b) if a or b else 1.0


def inclusion(a: Shingles, b: Shingles) -> float:
    """The share of the smaller one's shingles that the other one has, 0 to 1."""
    return len(a & b) / min(len(a), len(b)) if a and b else 0.0


def copy_keys(text: str, labels: str, *, near: bool) -> tuple[int, ...]:
    """Keys that are shared with texts that say the same; none for a text without words.

    Texts in which different numbers stand share none, whatever they resemble: a report on one year says
    something else than the one on the next.

    Args:
        labels: texts with different ones share no key.
        near: also with nearly the same text; else with the same words only.
    """
    words = words_of(text)
    if not words:
        return ()
    if not near:
        return (_key(labels, " ".join(words).encode("utf-8", "surrogatepass")),)
    numbers = sorted(word for word in words if not word.isalpha() and any(map(str.isdigit, word)))
    salt = " ".join((labels, *numbers))
    sketch = minhash(words).astype("<u8").reshape(BANDS, ROWS)
    return tuple(_key(f"{band} {salt}", row.tobytes()) for band, row in enumerate(sketch))


def minhash(words: Sequence[str]) -> Hashes:
    """The MinHash sketch of a text's shingles, shape (BANDS * ROWS,); there is one word at least."""
    hashes = np.array([crc32(word.encode("utf-8", "surrogatepass")) for word in words], dtype=np.uint64)
    width = min(WIDTH, len(words))
    shingled = np.zeros(len(words) - width + 1, dtype=np.uint64)
    for at in range(width):
        shingled = _mixed(shingled + hashes[at : at + len(shingled)])
    sketch: Hashes = _mixed(shingled[None, :] ^ _seeds()[:, None]).min(axis=1)
    return sketch


@lru_cache(maxsize=1)
def _seeds() -> Hashes:
    return _mixed(np.arange(1, BANDS * ROWS + 1, dtype=np.uint64))


def _mixed(values: Hashes) -> Hashes:
    """Each value as a random-looking one: the finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _key(salt: str, value: bytes) -> int:
    digest = blake2b(value, digest_size=8, key=blake2b(salt.encode("utf-8", "surrogatepass")).digest())
    return int.from_bytes(digest.digest()) >> (64 - KEY_BITS)
