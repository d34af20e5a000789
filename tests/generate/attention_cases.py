"""Random packed steps, and how far the Triton attention is from the reference on them.

`compare` needs Triton: on CUDA, or in a process that was started with ``TRITON_INTERPRET=1``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from generate.engine import attention
from generate.engine.batch import Observer, PackedBatch, Segment, slots_of
from generate.engine.engine import Engine
from generate.engine.kv_cache import KVCache
from generate.engine.request import SamplingParams
from generate.engine.runner import ModelRunner, load_model
from generate.engine.triton_attention_plan import AttentionPlan, Tiling
from generate.engine.window import Window
from generate.speculate.tree import TokenTree
from tests.generate.conftest import generate_settings

HEAD_DIMS = (64, 80, 96, 128, 256)
DTYPES = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 1.5e-2}
"""Tolerance of an output ``x``, in multiples of ``1 + |x|``; values are standard normal."""
Bug = Callable[[AttentionPlan], AttentionPlan]


@dataclass(frozen=True)
class Stretch:
    """A segment: ``rows`` tokens after ``context`` others; or a tree, given its nodes' parents."""

    context: int
    rows: int = 1
    parents: tuple[int, ...] | None = None

    @property
    def count(self) -> int:
        return self.rows if self.parents is None else 1 + len(self.parents)


@dataclass(frozen=True)
class Case:
    """A packed step and the attention's settings."""

    segments: tuple[Stretch, ...]
    head_dim: int = 64
    group: int = 1
    kv_heads: int = 1
    dtype: str = "float32"
    block_size: int = 4
    window: int | None = None
    attention_window: int | None = None
    softcap: float | None = None
    seed: int = 0


@st.composite
def trees(draw: st.DrawFn, most: int) -> tuple[int, ...]:
    """Parents of a random tree: deep, flat, and all between."""
    size = draw(st.integers(0, most))
    reach = draw(st.sampled_from((1, 2, 8, most)))
    return tuple(draw(st.integers(max(-1, node - reach), node - 1)) for node in range(size))


@st.composite
def stretches(draw: st.DrawFn, longest: int) -> Stretch:
    context = draw(st.sampled_from((0, 1, 2)) | st.integers(0, longest))
    kind = draw(st.sampled_from(("decode", "chunk", "tree", "nothing")))
    if kind == "tree":
        return Stretch(context, parents=draw(trees(40)))
    return Stretch(context, {"decode": 1, "nothing": 0}.get(kind) or draw(st.integers(0, 40)))


@st.composite
def cases(draw: st.DrawFn, *, longest: int = 60, most: int = 4, **fixed: Any) -> Case:
    """Steps of several segments; keywords fix a setting."""
    drawn: dict[str, Any] = {
        "segments": tuple(draw(st.lists(stretches(longest), min_size=1, max_size=most))),
        "head_dim": draw(st.sampled_from(HEAD_DIMS)),
        "group": draw(st.sampled_from((1, 2, 3, 4, 7))),
        "kv_heads": draw(st.integers(1, 2)),
        "dtype": draw(st.sampled_from(tuple(DTYPES))),
        "block_size": draw(st.sampled_from((1, 4, 16))),
        "window": draw(st.none() | st.integers(1, 1 + longest)),
        "attention_window": draw(st.none() | st.integers(1, 1 + longest)),
        "softcap": draw(st.none() | st.sampled_from((2.0, 30.0))),
        "seed": draw(st.integers(0, 99)),
    }
    return Case(**{**drawn, **fixed})


def _segments(case: Case) -> tuple[list[Segment], int]:
    """The segments over scattered blocks, and how many slots the cache needs for them."""
    random = torch.Generator().manual_seed(case.seed)
    needs = [-(-(s.context + s.count) // case.block_size) for s in case.segments]
    blocks = torch.randperm(sum(needs) + 3, generator=random).tolist()
    segments, begin = [], 0
    for stretch, need in zip(case.segments, needs, strict=True):
        table, blocks = blocks[:need], blocks[need:]
        slots = slots_of(table, stretch.context + stretch.count, case.block_size)
        ancestors = None
        if stretch.parents is not None:
            ancestors = TokenTree(tuple(range(len(stretch.parents))), stretch.parents).ancestors()
        segments.append(Segment(begin, begin + stretch.count, slots.long(), ancestors))
        begin += stretch.count
    return segments, (sum(needs) + 3) * case.block_size


def make_step(case: Case, device: str = "cpu") -> tuple[PackedBatch, list[Tensor]]:
    """The step, its cache holding the contexts, and query, key and value of its rows.

    Slots that no segment owns hold NaN, and so do those of the step's own rows: who reads what is
    not there, or before it was written, is found out. A segment's numbers do not depend on the others.
    """
    segments, size = _segments(case)
    dtype, rows = getattr(torch, case.dtype), segments[-1].end
    cache = KVCache(
        layers=2,
        slots=size,
        kv_heads=case.kv_heads,
        head_dim=case.head_dim,
        dtype=dtype,
        device=torch.device(device),
    )
    inputs = []
    for what, heads in enumerate((case.kv_heads * case.group, case.kv_heads, case.kv_heads)):
        shape = (heads, case.head_dim)
        parts = [_numbers(case, i, what, s.end - s.begin, *shape) for i, s in enumerate(segments)]
        inputs.append(torch.cat(parts).transpose(0, 1)[None].to(device, dtype))
    for what, store in enumerate((*cache.keys, *cache.values), 3):
        content = torch.full(store.shape, torch.nan)
        for i, segment in enumerate(segments):
            context = segment.slots[: len(segment.slots) - (segment.end - segment.begin)]
            content[context] = _numbers(case, i, what, len(context), *store.shape[1:])
        store.copy_(content)
    own = torch.cat([s.slots[len(s.slots) - (s.end - s.begin) :] for s in segments])
    nothing = torch.zeros(rows, dtype=torch.long, device=device)
    step = PackedBatch(
        cache=cache,
        input_ids=nothing,
        positions=nothing,
        slots=own.to(device),
        segments=tuple(_to(segment, device) for segment in segments),
        logit_rows=nothing[:0],
        block_size=case.block_size,
    )
    return step, inputs


def _numbers(case: Case, segment: int, what: int, *shape: int) -> Tensor:
    random = torch.Generator().manual_seed(10_000 * case.seed + 100 * segment + what)
    return torch.randn(shape, generator=random)


def _to(segment: Segment, device: str) -> Segment:
    ancestors = segment.ancestors
    return replace(
        segment,
        slots=segment.slots.to(device),
        ancestors=None if ancestors is None else ancestors.to(device),
    )


def expected(case: Case) -> Tensor:
    """What the reference says of the case's own numbers, in float32: (rows, heads, head_dim)."""
    step, inputs = make_step(case)
    for stores in (step.cache.keys, step.cache.values):
        stores[:] = [store.float() for store in stores]
    return _call(attention.paged_attention, case, step, [tensor.float() for tensor in inputs])


def found(
    case: Case, device: str = "cpu", bug: Bug | None = None, observer: Observer | None = None
) -> Tensor:
    """What the kernels say; ``bug`` tampers with the plan."""
    from generate.engine import triton_attention

    step, inputs = make_step(case, device)
    step = replace(step, observer=observer)
    if bug is not None:
        height = Tiling.of(case.head_dim, inputs[0].dtype).max_height
        step.plans[AttentionPlan, case.group, _recent(case), height] = bug(make_plan(case, step, height))
    return _call(triton_attention.triton_paged_attention, case, step, inputs)


def make_plan(case: Case, step: PackedBatch, max_height: int) -> AttentionPlan:
    return AttentionPlan.build(
        step.segments,
        case.block_size,
        step.slots.device,
        group=case.group,
        window=_recent(case),
        max_height=max_height,
    )


def _recent(case: Case) -> int | None:
    view = Window.of(case.window, case.attention_window)
    return None if view is None else view.recent


def _call(function: Any, case: Case, step: PackedBatch, inputs: Sequence[Tensor]) -> Tensor:
    out, _ = function(
        SimpleNamespace(layer_idx=1),
        *inputs,
        None,
        step=step,
        attention_window=case.attention_window,
        scaling=None if case.seed % 2 else 0.2,
        sliding_window=case.window,
        softcap=case.softcap,
    )
    return out[0]


def compare(case: Case, device: str = "cpu", bug: Bug | None = None) -> float:
    """The largest difference, in tolerances; infinite where an output is no number."""
    want, got = expected(case), found(case, device, bug).cpu()
    assert got.dtype == getattr(torch, case.dtype)
    assert got.shape == want.shape
    if not got.numel():
        return 0.0
    off = (got.float() - want).abs() / (1 + want.abs()) / DTYPES[case.dtype]
    return float(off.nan_to_num(torch.inf).max())


def written(
    folder: Path, device: str, *, triton: bool, attention_window: int | None = None
) -> list[list[int]]:
    """What an engine over a model writes, through the kernels or through the reference."""
    model = load_model(folder, device=device, dtype="float32")
    runner = ModelRunner(model, attention_window=attention_window)
    if triton:
        from generate.engine import triton_attention

        runner.model.set_attn_implementation(triton_attention.register())
    else:
        runner.model.set_attn_implementation(attention.register())
    engine = Engine(runner, generate_settings(max_batch_tokens=16))
    prompts = [[*range(1, 26)], [7, 8, 9], [11] * 14]
    return engine.generate(prompts, SamplingParams(max_tokens=8))
