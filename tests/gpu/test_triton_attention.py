"""The Triton attention on a CUDA device: what the interpreter checks, natively, and what it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor

from generate.engine.batch import PackedBatch
from generate.engine.triton_attention_plan import AttentionPlan, PlanShape, Tiling
from tests.generate.attention_cases import (
    DTYPES,
    HEAD_DIMS,
    Case,
    Stretch,
    cases,
    compare,
    make_plan,
    make_step,
    written,
)
from tests.generate.families import make_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
BUSHY = tuple(node // 3 - 1 for node in range(128))
COMB = tuple(max(-1, node // 2 * 2 - 2) for node in range(128))
MIXED = (Stretch(17), Stretch(0, 300), Stretch(1, parents=BUSHY), Stretch(9000), Stretch(700, parents=COMB))
SLOW = (HealthCheck.too_slow,)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("head_dim", [16, *HEAD_DIMS])
@pytest.mark.parametrize("group", [1, 3, 8])
def test_every_head_size_and_type(head_dim: int, dtype: str, group: int) -> None:
    case = Case(MIXED, head_dim=head_dim, dtype=dtype, group=group, kv_heads=2, block_size=16)
    assert compare(case, "cuda") <= 1
    assert compare(replace(case, window=600, softcap=5.0), "cuda") <= 1
    assert compare(replace(case, attention_window=100), "cuda") <= 1
    assert compare(replace(case, window=600, attention_window=300, softcap=5.0), "cuda") <= 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "segments", [(Stretch(900),) * 3, (Stretch(500, 4),), (Stretch(40, parents=COMB[:9]),)]
)
def test_tiles_of_every_height(segments: tuple[Stretch, ...], dtype: str) -> None:
    for group in (1, 2, 4, 7, 16):
        assert compare(Case(segments, dtype=dtype, group=group, block_size=16), "cuda") <= 1


@settings(max_examples=150, suppress_health_check=SLOW)
@given(case=cases(longest=600))
def test_any_step(case: Case) -> None:
    assert compare(case, "cuda") <= 1


@pytest.mark.parametrize("attention_window", [None, 6])
@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3"])
def test_the_engine_writes_the_same(tmp_path: Path, family: str, attention_window: int | None) -> None:
    folder = make_model(family, tmp_path)
    found = written(folder, "cuda", triton=True, attention_window=attention_window)
    assert found == written(folder, "cpu", triton=False, attention_window=attention_window)


Attend = Callable[[AttentionPlan], Tensor]


@pytest.fixture
def attend() -> Iterator[Callable[[PackedBatch, Tensor], Attend]]:
    """``attend(step, query)(plan)``: the kernels alone, over a step's cache."""
    from generate.engine.triton_attention import paged_attend

    def over(step: PackedBatch, query: Tensor) -> Attend:
        cache = step.cache
        return lambda plan: paged_attend(
            query[0].transpose(0, 1), cache.keys[1], cache.values[1], plan, step.block_size
        )

    return over


def _prepared(case: Case) -> tuple[PackedBatch, Tensor, AttentionPlan]:
    step, (query, key, value) = make_step(case, "cuda")
    step.cache.write(1, step.slots, key[0].transpose(0, 1), value[0].transpose(0, 1))
    return step, query, make_plan(case, step, Tiling.of(case.head_dim, query.dtype).max_height)


def test_a_launch_waits_for_nothing(attend: Callable[[PackedBatch, Tensor], Attend]) -> None:
    step, query, plan = _prepared(Case(MIXED, dtype="bfloat16", block_size=16))
    run = attend(step, query)
    run(plan)  # compiles
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        run(plan)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_captured_launch_serves_other_steps(attend: Callable[[PackedBatch, Tensor], Attend]) -> None:
    """The same rows and slots, cut differently: only the plan's numbers change."""
    decode = Case((Stretch(511), Stretch(0), Stretch(1500)), dtype="bfloat16", group=3, block_size=16)
    step, query, plan = _prepared(decode)
    run = attend(step, query)
    first, _, last = step.segments
    shorter = replace(last, slots=last.slots[:1000])
    others = [(first, step.segments[1], shorter), (replace(first, slots=first.slots[:300]), last)]
    shape = PlanShape(
        height=plan.shape.height,
        tiles=8,
        segments=4,
        rows=3,
        blocks=200,
        words=2,
        splits=8,
        joined=3,
        partials=24,
    )
    captured = plan.pad_to(shape)
    wanted = run(captured)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = run(captured)
    graph.replay()
    assert torch.equal(out, wanted)
    for segments in others:
        other = AttentionPlan.build(segments, 16, query.device, group=3, max_height=128, shape=shape)
        assert other.shape.height == shape.height
        captured.copy_(other)
        graph.replay()
        assert torch.equal(out, run(other))
        assert not torch.equal(out, wanted)
