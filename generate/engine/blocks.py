"""Which blocks of the KV cache hold what: allocation, sharing of prefixes, eviction.

Paged attention's block table (Kwon et al., arXiv 2309.06180) with automatic prefix reuse: a full
block is known by the hash of everything up to its end, so two requests whose tokens agree so far
share it. This module knows block numbers and hashes; the tensors live in `kv_cache`.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Sequence

from generate.engine.request import Request


def chain_hash(parent: bytes, tokens: Sequence[int]) -> bytes:
    """Hash of a block given its predecessor's: equal only where the whole prefix is equal."""
    return hashlib.blake2b(parent + array("q", tokens).tobytes(), digest_size=16).digest()


def root_hash(salt: str) -> bytes:
    """Parent of a first block. Different salts never share blocks, so timing tells them nothing."""
    return hashlib.blake2b(salt.encode(), digest_size=16, person=b"draftline-kv").digest()


class BlockPool:
    """Reference-counted blocks; unreferenced ones keep their content until they are needed.

    Every block is either referenced or in ``_free``, never both. Eviction takes the least recently
    released block; a request releases its last blocks first, so that prefixes outlive endings.
    """

    def __init__(self, count: int, block_size: int, *, reuse: bool = True) -> None:
        self.count = count
        self.block_size = block_size
        self._reuse = reuse
        self._references = [0] * count
        self._free: OrderedDict[int, None] = OrderedDict.fromkeys(range(count))
        self._by_hash: dict[bytes, int] = {}
        self._hash_of: dict[int, bytes] = {}

    @property
    def free(self) -> int:
        """Blocks that can be allocated now, cached content included."""
        return len(self._free)

    def blocks_for(self, tokens: int) -> int:
        """Blocks that hold this many tokens."""
        return -(-tokens // self.block_size)

    def attach_prefix(self, request: Request) -> None:
        """Give a request without blocks every cached block of its prefix.

        At least its last token stays to be computed, since its logits are needed.
        """
        assert not request.block_table
        assert request.computed == 0
        if not self._reuse:
            return
        for index in range((len(request.tokens) - 1) // self.block_size):
            block = self._by_hash.get(self._hash(request, index))
            if block is None:
                break
            self._reference(block)
            request.block_table.append(block)
            request.computed += self.block_size

    def grow(self, request: Request, length: int) -> bool:
        """Extend the block table to ``length`` tokens; False, and nothing changes, if it can't."""
        missing = self.blocks_for(length) - len(request.block_table)
        if missing > len(self._free):
            return False
        for _ in range(missing):
            block, _ = self._free.popitem(last=False)
            self._forget(block)
            self._references[block] = 1
            request.block_table.append(block)
        return True

    def publish(self, request: Request, before: int) -> None:
        """Let others find the blocks that filled up since ``before`` tokens were computed."""
        if not self._reuse:
            return
        for index in range(before // self.block_size, request.computed // self.block_size):
            digest, block = self._hash(request, index), request.block_table[index]
            if digest not in self._by_hash and block not in self._hash_of:
                self._by_hash[digest] = block
                self._hash_of[block] = digest

    def release(self, request: Request) -> None:
        """Take all blocks back; the request has to be computed anew to go on."""
        for block in reversed(request.block_table):
            self._references[block] -= 1
            assert self._references[block] >= 0
            if self._references[block] == 0:
                self._free[block] = None
                if block not in self._hash_of:
                    self._free.move_to_end(block, last=False)
        request.block_table.clear()
        request.computed = 0

    def distrust(self, request: Request) -> None:
        """Let nobody find a request's content any more."""
        for block in request.block_table:
            self._forget(block)

    def clear(self) -> None:
        """Forget all cached content; referenced blocks stay with their requests."""
        self._by_hash.clear()
        self._hash_of.clear()

    def _reference(self, block: int) -> None:
        if self._references[block] == 0:
            del self._free[block]
        self._references[block] += 1

    def _forget(self, block: int) -> None:
        digest = self._hash_of.pop(block, None)
        if digest is not None:
            del self._by_hash[digest]

    def _hash(self, request: Request, index: int) -> bytes:
        hashes = request.block_hashes
        while len(hashes) <= index:
            start = len(hashes) * self.block_size
            parent = hashes[-1] if hashes else root_hash(request.salt)
            hashes.append(chain_hash(parent, request.tokens[start : start + self.block_size]))
        return hashes[index]
