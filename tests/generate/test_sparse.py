"""Sparse-KV self-drafts: what is kept is what the target has, and what drafting does stays with the draft."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoModelForCausalLM

from configs.sections import GenerateSettings
from generate.engine.batch import PackedBatch, slots_of
from generate.engine.engine import Engine
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner
from generate.speculate.drafter import ModelDrafter
from generate.speculate.kv_selection import (
    SINKS,
    WINDOW,
    select_by_attention,
    streaming,
)
from generate.speculate.sparse import MAX_BUILDS, SparseDrafter
from generate.speculate.speculator import Speculator
from tests.generate.conftest import generate_settings
from tests.generate.drafters import OracleDrafter
from tests.generate.families import VOCAB
from tests.generate.families import WINDOW as LAYER_WINDOW
from tests.generate.pairs import SMOLLM, Pair, random_prompts
from tests.generate.test_draft_model import DEPTH, WITH_SMOLLM, finish, tokens_per_step

POLICIES = ("streaming", "snapkv")
SMALL = SINKS + WINDOW + 12
LONG = (110, 97, 150, 61, 88, 120, 133, 75)


def drafting(engine: Engine, policy: str, budget: int = SMALL, **how: Any) -> SparseDrafter:
    """Let an engine's model draft for itself."""
    how = {"cache_mb": 8.0, "exit_below": 0.0, "min_context": 0, "depth": DEPTH, **how}
    if engine.runner.layers > 10:
        how["cache_mb"] = 160.0  # SmolLM2
    drafter = SparseDrafter(engine.runner, engine.cache, engine.pool, policy=policy, budget=budget, **how)  # type: ignore[arg-type]
    engine.speculator = Speculator([drafter], limit=24, planner=None, depth=DEPTH)
    return drafter


def long_prompts(models: Pair, name: str) -> list[list[int]]:
    if name != SMOLLM:
        return random_prompts(LONG)
    text = [token for prompt in models.prompts for token in prompt] * 2
    return [text[start : start + length] for start, length in zip(range(0, 80, 10), LONG, strict=True)]


def test_it_is_a_drafter(pair: Callable[[str], Pair]) -> None:
    assert isinstance(drafting(pair("llama").engine(), "streaming"), ModelDrafter)


@pytest.mark.parametrize("name", WITH_SMOLLM)
def test_with_a_budget_for_everything_all_is_accepted(pair: Callable[[str], Pair], name: str) -> None:
    """Positions, copies and windows are right only then."""
    models = pair(name)
    engine = models.engine(blocks=600, max_batch_tokens=256)
    drafter = drafting(engine, "streaming", budget=400, cache_mb=16.0)
    prompts = long_prompts(models, name)
    models.compare(engine, prompts[:4])  # learns how often drafts are accepted
    for chosen in (prompts[:1], prompts):
        assert tokens_per_step(models.compare(engine, chosen)) > DEPTH - 0.5
    assert not drafter._pages


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", WITH_SMOLLM)
def test_a_small_budget_changes_nothing(pair: Callable[[str], Pair], name: str, policy: str) -> None:
    models = pair(name)
    engine = models.engine(blocks=600, max_batch_tokens=256)
    drafting(engine, policy)
    prompts = long_prompts(models, name)
    for chosen in (prompts[:1], prompts):
        assert any(request.drafted for request in models.compare(engine, chosen))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("window", [LAYER_WINDOW, SMALL - SINKS])
def test_windows_within_the_budget_are_seen_as_the_target_sees_them(
    tiny_model: Callable[[str], Path], window: int, policy: str
) -> None:
    """Where every layer has a small window, a small budget holds all that is ever seen, in its order."""
    model = AutoModelForCausalLM.from_pretrained(
        tiny_model("mistral"), dtype=torch.float32, sliding_window=window
    )
    engine = Engine(ModelRunner(model), engine_settings(4))
    prompts, params = random_prompts(LONG[:4]), SamplingParams(max_tokens=100)
    plain = engine.generate(prompts, params)
    drafting(engine, policy)
    assert engine.generate(prompts, params) == plain
    requests = [engine.add(prompt, params) for prompt in prompts]
    finish(engine)
    assert tokens_per_step(requests) > DEPTH + 0.5


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["llama", "lean mistral", "gemma3"])
def test_chunks_preemption_and_a_cached_prefix(pair: Callable[[str], Pair], name: str, policy: str) -> None:
    models = pair(name)
    prompts = random_prompts(LONG)
    engine = models.engine(blocks=-(-(max(LONG) + 16) // 4) + 10, max_batch_tokens=48)
    drafter = drafting(engine, policy)
    requests = models.compare(engine, prompts)
    assert sum(request.preemptions for request in requests) >= 2
    assert any(request.drafted for request in requests)
    assert engine.pool.free == engine.pool.count
    models.compare(engine, [prompts[0][:90] + other[:9] for other in prompts])
    assert not drafter._pages


@pytest.mark.parametrize("policy", POLICIES)
def test_sampled_requests_draw_what_they_draw_alone(pair: Callable[[str], Pair], policy: str) -> None:
    models = pair("llama")
    prompts = random_prompts(LONG)
    params = SamplingParams(max_tokens=40, temperature=0.8, top_p=0.9, seed=4)

    def run(budget: int | None) -> list[Request]:
        engine = models.engine(blocks=600, max_batch_tokens=256)
        if budget:
            drafting(engine, policy, budget, cache_mb=16.0)
        requests = [engine.add(prompt, params) for prompt in prompts]
        finish(engine)
        return requests

    plain, full, small = run(None), run(400), run(SMALL)
    assert [r.output for r in plain] == [r.output for r in full] == [r.output for r in small]
    assert tokens_per_step(full) > DEPTH
    assert 1 <= tokens_per_step(small) <= tokens_per_step(full)


def test_contexts_within_the_budget_are_left_to_others(pair: Callable[[str], Pair]) -> None:
    models = pair("llama")
    engine = models.engine(max_batch_tokens=256)
    drafting(engine, "streaming", budget=100, min_context=None)
    short, crossing, long = models.compare(engine, random_prompts([60, 95, 130]))
    assert short.drafted == 0
    assert 0 < crossing.drafted < long.drafted


def test_the_draft_stays_within_the_model_s_context(tiny_model: Callable[[str], Path]) -> None:
    runner = ModelRunner.from_folder(tiny_model("llama"), device="cpu")
    runner.context_length = 90
    positions: list[int] = []
    run = runner.forward
    runner.forward = lambda batch: (positions.append(int(batch.positions.max())), run(batch))[1]  # type: ignore[method-assign]
    engine = Engine(runner, generate_settings(max_batch_tokens=128, block_size=4))
    drafting(engine, "streaming", budget=400)
    engine.generate(random_prompts([80]), SamplingParams(max_tokens=10))
    assert max(positions) <= 89


# What the caches hold


@cache
def engine_settings(block: int) -> GenerateSettings:
    return generate_settings(block_size=block, max_batch_tokens=256)


@settings(max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 120), min_size=1, max_size=3),
    family=st.sampled_from(["llama", "gemma3"]),
    right=st.floats(0, 1),
    seed=st.integers(0, 1000),
    limit=st.integers(2, 20),
    depth=st.integers(1, 5),
    block=st.sampled_from([1, 3, 4, 16]),
)
def test_kept_keys_and_values_are_the_target_s(
    tiny_runner: Callable[[str], ModelRunner],
    lengths: list[int],
    family: str,
    right: float,
    seed: int,
    limit: int,
    depth: int,
    block: int,
) -> None:
    """Bit for bit, whoever's drafts were accepted; and drafting leaves no trace in the target's cache."""
    runner = tiny_runner(family)
    prompts = random_prompts(lengths, seed)
    futures = {
        tuple(prompt): Engine(runner, engine_settings(block)).generate(
            [prompt], SamplingParams(max_tokens=40)
        )[0]
        for prompt in prompts
    }
    engine = Engine(runner, engine_settings(block))
    drafter = Checked(engine.runner, engine.cache, engine.pool, policy="streaming", budget=SMALL, depth=depth,
                      cache_mb=1, min_context=0, exit_below=0)  # fmt: skip
    knowing = OracleDrafter(futures, vocabulary=VOCAB, right=right, wrong=2, seed=seed)
    engine.speculator = Speculator([knowing, drafter], limit=limit, planner=None, depth=depth)
    requests = [engine.add(prompt, SamplingParams(max_tokens=40)) for prompt in prompts]
    finish(engine)
    assert [request.output for request in requests] == [futures[tuple(prompt)] for prompt in prompts]
    assert drafter.checked


class Checked(SparseDrafter):
    """Looks at both caches whenever it has drafted."""

    checked = 0

    def prepare(self, requests: Sequence[Request], depth: int) -> None:
        target = (*self._target.keys, *self._target.values)
        before = [store.clone() for store in target]
        super().prepare(requests, depth)
        assert all(a.equal(b) for a, b in zip(target, before, strict=True))
        for request in requests:
            if request.computed:
                self._check(request)

    def _check(self, request: Request) -> None:
        pages, count = self._pages[request.id], request.computed
        where = slots_of(request.block_table, count, self._target_pool.block_size)
        sinks = streaming(count, self.budget)
        recent = torch.arange(max(0, count - self.budget), count)
        assert pages.synced == count
        assert len(pages.kept) == len(sinks)
        for layer, window in enumerate(self._windows):
            # The first entries of a windowed layer were recent when they came and stay without use.
            skip = SINKS if window and count > self.budget else 0
            positions = (recent if skip else sinks)[skip:]
            slots = pages.kept[skip:]
            for own, target in (
                (self.cache.keys, self._target.keys),
                (self.cache.values, self._target.values),
            ):
                assert own[layer][slots].equal(target[layer][where[positions]])
        self.checked += 1


def test_snapkv_keeps_each_head_s_own_selection(pair: Callable[[str], Pair]) -> None:
    engine = pair("llama").engine(blocks=300, max_batch_tokens=512)
    drafter = drafting(engine, "snapkv")
    request = engine.add(random_prompts([150])[0], SamplingParams(max_tokens=60))
    engine.step()
    selected = select_by_attention(engine.runner, engine.cache, engine.pool, [request], SMALL)
    assert selected is not None
    order = selected[0]
    for _ in range(12):
        synced = drafter._pages[request.id].synced if request.id in drafter._pages else request.computed
        drafter.prepare([request], DEPTH)
        fresh = torch.arange(synced, request.computed).expand(*order.shape[:2], -1)
        order = torch.cat([order, fresh], 2)
        over = order.shape[2] - SMALL
        order = torch.cat([order[..., :SINKS], order[..., SINKS + over :]], 2)
        where = slots_of(request.block_table, request.computed, 4)
        slots = torch.from_numpy(drafter._pages[request.id].kept)
        for layer in range(engine.runner.layers):
            for head in range(engine.runner.kv_heads):
                wanted = where[order[layer, head]]
                assert drafter.cache.keys[layer][slots, head].equal(engine.cache.keys[layer][wanted, head])
                assert drafter.cache.values[layer][slots, head].equal(
                    engine.cache.values[layer][wanted, head]
                )
        engine.step()
    assert len(request.output) > 12


def test_selecting_by_attention_leaves_the_target_s_cache_alone(pair: Callable[[str], Pair]) -> None:
    engine = pair("llama").engine(blocks=60, max_batch_tokens=512)
    requests = [engine.add(prompt, SamplingParams(max_tokens=9)) for prompt in random_prompts([100, 70])]
    engine.step()
    used = torch.cat([slots_of(r.block_table, r.computed, 4) for r in requests])
    stores = (*engine.cache.keys, *engine.cache.values)
    before = [store[used].clone() for store in stores]
    assert select_by_attention(engine.runner, engine.cache, engine.pool, requests, SMALL) is not None
    assert all(store[used].equal(old) for store, old in zip(stores, before, strict=True))


# Room


def test_without_free_blocks_nothing_is_selected_until_there_are_some(pair: Callable[[str], Pair]) -> None:
    models = pair("llama")
    prompt = random_prompts([100])[0]
    engine = models.engine(
        blocks=30, max_batch_tokens=256
    )  # five more than the prompt takes; the window takes eight
    drafter = drafting(engine, "snapkv")
    models.compare(engine, [prompt])
    (request,) = models.compare(engine, [prompt])
    assert request.drafted == 0
    assert not drafter._pages
    assert len(drafter._free) > 0


def test_who_was_drafted_for_least_recently_gives_up_its_pages(pair: Callable[[str], Pair]) -> None:
    engine = pair("llama").engine(blocks=300, max_batch_tokens=512)
    per_request = (SMALL + DEPTH) * engine.runner.bytes_per_token() / 2**20
    drafter = drafting(engine, "streaming", cache_mb=2.5 * per_request)
    requests = [engine.add(prompt, SamplingParams(max_tokens=30)) for prompt in random_prompts([90, 91, 92])]
    engine.step()
    for request in requests:
        drafter.prepare([request], DEPTH)
    assert list(drafter._pages) == [request.id for request in requests[1:]]
    drafter.prepare(requests, DEPTH)  # those in use give up nothing
    assert [drafter.begin(request) is not None for request in requests] == [False, True, True]
    drafter.prepare(requests[:1], DEPTH)
    assert list(drafter._pages) == [requests[2].id, requests[0].id]
    for request in requests:
        engine.cancel(request)
    assert not drafter._pages
    assert sorted(drafter._free) == [0, SMALL + DEPTH]


def test_new_requests_get_their_pages_a_few_a_step(pair: Callable[[str], Pair]) -> None:
    engine = pair("llama").engine(blocks=600, max_batch_tokens=1024)
    drafter = drafting(engine, "streaming")
    requests = [engine.add(prompt, SamplingParams(max_tokens=30)) for prompt in random_prompts(LONG)]
    engine.step()
    for count in (MAX_BUILDS, 2 * MAX_BUILDS):
        drafter.prepare(requests, DEPTH)
        assert len(drafter._pages) == min(count, len(requests))


def test_logits_that_are_no_numbers_only_end_the_drafting(tiny_model: Callable[[str], Path]) -> None:
    runner = ModelRunner.from_folder(tiny_model("llama"), device="cpu")
    engine = Engine(runner, generate_settings(max_batch_tokens=512, block_size=4))
    drafter = drafting(engine, "streaming")
    requests = [engine.add(prompt, SamplingParams(max_tokens=8)) for prompt in random_prompts([90, 91])]
    plain = Engine(runner, generate_settings(max_batch_tokens=512, block_size=4))
    wanted = plain.generate(random_prompts([90, 91]), SamplingParams(max_tokens=8))
    run = runner.forward

    def poisoned(batch: PackedBatch) -> Tensor:
        logits = run(batch).clone()
        if batch.cache is drafter.cache and len(drafter._pages) == 2:
            logits[0] = float("nan")
        return logits

    runner.forward = poisoned  # type: ignore[method-assign]
    engine.step()
    drafter.prepare(requests, DEPTH)
    assert list(drafter._pages) == [requests[1].id]
    finish(engine)
    assert [request.output for request in requests] == wanted
    assert requests[0].drafted == 0 < requests[1].drafted
