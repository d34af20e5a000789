"""Measuring text in the embedder's tokens."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Protocol

SLAB = 1 << 15
CHARACTERS_PER_TOKEN = 8
"""A token is never taken for more characters than this: an unknown word of any length is one token."""


class Tokenizer(Protocol):
    """What is needed of `tokenizers.Tokenizer`."""

    def encode(self, sequence: str, *, add_special_tokens: bool = True) -> Any: ...

    def encode_batch_fast(self, input: list[str], *, add_special_tokens: bool = True) -> list[Any]: ...

    def num_special_tokens_to_add(self, is_pair: bool) -> int: ...


class TokenRuler:
    """Sizes of a body's slices: the body is tokenized once, a slice is two binary searches."""

    def __init__(self, body: str, tokenizer: Tokenizer) -> None:
        self._starts = array("q")
        for begin, end in _slabs(body):
            encoding = tokenizer.encode(body[begin:end], add_special_tokens=False)
            self._starts.extend(begin + offset for offset, _ in encoding.offsets)

    def size(self, start: int, end: int) -> int:
        """Tokens that begin in ``body[start:end]``, or more where its words are unusually long."""
        first = bisect_left(self._starts, start)
        last = bisect_left(self._starts, end, first)
        return max(last - first, -(-(end - start) // CHARACTERS_PER_TOKEN))


def count_tokens(texts: Sequence[str], tokenizer: Tokenizer) -> list[int]:
    """Exact token counts, without the special tokens around each text."""
    encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    return [len(encoding.ids) for encoding in encodings]


def _slabs(body: str) -> list[tuple[int, int]]:
    """Slices small enough to tokenize at once, cut at white space where there is any."""
    slabs, start = [], 0
    while start < len(body):
        end = min(start + SLAB, len(body))
        if end < len(body):
            space = max(body.rfind(" ", start + 1, end), body.rfind("\n", start + 1, end))
            end = space if space > start else end
        slabs.append((start, end))
        start = end
    return slabs
