"""The engine writes what transformers' `generate` writes, whatever else it is doing."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from generate.engine import attention, engine
from generate.engine.batch import PackedBatch
from generate.engine.kv_cache import HeadMajorCache, KVCache
from generate.engine.lean import LeanRunner
from generate.engine.lean_attention import Plan
from generate.engine.runner import ModelRunner
from tests.generate.pairs import COUNT, MODELS, SMOLLM, TEXTS, Pair, random_prompts
from tests.generate.reference import Continuation, assert_same


@pytest.mark.parametrize("name", MODELS)
def test_alone(pair: Callable[[str], Pair], name: str) -> None:
    models = pair(name)
    for prompt in models.prompts[:4]:
        models.compare(models.engine(), [prompt])


@pytest.mark.parametrize("name", MODELS)
def test_in_a_batch_of_eight_lengths(pair: Callable[[str], Pair], name: str) -> None:
    models = pair(name)
    assert len({len(prompt) for prompt in models.prompts}) >= 7
    models.compare(models.engine(max_batch_tokens=512))


def test_real_weights_in_the_general_runner(smollm_folder: Path, pair: Callable[[str], Pair]) -> None:
    """The lean runner has them in all other tests."""
    known = pair(SMOLLM)
    models = Pair(ModelRunner.from_folder(smollm_folder, device="cpu"), known.reference, known.prompts)
    models.compare(models.engine(max_batch_tokens=64))


@pytest.mark.parametrize("name", MODELS)
def test_with_chunked_prefill(pair: Callable[[str], Pair], name: str) -> None:
    models = pair(name)
    models.compare(models.engine(max_batch_tokens=9))


@pytest.mark.parametrize("name", MODELS)
def test_with_a_cached_prefix(pair: Callable[[str], Pair], name: str) -> None:
    models = pair(name)
    stem = max(models.prompts, key=len)
    prompts = [stem + other[:7] for other in models.prompts[:4]]
    warm = models.engine()
    models.compare(warm, prompts[:1])
    for request in models.compare(warm, prompts):
        assert request.cached_prompt_tokens >= len(stem) // 4 * 4


@pytest.mark.parametrize("name", MODELS)
def test_after_preemption(pair: Callable[[str], Pair], name: str) -> None:
    models = pair(name)
    # Room for the longest request and little else, so that the others take turns.
    blocks = -(-(max(map(len, models.prompts)) + COUNT) // 4) + 2
    requests = models.compare(models.engine(blocks=blocks))
    assert sum(request.preemptions for request in requests) >= 2


def _sees_the_future(count: int, length: int, window: int | None, device: torch.device) -> Tensor | None:
    key, query = torch.arange(length), torch.arange(length - count, length)[:, None]
    return None if count == 1 else key <= query + 1


def _forgets_the_first(self: KVCache, layer: int, slots: Tensor) -> tuple[Tensor, Tensor]:
    keys, values = read(self, layer, slots)
    return torch.cat([keys[:1] * 0, keys[1:]]), values


def _forgets_the_first_in_view(self: HeadMajorCache, layer: int, first: int, last: int) -> Tensor:
    heads = view(self, layer, first, last)
    return torch.cat([heads[:, :1] * 0, heads[:, 1:]], 1)


def _counts_anew(*arguments: Any) -> PackedBatch:
    """Positions that begin at 0 in every chunk."""
    batch = pack(*arguments)
    for segment in batch.segments:
        batch.positions[segment.begin : segment.end] = torch.arange(segment.end - segment.begin)
    return batch


plan_of, read, view, pack = Plan.of, KVCache.read, HeadMajorCache.view, engine.pack
BUGS = {
    "mask": (attention, "causal_mask", _sees_the_future),
    "cache copy": (KVCache, "read", _forgets_the_first),
    "cache view": (HeadMajorCache, "view", _forgets_the_first_in_view),
    "positions": (engine, "pack", _counts_anew),
}


@pytest.mark.parametrize("bug", ["mask", "cache", "positions"])
@pytest.mark.parametrize("name", MODELS)
def test_a_planted_bug_is_seen(
    pair: Callable[[str], Pair], name: str, bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = pair(name)
    if bug == "cache":
        bug = "cache view" if isinstance(models.runner, LeanRunner) else "cache copy"
    monkeypatch.setattr(*BUGS[bug])
    with pytest.raises(AssertionError):
        models.compare(models.engine(max_batch_tokens=512))


def test_a_window_of_another_size_is_seen_in_the_lean_runner(
    pair: Callable[[str], Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    models = pair("lean mistral")
    monkeypatch.setattr(Plan, "of", lambda step, window, *heads: plan_of(step, window and window + 1, *heads))
    with pytest.raises(AssertionError):
        models.compare(models.engine(max_batch_tokens=512))


@pytest.mark.parametrize("name", ["mistral", "gemma3"])
def test_a_window_of_another_size_is_seen(
    pair: Callable[[str], Pair], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = pair(name)
    attend = attention._attend

    def wider(*arguments: Any) -> Tensor:
        *before, window, softcap = arguments
        return attend(*before, window and window + 1, softcap)

    monkeypatch.setattr(attention, "_attend", wider)
    with pytest.raises(AssertionError):
        models.compare(models.engine(max_batch_tokens=512))


@pytest.mark.deep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", MODELS)
def test_over_many_prompts_at_once(pair: Callable[[str], Pair], name: str, tokenizer: Any) -> None:
    """Random lengths, repeated prefixes, chunks and preemption together."""
    models = pair(name)
    source = random.Random(1)
    if name == SMOLLM:
        text = " ".join(TEXTS) * 4
        ids = tokenizer(text)["input_ids"]
        prompts = [ids[(start := source.randrange(200)) : start + source.randint(4, 120)] for _ in range(40)]
    else:
        stems = random_prompts([source.randint(1, 120) for _ in range(40)], seed=2)
        prompts = [p for stem in stems for p in (stem, stem[: len(stem) // 2] + stem[:5])]
    requests = models.compare(models.engine(blocks=60, max_batch_tokens=48), prompts, 32)
    assert any(request.preemptions for request in requests)
    assert any(request.cached_prompt_tokens for request in requests)


def test_ties_count_only_where_the_reference_was_undecided() -> None:
    """The rule itself: a near tie may fall either way, anything else may not."""
    logits = torch.tensor([[0.0, 1.0, 1.0 - 1e-5], [3.0, 0.0, 0.0]])
    wanted = Continuation([1, 0], logits)
    assert_same([wanted], [Continuation([2, 1], torch.stack([logits[0], logits[1].flip(0)]))])
    decided = torch.tensor([[0.0, 1.0, 0.9], [3.0, 0.0, 0.0]])
    with pytest.raises(AssertionError, match="token 0"):
        assert_same([Continuation([1, 0], decided)], [Continuation([2, 0], decided)])
    with pytest.raises(AssertionError, match="a logit is off"):
        assert_same([wanted], [Continuation([1, 0], logits + 1e-3)])
    with pytest.raises(AssertionError, match="ends before"):
        assert_same([wanted], [Continuation([1], logits[:1])])
    with pytest.raises(AssertionError, match="ties"):
        assert_same([wanted] * 2, [Continuation([2, 1], logits)] * 2)
