"""Drafts change the number of steps and nothing else: tokens, logits and the cache stay the model's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from generate.engine.engine import NonFiniteLogitsError
from generate.engine.request import FinishReason, Request, SamplingParams
from generate.speculate.factory import CHEAP, open_drafters
from generate.speculate.speculator import Speculator
from tests.generate.conftest import generate_settings
from tests.generate.drafters import OracleDrafter
from tests.generate.families import FAMILIES, VOCAB
from tests.generate.pairs import COUNT, MODELS, SMOLLM, Pair

SAMPLE = [*FAMILIES, pytest.param(SMOLLM, marks=pytest.mark.deep)]
"""Where the tiny models say enough by default; the real one joins in the long sweep."""
SETTINGS = generate_settings()


def oracle(models: Pair, prompts: Sequence[Sequence[int]], count: int = COUNT, **how: Any) -> Speculator:
    """A speculator that knows what the reference says."""
    futures = {
        tuple(prompt): found.tokens
        for prompt, found in zip(prompts, models.reference(prompts, count), strict=True)
    }
    drafter = OracleDrafter(futures, vocabulary=models.runner.vocab_size, **how)
    return Speculator([drafter], limit=12, planner=None)


def steps_saved(requests: Sequence[Any]) -> int:
    return sum(len(request.output) - request.steps for request in requests)


@pytest.mark.parametrize("name", MODELS)
def test_trees_alone_and_in_a_batch(pair: Callable[[str], Pair], name: str) -> None:
    models = pair(name)
    for prompts in ([models.prompts[0]], models.prompts):
        engine = models.engine(max_batch_tokens=512)
        engine.speculator = oracle(models, prompts)
        requests = models.compare(engine, prompts)
        assert steps_saved(requests) >= len(prompts)
        assert sum(request.drafted for request in requests) > steps_saved(requests), "some were rejected"


@pytest.mark.parametrize("name", SAMPLE)
def test_trees_beside_chunked_prefill(pair: Callable[[str], Pair], name: str) -> None:
    models = pair(name)
    engine = models.engine(max_batch_tokens=24)
    engine.speculator = oracle(models, models.prompts)
    assert steps_saved(models.compare(engine)) > 0


@pytest.mark.parametrize("name", SAMPLE)
def test_trees_after_a_cached_prefix(pair: Callable[[str], Pair], name: str) -> None:
    models = pair(name)
    stem = max(models.prompts, key=len)
    prompts = [stem + other[:7] for other in models.prompts[:4]]
    engine = models.engine()
    engine.speculator = oracle(models, prompts)
    models.compare(engine, prompts[:1])
    for request in models.compare(engine, prompts):
        assert request.cached_prompt_tokens >= len(stem) // 4 * 4


@pytest.mark.parametrize("name", SAMPLE)
def test_what_drafts_left_in_published_blocks_serves_the_next_request(
    pair: Callable[[str], Pair], name: str
) -> None:
    """Blocks filled by accepted drafts are found as a prefix; they must hold what a prefill computes."""
    models = pair(name)
    prompt = models.prompts[2]
    engine = models.engine()
    engine.speculator = oracle(models, [prompt], right=0.9)
    (first,) = models.compare(engine, [prompt])
    longer = [*prompt, *first.output]
    (second,) = models.compare(engine, [longer])
    assert second.cached_prompt_tokens >= len(longer) // 4 * 4 - 4 > len(prompt)


@pytest.mark.parametrize("name", SAMPLE)
def test_trees_and_preemption(pair: Callable[[str], Pair], name: str) -> None:
    models = pair(name)
    blocks = -(-(max(map(len, models.prompts)) + COUNT) // 4) + 2
    engine = models.engine(blocks=blocks)
    engine.speculator = oracle(models, models.prompts)
    requests = models.compare(engine)
    assert sum(request.preemptions for request in requests) >= 2
    assert steps_saved(requests) > 0


@pytest.mark.parametrize("drafter", ["copy", "recycle", "auto"])
@pytest.mark.parametrize("name", MODELS)
def test_every_drafter(pair: Callable[[str], Pair], name: str, drafter: str) -> None:
    models = pair(name)
    engine = models.engine(max_batch_tokens=256)
    names = list(CHEAP) if drafter == "auto" else [drafter]
    engine.speculator = Speculator(open_drafters(names, engine, SETTINGS), limit=16, planner=None)
    prompts = [prompt * 2 for prompt in models.prompts]
    requests = models.compare(engine, prompts)
    assert sum(request.drafted for request in requests) > 0


def test_a_lost_move_of_accepted_keys_is_seen(
    pair: Callable[[str], Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    models = pair("llama")
    monkeypatch.setattr("generate.engine.kv_cache.KVCache.move", lambda *_: None)
    engine = models.engine()
    engine.speculator = oracle(models, models.prompts)
    with pytest.raises(AssertionError):
        models.compare(engine)


def test_a_tree_that_sees_its_siblings_is_noticed(
    pair: Callable[[str], Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    models = pair("llama")
    monkeypatch.setattr(
        "generate.speculate.tree.TokenTree.ancestors",
        lambda tree: torch.ones(len(tree) + 1, len(tree) + 1, dtype=torch.bool).tril(),
    )
    engine = models.engine()
    engine.speculator = oracle(models, models.prompts)
    with pytest.raises(AssertionError):
        models.compare(engine)


def test_sampled_output_is_the_same_with_drafts_and_without(pair: Callable[[str], Pair]) -> None:
    models = pair("llama")

    def generate(speculator: Speculator | None, seed: int) -> list[list[int]]:
        engine = models.engine(max_batch_tokens=256)
        engine.speculator = speculator
        params = SamplingParams(max_tokens=24, temperature=0.7, top_p=0.9, seed=seed)
        requests = [engine.add(prompt, params) for prompt in models.prompts]
        while engine.busy:
            engine.step()
        if speculator:
            assert sum(request.drafted for request in requests) > 0
        return [request.output for request in requests]

    for seed in range(3):
        plain = generate(None, seed)
        futures = {tuple(p): out for p, out in zip(models.prompts, plain, strict=True)}
        knowing = Speculator([OracleDrafter(futures, vocabulary=VOCAB)], limit=10, planner=None)
        assert generate(knowing, seed) == plain
        assert (
            generate(Speculator([open() for open in CHEAP.values()], limit=16, planner=None), seed) == plain
        )


def test_the_repetition_penalty_counts_drafts_on_the_way(pair: Callable[[str], Pair]) -> None:
    models = pair("qwen2")
    params = SamplingParams(max_tokens=24, repetition_penalty=1.6)

    def generate(speculator: Speculator | None) -> list[list[int]]:
        engine = models.engine(max_batch_tokens=256)
        engine.speculator = speculator
        return engine.generate(models.prompts, params)

    plain = generate(None)
    futures = {tuple(p): out for p, out in zip(models.prompts, plain, strict=True)}
    knowing = Speculator([OracleDrafter(futures, vocabulary=VOCAB)], limit=10, planner=None)
    assert generate(knowing) == plain


@pytest.mark.parametrize("at", range(1, 9))
def test_an_end_token_inside_an_accepted_run_ends_there(pair: Callable[[str], Pair], at: int) -> None:
    models = pair("llama")
    prompt = models.prompts[0]
    (future,) = models.reference([prompt], COUNT)
    eos = future.tokens[at]
    engine = models.engine()
    engine.speculator = oracle(models, [prompt], right=1.0, wrong=0)
    request = engine.add(prompt, SamplingParams(max_tokens=COUNT, eos_ids=frozenset({eos})))
    while engine.busy:
        engine.step()
    assert request.output == future.tokens[: future.tokens.index(eos) + 1]
    assert request.finished is FinishReason.EOS
    assert engine.pool.free == engine.pool.count


@pytest.mark.parametrize("count", range(1, 9))
def test_max_tokens_inside_an_accepted_run_ends_there(pair: Callable[[str], Pair], count: int) -> None:
    models = pair("llama")
    prompt = models.prompts[0]
    (future,) = models.reference([prompt], COUNT)
    engine = models.engine()
    engine.speculator = oracle(models, [prompt], right=1.0, wrong=0)
    request = engine.add(prompt, SamplingParams(max_tokens=count))
    while engine.busy:
        engine.step()
    assert request.output == future.tokens[:count]
    assert request.finished is FinishReason.LENGTH


def test_drafts_never_preempt_and_fit_what_is_free(pair: Callable[[str], Pair]) -> None:
    models = pair("llama")
    prompt = models.prompts[0]
    blocks = -(-(len(prompt) + COUNT) // 4)
    engine = models.engine(blocks=blocks)
    engine.speculator = oracle(models, [prompt], right=0.3, wrong=5)
    (request,) = models.compare(engine, [prompt])
    assert request.preemptions == 0


def test_logits_that_are_no_numbers_fail_their_request_alone(
    pair: Callable[[str], Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    models = pair("llama")
    engine = models.engine(max_batch_tokens=512)
    engine.speculator = oracle(models, models.prompts)
    forward = engine.runner.forward
    poisoned = engine.add(models.prompts[3], SamplingParams(max_tokens=COUNT))

    def forward_with_nan(batch: Any) -> torch.Tensor:
        logits = forward(batch).clone()
        if len(poisoned.output) >= 3 and poisoned.finished is None:
            own = batch.segments[0]  # the oldest request comes first
            logits[: own.end - own.begin] = float("nan")
        return logits

    monkeypatch.setattr(engine.runner, "forward", forward_with_nan)
    others = models.compare(engine, models.prompts[:3])
    assert all(request.finished is FinishReason.LENGTH for request in others)
    assert poisoned.finished is FinishReason.FAILED
    assert isinstance(poisoned.error, NonFiniteLogitsError)
    assert engine.pool.free == engine.pool.count
    again = Request(tuple(models.prompts[3]), SamplingParams())
    engine.pool.attach_prefix(again)
    assert again.computed == 0, "what it had computed is not believed"


@pytest.mark.deep
@pytest.mark.parametrize("drafter", ["copy", "recycle", "auto", "oracle"])
@pytest.mark.parametrize("name", MODELS)
def test_long_runs_in_small_caches(pair: Callable[[str], Pair], name: str, drafter: str) -> None:
    models = pair(name)
    count = 64 if name == SMOLLM else 128
    longest = max(len(prompt) for prompt in models.prompts)
    for blocks, budget in ((-(-(longest + count) // 4) + 3, 24), (400, 40), (400, 400)):
        engine = models.engine(blocks=blocks, max_batch_tokens=budget)
        if drafter == "oracle":
            engine.speculator = oracle(models, models.prompts, count)
        else:
            names = list(CHEAP) if drafter == "auto" else [drafter]
            engine.speculator = Speculator(open_drafters(names, engine, SETTINGS), limit=24, planner=None)
        models.compare(engine, models.prompts, count)
