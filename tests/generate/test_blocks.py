"""The block pool, run at random against a model of it that remembers everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from generate.engine.blocks import BlockPool, chain_hash, root_hash
from generate.engine.request import Request, SamplingParams

SIZE = 2
PARAMS = SamplingParams()

Content = tuple[str, tuple[int, ...]]
"""What a full block holds: salt, and all tokens up to the block's end."""


def request(tokens: Sequence[int], salt: str = "") -> Request:
    return Request(tuple(tokens), PARAMS, salt)


def compute(pool: BlockPool, one: Request, length: int) -> None:
    """What an engine step does: make room, run, publish what filled up."""
    assert pool.grow(one, length)
    before, one.computed = one.computed, length
    pool.publish(one, before)


def fill(pool: BlockPool, tokens: Sequence[int], salt: str = "") -> Request:
    one = request(tokens, salt)
    pool.attach_prefix(one)
    compute(pool, one, len(tokens))
    return one


class BlockPoolMachine(RuleBasedStateMachine):
    """Requests come, grow, share and go; ``content`` is what each block truly holds.

    ``content`` is written wherever K/V would be, so a block that is handed to two writers, or
    found under another's prefix, shows as content that does not fit the request.
    """

    requests = Bundle("requests")

    @initialize(count=st.integers(1, 6))
    def start(self, count: int) -> None:
        self.pool = BlockPool(count, SIZE)
        self.live: list[Request] = []
        self.content: dict[int, Content] = {}

    @rule(
        target=requests,
        tokens=st.lists(st.integers(0, 1), min_size=1, max_size=8),
        salt=st.sampled_from("ab"),
    )
    def submit(self, tokens: list[int], salt: str) -> Request:
        one = request(tokens, salt)
        free_before = set(self.pool._free)
        self.pool.attach_prefix(one)
        self.live.append(one)
        assert one.computed == len(one.block_table) * SIZE
        assert one.computed < len(tokens), "the last token must be computed for its logits"
        for index, block in enumerate(one.block_table):
            assert self.content[block] == (salt, tuple(tokens[: (index + 1) * SIZE]))
        assert free_before - set(self.pool._free) <= set(one.block_table)
        return one

    @rule(one=requests, more=st.integers(1, 5))
    def run(self, one: Request, more: int) -> None:
        length = min(len(one.tokens), one.computed + more)
        table, free = list(one.block_table), list(self.pool._free)
        if not self.pool.grow(one, length):
            assert (one.block_table, list(self.pool._free)) == (table, free), "a refusal changes nothing"
            assert self.pool.blocks_for(length) - len(table) > len(free)
            return
        fresh = one.block_table[len(table) :]
        assert fresh == free[: len(fresh)], "the least recently released blocks are evicted first"
        for block in fresh:
            self.content.pop(block, None)
        before, one.computed = one.computed, length
        for index in range(before // SIZE, length // SIZE):
            self.content[one.block_table[index]] = (one.salt, tuple(one.tokens[: (index + 1) * SIZE]))
        self.pool.publish(one, before)

    @rule(one=requests, token=st.integers(0, 1))
    def append(self, one: Request, token: int) -> None:
        if one.computed == len(one.tokens):
            one.tokens.append(token)

    @rule(one=requests)
    def preempt(self, one: Request) -> None:
        self.pool.release(one)
        assert (one.block_table, one.computed) == ([], 0)

    @rule(one=requests)
    def resume(self, one: Request) -> None:
        if one.block_table or one.computed:
            return
        self.pool.attach_prefix(one)
        for index, block in enumerate(one.block_table):
            assert self.content[block] == (one.salt, tuple(one.tokens[: (index + 1) * SIZE]))

    @rule(one=consumes(requests))
    def finish(self, one: Request) -> None:
        self.pool.release(one)
        self.live.remove(one)

    @precondition(lambda self: len(self.live) > 3)
    @rule(target=requests)
    def forget_cache(self) -> object:
        self.pool.clear()
        assert not self.pool._by_hash
        return multiple()

    @invariant()
    def blocks_are_conserved(self) -> None:
        if not hasattr(self, "pool"):
            return
        held = Counter(block for one in self.live for block in one.block_table)
        assert [held[block] for block in range(self.pool.count)] == self.pool._references
        assert set(held).isdisjoint(self.pool._free)
        assert len(held) + self.pool.free == self.pool.count

    @invariant()
    def requests_hold_their_own_tokens(self) -> None:
        for one in getattr(self, "live", []):
            for index in range(one.computed // SIZE):
                expected = (one.salt, tuple(one.tokens[: (index + 1) * SIZE]))
                assert self.content[one.block_table[index]] == expected

    @invariant()
    def index_is_true_and_one_to_one(self) -> None:
        pool = getattr(self, "pool", None)
        if pool is None:
            return
        assert {block: digest for digest, block in pool._by_hash.items()} == pool._hash_of
        for digest, block in pool._by_hash.items():
            salt, tokens = self.content[block]
            expected = root_hash(salt)
            for start in range(0, len(tokens), SIZE):
                expected = chain_hash(expected, tokens[start : start + SIZE])
            assert digest == expected


TestBlockPool = BlockPoolMachine.TestCase
TestBlockPool.settings = settings(max_examples=60, stateful_step_count=30)


class TestBlockPoolDeep(BlockPoolMachine.TestCase):
    settings = settings(max_examples=2000, stateful_step_count=60)
    pytestmark = pytest.mark.deep


def test_a_second_request_shares_its_prefix():
    pool = BlockPool(8, SIZE)
    first = fill(pool, [1, 2, 3, 4, 5])
    second = request([1, 2, 3, 4, 9, 9])
    pool.attach_prefix(second)
    assert second.block_table == first.block_table[:2]
    assert second.computed == 4


def test_another_salt_finds_nothing():
    pool = BlockPool(8, SIZE)
    fill(pool, [1, 2, 3, 4, 5], "acme")
    other = request([1, 2, 3, 4, 5], "globex")
    pool.attach_prefix(other)
    assert other.block_table == []


def test_the_same_block_after_another_beginning_is_not_shared():
    pool = BlockPool(8, SIZE)
    fill(pool, [1, 2, 3, 4, 5])
    other = request([9, 9, 3, 4, 5])
    pool.attach_prefix(other)
    assert other.block_table == []


def test_a_released_prefix_is_still_found():
    pool = BlockPool(4, SIZE)
    first = fill(pool, [1, 2, 3, 4])
    blocks = list(first.block_table)
    pool.release(first)
    assert pool.free == 4
    again = request([1, 2, 3, 4, 5])
    pool.attach_prefix(again)
    assert again.block_table == blocks
    assert pool.free == 2


def test_eviction_takes_the_least_recently_released_and_endings_before_beginnings():
    pool = BlockPool(4, SIZE)
    old, new = fill(pool, [1, 1, 2, 2]), fill(pool, [3, 3, 4, 4])
    order = [*reversed(old.block_table), *reversed(new.block_table)]
    pool.release(old)
    pool.release(new)
    taker = request([9] * 8)
    assert pool.grow(taker, 8)
    assert taker.block_table == order


def test_using_a_cached_prefix_makes_it_recent():
    pool = BlockPool(4, SIZE)
    old, new = fill(pool, [1, 1, 2, 2]), fill(pool, [3, 3, 4, 4])
    pool.release(old)
    pool.release(new)
    again = request([1, 1, 2, 2, 5])
    pool.attach_prefix(again)
    pool.release(again)
    fill(pool, [9] * 4)
    survivor = request([1, 1, 2, 2, 5])
    pool.attach_prefix(survivor)
    assert survivor.computed == 4


def test_blocks_without_content_are_taken_before_cached_ones():
    pool = BlockPool(3, SIZE)
    cached = fill(pool, [1, 1, 2, 2])
    partial = request([7])
    assert pool.grow(partial, 1)
    pool.release(cached)
    pool.release(partial)
    compute(pool, request([8]), 1)
    again = request([1, 1, 2, 2, 5])
    pool.attach_prefix(again)
    assert again.computed == 4


def test_without_reuse_nothing_is_shared():
    pool = BlockPool(8, SIZE, reuse=False)
    fill(pool, [1, 2, 3, 4, 5])
    second = request([1, 2, 3, 4, 5])
    pool.attach_prefix(second)
    assert second.block_table == []


def test_growing_beyond_the_pool_is_refused_and_changes_nothing():
    pool = BlockPool(2, SIZE)
    one = request([1] * 9)
    assert pool.grow(one, 4)
    assert not pool.grow(one, 5)
    assert (len(one.block_table), pool.free) == (2, 0)
