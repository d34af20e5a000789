"""The KV cache takes what the settings say, or what the device has left."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from configs.errors import ModelError
from generate.engine.engine import Engine
from generate.engine.memory import KEPT_FREE, ON_A_CPU, blocks_that_fit, cache_blocks, working_bytes
from generate.engine.runner import ModelRunner
from tests.generate.conftest import generate_settings

GIB = 2**30


def test_settings_decide_where_they_say_something(tiny_runner: Callable[[str], ModelRunner]) -> None:
    runner = tiny_runner("llama")
    settings = generate_settings(kv_cache_mb=2)
    assert cache_blocks(runner, settings) == 2 * 2**20 // (4 * runner.bytes_per_token())
    assert Engine(runner, settings).pool.count == cache_blocks(runner, settings)
    left_open = generate_settings(kv_cache_mb=None)
    assert cache_blocks(runner, left_open) == ON_A_CPU // (4 * runner.bytes_per_token())


def test_a_device_keeps_room_for_the_work_and_for_others() -> None:
    count = blocks_that_fit(free=60 * GIB, total=80 * GIB, block=2**20, working=4 * GIB)
    assert count * 2**20 == pytest.approx((60 - 4 - KEPT_FREE * 80) * GIB, rel=1e-3)


def test_weights_that_leave_no_room_are_an_error_with_the_amount() -> None:
    with pytest.raises(ModelError, match=r"no room for a KV cache: 1,9\d\d MB are missing"):
        blocks_that_fit(free=8 * GIB, total=80 * GIB, block=2**20, working=int(3.5 * GIB))


def test_more_tokens_a_step_need_more_room(tiny_runner: Callable[[str], ModelRunner]) -> None:
    runner = tiny_runner("llama")
    small = working_bytes(runner, generate_settings(max_batch_tokens=32))
    large = working_bytes(runner, generate_settings(max_batch_tokens=64))
    assert 0 < small < large
