"""What a sparse draft keeps of a context, held against transformers' attention weights and plain lists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import avg_pool1d
from transformers import AutoModelForCausalLM

from generate.engine.request import SamplingParams
from generate.engine.runner import ModelRunner
from generate.speculate.kv_selection import (
    SINKS,
    WINDOW,
    attention_scores,
    layer_windows,
    select_by_attention,
    snapkv,
    streaming,
)
from generate.speculate.sparse import _Pages
from tests.generate.families import WINDOW as LAYER_WINDOW
from tests.generate.pairs import Pair, random_prompts


@pytest.fixture(scope="module")
def eager(tiny_model: Callable[[str], Path]) -> Any:
    return AutoModelForCausalLM.from_pretrained(
        tiny_model("llama"), dtype=torch.float32, attn_implementation="eager"
    )


@pytest.mark.parametrize("name", ["llama", "lean llama"])
def test_snapkv_selects_what_the_prompt_s_last_tokens_attend_to(
    pair: Callable[[str], Pair], eager: Any, name: str
) -> None:
    """Held against the attention weights that transformers reports."""
    engine = pair(name).engine(max_batch_tokens=512)
    prompts = random_prompts([150, 97])
    requests = [engine.add(prompt, SamplingParams(max_tokens=9)) for prompt in prompts]
    engine.step()
    budget = 64
    free = engine.pool.free
    selected = select_by_attention(engine.runner, engine.cache, engine.pool, requests, budget)
    assert selected is not None
    assert engine.pool.free == free
    for request, positions in zip(requests, selected, strict=True):
        count = len(request.prompt)
        with torch.inference_mode():
            layers = eager(torch.tensor([request.prompt]), output_attentions=True).attentions
        for layer, weights in enumerate(layers):
            votes = weights[0, :, -WINDOW:, :-WINDOW].sum(1)
            smooth = avg_pool1d(votes, 5, padding=2, stride=1)
            grouped = smooth.view(engine.runner.kv_heads, -1, count - WINDOW).sum(1)
            for head, scores in enumerate(grouped):
                best = scores.topk(budget - WINDOW).indices.tolist()
                found = positions[layer, head].tolist()
                assert found[:SINKS] == best[:SINKS]
                assert found[SINKS:-WINDOW] == best[SINKS:][::-1]
                assert found[-WINDOW:] == list(range(count - WINDOW, count))


def test_scores_of_attention_by_hand() -> None:
    """Two query heads share a key head; of six tokens before a window of two, one stands out."""
    keys = torch.zeros(8, 1, 2)
    keys[3, 0] = torch.tensor([10.0, 0.0])
    queries = torch.zeros(2, 2, 2)
    queries[:, :, 0] = 1.0
    scores = attention_scores(queries, keys, 1.0)
    assert scores.shape == (1, 6)
    assert scores[0, 1:].tolist() == pytest.approx([4 / 5] * 5, rel=0.01)
    assert float(scores[0, 0]) < 0.01
    assert scores[0].argmax() in (1, 2, 3, 4, 5)


@given(st.integers(1, 400), st.integers(SINKS + WINDOW + 1, 200))
def test_streaming_keeps_the_first_and_the_most_recent(count: int, budget: int) -> None:
    wanted = [at for at in range(count) if at < SINKS or at >= count - (budget - SINKS)]
    assert streaming(count, budget).tolist() == wanted


def test_snapkv_orders_by_loss() -> None:
    scores = torch.rand(2, 100, generator=torch.Generator().manual_seed(0))
    for head, positions in enumerate(snapkv(scores, 80).tolist()):
        assert len(set(positions)) == 80
        kept = scores[head, positions[:48]].tolist()
        assert min(kept[:SINKS]) >= max(kept[SINKS:])
        assert kept[SINKS:] == sorted(kept[SINKS:])
        assert positions[48:] == list(range(100, 100 + WINDOW))


def test_windows_of_layers(tiny_runner: Callable[[str], ModelRunner]) -> None:
    for family, wanted in {
        "llama": [None, None],
        "mistral": [LAYER_WINDOW] * 2,
        "qwen2": [None, None],
        "gemma3": [LAYER_WINDOW, None, LAYER_WINDOW],
    }.items():
        runner = tiny_runner(family)
        assert layer_windows(runner.config, runner.layers) == wanted


@given(
    budget=st.integers(SINKS + 1, 60),
    steps=st.lists(st.integers(0, 44), max_size=12),
    first=st.sampled_from([0, 70]),
)
def test_slots_are_taken_in_order_and_lost_behind_the_sinks(
    budget: int, steps: list[int], first: int
) -> None:
    """Held against a list of what lies where."""
    pages = _Pages(first, np.arange(0))
    content: dict[int, int] = {}
    order: list[int] = []
    token = 0
    for step in steps:
        count = min(step, budget - SINKS)
        taken = pages.take(count, budget).tolist()
        assert len(taken) == len(set(taken)) == count
        for slot in taken:
            content[slot] = token
            order.append(token)
            token += 1
        order = order[:SINKS] + order[SINKS:][SINKS - budget :]
        assert [content[slot] for slot in pages.kept.tolist()] == order
        assert sorted(pages.kept.tolist()) == list(range(first, first + len(order)))
