"""The lean runner against the general one, and its attention against the reference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, PreTrainedConfig, Qwen2Config

from generate.engine import attention, lean_attention
from generate.engine.batch import PackedBatch, Segment, pack
from generate.engine.kv_cache import HeadMajorCache, KVCache
from generate.engine.lean import LeanRunner
from generate.engine.lean_attention import Plan, attend, spans
from generate.engine.lean_model import why_not
from generate.engine.linear import FloatLinear
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner, load_model
from generate.engine.scheduler import Scheduled
from generate.load import load_runner
from generate.speculate.tree import TokenTree
from tests.generate.conftest import generate_settings
from tests.generate.families import FAMILIES, _shape

TREE = TokenTree((3, 4, 5, 6, 7), (-1, -1, 0, 2, 1))


def random_model(config: PreTrainedConfig) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.data += 0.2 * torch.randn_like(parameter)
    return model


def logits(runner: ModelRunner) -> Tensor:
    """Of two prompts, one of them in chunks, and of a tree below each."""
    cache, size = runner.new_cache(256), 4
    requests = [Request(list(range(100, 190)), SamplingParams()), Request([5, 9, 5], SamplingParams())]
    requests[0].block_table, requests[1].block_table = [*range(20, 30), 40, *range(7, 20)], [50, 3, 51]
    found = []
    for counts in ((60, 3), (30,)):
        step = [Scheduled(request, count) for request, count in zip(requests, counts, strict=False)]
        found.append(runner.forward(pack(step, cache, size, runner.device)))
        for share in step:
            share.request.computed += share.count
    for request in requests:
        request.computed = len(request.tokens) - 1
    step = [Scheduled(request, 1, TREE) for request in requests]
    found.append(runner.forward(pack(step, cache, size, runner.device)))
    return torch.cat(found)


def rope(**parameters: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_theta": 1e4, **parameters}}


LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
VARIANTS: dict[str, Callable[[], PreTrainedConfig]] = {
    "linear": lambda: LlamaConfig(**_shape(**rope(rope_type="linear", factor=4.0))),
    "llama3": lambda: LlamaConfig(**_shape(**rope(**LLAMA3))),
    "yarn": lambda: Qwen2Config(
        **_shape(**rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=64))
    ),
    "biases everywhere": lambda: LlamaConfig(**_shape(attention_bias=True, mlp_bias=True)),
    "a head for each query": lambda: LlamaConfig(**_shape(num_key_value_heads=4)),
    "one head for all": lambda: LlamaConfig(**_shape(num_key_value_heads=1)),
    "narrow heads": lambda: MistralConfig(**_shape(head_dim=8, sliding_window=20)),
    "no window": lambda: MistralConfig(**_shape(sliding_window=None)),
    "tied embeddings": lambda: LlamaConfig(**_shape(tie_word_embeddings=True)),
    "a window that llama ignores": lambda: LlamaConfig(**_shape(sliding_window=4)),
    "windows in some layers": lambda: Qwen2Config(
        **_shape(use_sliding_window=True, sliding_window=9, max_window_layers=1)
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_variants_of_a_family_agree_with_the_general_runner(name: str) -> None:
    general = ModelRunner(random_model(VARIANTS[name]()))
    model = random_model(VARIANTS[name]())
    assert why_not(model) is None
    torch.testing.assert_close(
        logits(LeanRunner(model, FloatLinear)), logits(general), atol=1e-4, rtol=0, msg=name
    )


REFUSED: dict[str, tuple[Callable[[], PreTrainedConfig], str]] = {
    "dynamic": (lambda: LlamaConfig(**_shape(**rope(rope_type="dynamic", factor=2.0))), "rotary embedding"),
    "activation": (lambda: LlamaConfig(**_shape(hidden_act="gelu")), "activation 'gelu'"),
    **{
        family: (FAMILIES[family], "is none of llama, mistral, qwen2, qwen3")
        for family in ("mixtral", "phi", "gemma3")
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_left_to_the_general_runner(name: str) -> None:
    config, words = REFUSED[name]
    reason = why_not(random_model(config()))
    assert reason is not None
    assert words in reason


def test_a_tensor_or_a_type_that_is_not_known_is_left_to_the_general_runner() -> None:
    model = random_model(LlamaConfig(**_shape()))
    model.model.layers[1].mlp.gate_proj.lora_a = torch.nn.Parameter(torch.zeros(2, 2))
    assert why_not(model) == "tensor model.layers.1.mlp.gate_proj.lora_a"
    assert why_not(random_model(LlamaConfig(**_shape())).bfloat16()) == "torch.bfloat16 on cpu"


def test_the_loader_takes_the_lean_runner_where_it_can(tiny_model: Callable[[str], Path]) -> None:
    for family in FAMILIES:
        runner = load_runner(tiny_model(family), generate_settings(device="cpu"))
        assert isinstance(runner, LeanRunner) == (family not in ("mixtral", "phi", "gemma3"))


def test_an_observer_sees_what_it_would_see_in_the_general_runner(tiny_model: Callable[[str], Path]) -> None:
    """Queries and keys are stored in another order, so it is their products that must agree."""

    def products(runner: ModelRunner) -> Tensor:
        found: list[Tensor] = []
        cache = runner.new_cache(40)
        request = Request(list(range(30)), SamplingParams())
        request.block_table = list(range(10))
        batch = pack([Scheduled(request, 30)], cache, 4, runner.device)

        def observe(layer: int, queries: Tensor, scaling: float | None) -> None:
            observed.append((layer, queries.clone(), scaling))

        observed: list[tuple[int, Tensor, float | None]] = []
        runner.forward(PackedBatch(**{**vars(batch), "observer": observe}))
        for layer, queries, scaling in observed:
            keys, _ = cache.read(layer, batch.slots)
            keys = keys.transpose(0, 1).repeat_interleave(runner.heads // runner.kv_heads, 0)
            found.append(queries @ keys.transpose(1, 2) * scaling)
        return torch.stack(found)

    folder = tiny_model("qwen3")
    lean = products(LeanRunner(load_model(folder, device="cpu"), FloatLinear))
    torch.testing.assert_close(lean, products(ModelRunner.from_folder(folder, device="cpu")))


@given(
    runs=st.lists(st.integers(1, 40), max_size=8),
    parts=st.integers(1, 5),
    min_span=st.integers(1, 20),
    min_part=st.integers(1, 20),
)
def test_spans_are_the_context_and_long_runs_are_read_in_place(
    runs: list[int], parts: int, min_span: int, min_part: int
) -> None:
    pieces = [torch.arange(length) + 100 * i for i, length in enumerate(runs)]
    slots = torch.cat([torch.zeros(0, dtype=torch.long), *pieces[::-1]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lean_attention, "MIN_SPAN", min_span)
        patch.setattr(lean_attention, "MIN_PART", min_part)
        found = spans(slots, parts)
    assert all(len(span) % span.parts == 0 for span in found)
    in_place = [torch.arange(span.first, span.last) for span in found if span.scattered is None]
    gathered = [span.scattered for span in found if span.scattered is not None]
    assert torch.cat([slots[:0], *in_place, *gathered]).sort().values.equal(slots.sort().values)
    assert sum(map(len, gathered)) <= sum(length for length in runs if length < min_span)


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=4),
    rows=st.lists(st.integers(1, 40), min_size=4, max_size=4),
    trees=st.lists(st.booleans(), min_size=4, max_size=4),
    window=st.sampled_from([None, None, 1, 7, 30]),
    kv_heads=st.sampled_from([1, 3]),
    group=st.sampled_from([1, 3]),
    block=st.sampled_from([1, 5, 100]),
    parts=st.sampled_from([1, 2, 3]),
    sizes=st.tuples(st.integers(1, 60), st.integers(41, 80), st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 10**6),
)
def test_attention_is_that_of_the_reference(
    lengths: list[int],
    rows: list[int],
    trees: list[bool],
    window: int | None,
    kv_heads: int,
    group: int,
    block: int,
    parts: int,
    sizes: tuple[int, int, int, int],
    seed: int,
) -> None:
    """Whatever lies where, however spans are cut: stretches and trees, windows, blocks in any order."""
    source = torch.Generator().manual_seed(seed)
    blocks = torch.randperm(-(-sum(lengths) // block) + len(lengths), generator=source)
    segments, begin = [], 0
    for length, most, tree in zip(lengths, rows, trees, strict=False):
        count = min(most, length)
        used, blocks = blocks[: -(-length // block)], blocks[-(-length // block) :]
        slots = (used[:, None] * block + torch.arange(block)).flatten()[:length]
        parents = tuple(int(torch.randint(-1, i, (), generator=source)) for i in range(count - 1))
        ancestors = TokenTree(tuple(range(count - 1)), parents).ancestors() if tree else None
        segments.append(Segment(begin, begin + count, slots, ancestors))
        begin += count
    shape: dict[str, Any] = {"layers": 1, "kv_heads": kv_heads, "head_dim": 8, "dtype": torch.float32}
    slot_count = (int(max(segment.slots.max() for segment in segments)) // block + 1) * block
    fast = HeadMajorCache(slots=slot_count, device=torch.device("cpu"), **shape)
    plain = KVCache(slots=slot_count, device=torch.device("cpu"), **shape)
    every = torch.arange(slot_count)
    keys, values = torch.randn(2, slot_count, kv_heads, 8, generator=source).unbind()
    fast.write(0, every, keys, values)
    plain.write(0, every, keys, values)
    queries = torch.randn(begin, kv_heads * group, 8, generator=source)
    own = torch.cat(
        [segment.slots[len(segment.slots) - segment.end + segment.begin :] for segment in segments]
    )
    none = torch.zeros(begin, dtype=torch.long)
    batch = PackedBatch(fast, none, none, own, tuple(segments), none)
    reference = PackedBatch(plain, none, none, own, tuple(segments), none)
    wanted = torch.cat(
        [
            attention._attend(
                0, queries[s.begin : s.end].transpose(0, 1)[None], s, reference, None, 1.0, window, None
            )[0].transpose(0, 1)
            for s in segments
        ]
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, size in zip(("MIN_SPAN", "MIN_PART", "BLOCK_ROWS", "APART_ROWS"), sizes, strict=True):
            patch.setattr(lean_attention, name, size)
        patch.setattr(lean_attention, "_parts", lambda kv_heads: parts)
        grouped = queries.view(begin, kv_heads, group, 8).transpose(1, 2).reshape(begin, -1, 8)
        found = attend(grouped, 0, fast, Plan.of(batch, window, group, kv_heads))
    found = found.view(begin, group, kv_heads, 8).transpose(1, 2).reshape(begin, -1, 8)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_rows_of_no_segment_are_zero() -> None:
    cache = HeadMajorCache(
        layers=1, slots=8, kv_heads=2, head_dim=4, dtype=torch.float32, device=torch.device("cpu")
    )
    none = torch.zeros(3, dtype=torch.long)
    batch = PackedBatch(cache, none, none, none, (Segment(1, 2, torch.arange(5)),), none)
    found = attend(torch.randn(3, 2, 4), 0, cache, Plan.of(batch, None, 1, 2))
    assert found[[0, 2]].eq(0).all()
