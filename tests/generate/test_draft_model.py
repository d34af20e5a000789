"""A draft model proposes what it would write and keeps what it would compute; outputs stay the target's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, LlamaConfig

from configs.sections import GenerateSettings
from generate.engine.batch import PackedBatch, slots_of
from generate.engine.engine import Engine
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner
from generate.speculate.drafter import ModelDrafter
from generate.speculate.model import DraftModelDrafter
from generate.speculate.speculator import Speculator
from generate.speculate.vocabulary import VocabularyMap
from tests.generate.conftest import generate_settings
from tests.generate.drafters import OracleDrafter
from tests.generate.families import CONTEXT, FAMILIES, VOCAB, make_model
from tests.generate.pairs import COUNT, MODELS, SMOLLM, Pair, random_prompts

DEPTH = 4
WITH_SMOLLM = [pytest.param(name, marks=pytest.mark.deep) if name == SMOLLM else name for name in MODELS]


def drafting(engine: Engine, runner: ModelRunner | None = None, **how: Any) -> DraftModelDrafter:
    """Let a model draft for an engine; None: the engine's own."""
    how = {"block_size": 4, "cache_mb": 8.0, "exit_below": 0.0, **how}
    drafter = DraftModelDrafter(runner or engine.runner, vocab_size=engine.runner.vocab_size, **how)
    engine.speculator = Speculator([drafter], limit=24, planner=None, depth=DEPTH)
    return drafter


def finish(engine: Engine) -> None:
    while engine.busy:
        engine.step()


def tokens_per_step(requests: Sequence[Request]) -> float:
    """Of the steps behind the prompt's."""
    return sum(len(r.output) - 1 for r in requests) / max(1, sum(r.steps - 1 for r in requests))


@contextmanager
def forwards(runner: ModelRunner, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[PackedBatch]]:
    """The batches that a runner gets."""
    seen: list[PackedBatch] = []
    with monkeypatch.context() as patch:
        run = runner.forward
        patch.setattr(runner, "forward", lambda batch: (seen.append(batch), run(batch))[1])
        yield seen


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> ModelRunner:
    """A model with the same vocabulary that says other things."""
    return ModelRunner.from_folder(
        make_model("llama", tmp_path_factory.mktemp("other"), seed=7), device="cpu"
    )


def test_it_is_a_drafter(pair: Callable[[str], Pair]) -> None:
    assert isinstance(drafting(pair("llama").engine()), ModelDrafter)


@pytest.mark.parametrize("name", WITH_SMOLLM)
def test_the_target_s_own_weights_are_nearly_always_right(pair: Callable[[str], Pair], name: str) -> None:
    """Positions, cache and tree are right only if every draft is accepted."""
    models = pair(name)
    engine = models.engine(max_batch_tokens=256)
    drafting(engine)
    models.compare(engine)  # learns how often drafts are accepted
    for prompts in ([models.prompts[0]], models.prompts):
        requests = models.compare(engine, prompts)
        assert tokens_per_step(requests) > DEPTH
        assert any(request.drafted > DEPTH for request in requests)


@pytest.mark.parametrize("name", FAMILIES)
def test_another_model_changes_nothing(pair: Callable[[str], Pair], other: ModelRunner, name: str) -> None:
    models = pair(name)
    engine = models.engine(max_batch_tokens=256)
    drafting(engine, other)
    for prompts in ([models.prompts[0]], models.prompts):
        assert any(request.drafted for request in models.compare(engine, prompts))


@pytest.mark.parametrize("name", WITH_SMOLLM)
def test_small_chunks_preemption_and_a_cached_prefix(pair: Callable[[str], Pair], name: str) -> None:
    models = pair(name)
    blocks = -(-(max(map(len, models.prompts)) + COUNT) // 4) + 2
    engine = models.engine(blocks=blocks, max_batch_tokens=24)
    drafter = drafting(engine, chunk=7)
    requests = models.compare(engine)
    assert sum(request.preemptions for request in requests) >= 2
    stem = max(models.prompts, key=len)
    requests = models.compare(engine, [stem[:-3] + other[:3] for other in models.prompts])
    assert tokens_per_step(requests) > 1.5
    assert drafter.pool.free == drafter.pool.count


def test_sampled_requests_draw_what_they_draw_alone(pair: Callable[[str], Pair], other: ModelRunner) -> None:
    models = pair("llama")
    cases = [
        SamplingParams(max_tokens=24, temperature=0.7, top_p=0.9, seed=1),
        SamplingParams(max_tokens=24, temperature=1.5, top_k=20, seed=2),
        SamplingParams(max_tokens=24, temperature=1.0, repetition_penalty=1.4, seed=3),
        SamplingParams(max_tokens=24, repetition_penalty=1.6),
    ]

    def run(draft: ModelRunner | None) -> list[Request]:
        engine = models.engine(max_batch_tokens=256)
        if draft is not None:
            drafting(engine, draft)
        requests = [
            engine.add(prompt, params) for prompt, params in zip(models.prompts, cases * 2, strict=True)
        ]
        finish(engine)
        return requests

    plain, coupled, loose = run(None), run(models.runner), run(other)
    assert [r.output for r in plain] == [r.output for r in coupled] == [r.output for r in loose]
    assert tokens_per_step(coupled) > 0.8 * (DEPTH + 1), "the same noise makes the same draws"
    assert 1 <= tokens_per_step(loose) < tokens_per_step(coupled)


def permuted(order: Sequence[int], missing: Sequence[int] = ()) -> VocabularyMap:
    """A vocabulary in another order, of which the draft model lacks some tokens."""
    target_ids = torch.tensor(order)
    draft_ids = target_ids.argsort()
    gone = torch.tensor(missing, dtype=torch.long)
    target_ids[draft_ids[gone]] = -1
    draft_ids[gone] = -1
    return VocabularyMap(draft_ids, target_ids)


@pytest.fixture(scope="module")
def shuffled(tiny_model: Callable[[str], Path]) -> tuple[ModelRunner, list[int]]:
    """The tiny llama with its vocabulary in another order and a few tokens more, and that order."""
    order = torch.randperm(VOCAB, generator=torch.Generator().manual_seed(0))
    wide = torch.cat([order, torch.arange(8)])
    model = AutoModelForCausalLM.from_pretrained(tiny_model("llama"), dtype=torch.float32)
    config = LlamaConfig(**{**model.config.to_dict(), "vocab_size": VOCAB + 8})
    wider = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    weights = {
        name: weight[wide] if "embed" in name or "lm_head" in name else weight
        for name, weight in model.state_dict().items()
    }
    weights["lm_head.weight"][VOCAB:] = 0
    wider.load_state_dict(weights)
    return ModelRunner(wider), order.tolist()


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_mapped_vocabulary(
    pair: Callable[[str], Pair], shuffled: tuple[ModelRunner, list[int]], temperature: float
) -> None:
    models = pair("llama")
    runner, order = shuffled
    lost = models.prompts[3][0]  # of a prompt that the draft model cannot read
    assert sum(lost in prompt for prompt in models.prompts) < 4

    def run(vocabulary: VocabularyMap | None) -> list[Request]:
        engine = models.engine(max_batch_tokens=256)
        if vocabulary:
            drafting(engine, runner, vocabulary=vocabulary)
        params = SamplingParams(max_tokens=24, temperature=temperature, seed=5)
        requests = [engine.add(prompt, params) for prompt in models.prompts]
        finish(engine)
        return requests

    plain, whole, partial = run(None), run(permuted(order)), run(permuted(order, [lost]))
    assert [r.output for r in plain] == [r.output for r in whole] == [r.output for r in partial]
    assert tokens_per_step(whole) > 0.8 * (DEPTH + 1)
    assert partial[3].drafted == 0
    assert sum(request.drafted for request in partial) > 0


def test_a_draft_model_with_fewer_tokens(pair: Callable[[str], Pair]) -> None:
    """Ids beyond its vocabulary are tokens that it does not know, not indices out of range."""
    models = pair("qwen2")
    config = LlamaConfig(**{**models.runner.model.config.to_dict(), "model_type": "llama", "vocab_size": 300})
    draft = ModelRunner(AutoModelForCausalLM.from_config(config, dtype=torch.float32))
    engine = models.engine(max_batch_tokens=256)
    drafting(engine, draft)
    prompts = [[token % 300 for token in models.prompts[2]], [310, 5, 6]]
    first, second = models.compare(engine, prompts)
    assert first.drafted > 0
    assert second.drafted == 0


def test_a_long_prompt_is_prefilled_in_chunks_while_others_are_drafted_for(
    pair: Callable[[str], Pair], other: ModelRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = pair("llama")
    engine = models.engine(max_batch_tokens=256)
    drafter = drafting(engine, other, chunk=16)
    running = engine.add(models.prompts[0], SamplingParams(max_tokens=60))
    for _ in range(3):
        engine.step()
    late = engine.add(random_prompts([150])[0], SamplingParams(max_tokens=40))
    with forwards(other, monkeypatch) as seen:
        before = running.drafted
        while not late.drafted:
            engine.step()
        assert max(len(batch.input_ids) for batch in seen) <= 16 + 2
        assert len([batch for batch in seen if len(batch.input_ids) > 10]) >= 150 // 16
    assert running.drafted > before
    finish(engine)
    assert drafter.pool.free == drafter.pool.count


def test_a_prefix_is_computed_once(
    pair: Callable[[str], Pair], other: ModelRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = pair("llama")
    engine = models.engine(max_batch_tokens=256)
    drafting(engine, other)
    prompt = random_prompts([120])[0]
    models.compare(engine, [prompt])
    with forwards(other, monkeypatch) as seen:
        models.compare(engine, [[*prompt[:100], 1, 2, 3]])
        assert max(len(batch.input_ids) for batch in seen) < 12
    with forwards(other, monkeypatch) as seen:  # of another tenant: nothing is shared
        engine.add(prompt, SamplingParams(max_tokens=4), salt="another")
        finish(engine)
        assert max(len(batch.input_ids) for batch in seen) > 100


def test_a_prompt_beyond_the_draft_model_s_context_is_left_to_others(
    pair: Callable[[str], Pair], tmp_path: Path
) -> None:
    """Drafts end where the draft model was never trained, the request goes on."""
    models = pair("llama")
    draft = ModelRunner.from_folder(make_model("llama", tmp_path), device="cpu")
    draft.context_length = 40
    engine = models.engine(max_batch_tokens=256)
    drafter = drafting(engine, draft)
    longest: list[int] = []
    run = draft.forward
    draft.forward = lambda batch: (longest.append(int(batch.positions.max())), run(batch))[1]  # type: ignore[method-assign]
    requests = models.compare(engine, [models.prompts[5], models.prompts[4], models.prompts[1]])
    assert [len(request.prompt) for request in requests] == [64, 33, 17]
    assert requests[0].drafted == 0
    assert requests[1].drafted > 0
    assert requests[2].drafted > requests[1].drafted
    assert max(longest) == 39
    assert drafter.pool.free == drafter.pool.count
    assert CONTEXT > 40


def test_out_of_blocks_the_least_recently_used_state_goes(
    pair: Callable[[str], Pair], other: ModelRunner
) -> None:
    models = pair("llama")
    blocks = 24
    engine = models.engine(max_batch_tokens=256)
    drafter = drafting(engine, other, cache_mb=blocks * 4 * other.bytes_per_token() / 2**20)
    assert drafter.pool.count == blocks
    requests = [Request(tuple(prompt), SamplingParams()) for prompt in random_prompts([40, 41, 42, 90])]
    for request in requests[:2]:
        drafter.prepare([request], DEPTH)
    drafter.prepare([requests[2]], DEPTH)
    assert list(drafter._drafts) == [requests[1].id, requests[2].id]
    drafter.prepare(requests[:3], DEPTH)  # those in use push nobody out
    assert drafter.begin(requests[0]) is None
    assert drafter.begin(requests[1]) is not None
    drafter.prepare([requests[3]], DEPTH)
    assert list(drafter._drafts) == [requests[3].id]
    drafter.prepare([Request((1,) * 100, SamplingParams())], DEPTH)  # more than there is
    for request in requests:
        drafter.forget(request)
    assert drafter.pool.free == blocks
    models.compare(engine)
    assert drafter.pool.free == blocks


def test_logits_that_are_no_numbers_only_end_the_drafting(
    pair: Callable[[str], Pair], tmp_path: Path
) -> None:
    models = pair("llama")
    draft = ModelRunner.from_folder(make_model("llama", tmp_path), device="cpu")
    engine = models.engine(max_batch_tokens=256)
    drafter = drafting(engine, draft)
    run = draft.forward

    def poisoned(batch: PackedBatch) -> torch.Tensor:
        logits = run(batch).clone()
        logits[batch.input_ids[batch.logit_rows] == models.prompts[0][-1]] = float("nan")
        return logits

    draft.forward = poisoned  # type: ignore[method-assign]
    engine.step()
    requests = models.compare(engine, models.prompts[:3])
    assert any(request.drafted for request in requests)
    chosen = [Request(tuple(prompt), SamplingParams()) for prompt in models.prompts[:2]]
    drafter.prepare(chosen, DEPTH)
    assert drafter.begin(chosen[0]) is None
    assert drafter.begin(chosen[1]) is not None
    assert list(drafter._drafts) == [chosen[1].id]
    drafter.prepare(chosen, DEPTH)
    assert drafter.begin(chosen[0]) is None


def test_cancelled_requests_leave_nothing(pair: Callable[[str], Pair], other: ModelRunner) -> None:
    models = pair("llama")
    engine = models.engine(max_batch_tokens=256)
    drafter = drafting(engine, other)
    requests = [engine.add(prompt, SamplingParams(max_tokens=30)) for prompt in models.prompts[:3]]
    for _ in range(3):
        engine.step()
    assert len(drafter._drafts) == 3
    for request in requests:
        engine.cancel(request)
    assert not drafter._drafts
    assert not drafter._chains
    assert drafter.pool.free == drafter.pool.count


def test_what_was_drafted_for_other_tokens_is_not_proposed(pair: Callable[[str], Pair]) -> None:
    drafter = drafting(pair("llama").engine())
    request = Request((1, 2, 3), SamplingParams())
    drafter.prepare([request], DEPTH)
    state = drafter.begin(request)
    assert state is not None
    best, second, *_ = drafter.candidates(state)
    assert drafter.advance(state, best.token) is not None
    assert drafter.advance(state, second.token) is None, "a sibling of the chain is a leaf"
    request.extend([4])
    assert drafter.begin(request) is None


def test_a_chain_ends_with_an_end_token_and_where_little_hope_is_left(pair: Callable[[str], Pair]) -> None:
    engine = pair("llama").engine()
    drafter = drafting(engine)
    request = Request((1, 2, 3), SamplingParams())
    drafter.prepare([request], DEPTH)
    chain = [level[0].token for level in drafter._chains[request.id].levels]
    assert len(chain) == DEPTH
    ending = Request((1, 2, 3), SamplingParams(eos_ids=frozenset({chain[1]})))
    drafter.prepare([ending], DEPTH)
    assert len(drafter._chains[ending.id].levels) == chain.index(chain[1]) + 1
    cautious = drafting(engine, exit_below=0.9)
    cautious.prepare([request], DEPTH)
    assert len(cautious._chains[request.id].levels) == 1
    nearly = Request((1, 2, 3), SamplingParams(max_tokens=3))
    drafter.prepare([nearly], DEPTH)
    assert len(drafter._chains[nearly.id].levels) == 2, "the last token needs no draft"


@settings(max_examples=15)
@given(
    prompts=st.lists(st.lists(st.integers(0, VOCAB - 1), min_size=2, max_size=40), min_size=1, max_size=3),
    right=st.floats(0, 1),
    seed=st.integers(0, 1000),
    limit=st.integers(2, 20),
    depth=st.integers(1, 6),
    block=st.sampled_from([1, 3, 4, 16]),
    chunk=st.integers(1, 40),
    same=st.booleans(),
)
def test_kept_keys_and_values_are_those_of_a_fresh_prefill(
    tiny_runner: Callable[[str], ModelRunner],
    other: ModelRunner,
    prompts: list[list[int]],
    right: float,
    seed: int,
    limit: int,
    depth: int,
    block: int,
    chunk: int,
    same: bool,
) -> None:
    """Whoever's drafts were accepted, and however far: what the draft model keeps, it would compute."""
    target = tiny_runner("llama")
    futures = {
        tuple(prompt): new_engine(target).generate([prompt], SamplingParams(max_tokens=14))[0]
        for prompt in prompts
    }
    runner = target if same else other
    drafter = DraftModelDrafter(
        runner, vocab_size=VOCAB, block_size=block, cache_mb=1, chunk=chunk, exit_below=0
    )
    engine = new_engine(target)
    knowing = OracleDrafter(futures, vocabulary=VOCAB, right=right, wrong=2, seed=seed)
    engine.speculator = Speculator([knowing, drafter], limit=limit, planner=None, depth=depth)
    requests = [engine.add(prompt, SamplingParams(max_tokens=14)) for prompt in prompts]
    while engine.busy:
        engine.step()
        for request in requests:
            if request.id in drafter._drafts:
                check_kept(drafter, request)
    assert [request.output for request in requests] == [futures[tuple(prompt)] for prompt in prompts]


def check_kept(drafter: DraftModelDrafter, request: Request) -> None:
    draft = drafter._drafts[request.id]
    sequence, size = draft.sequence, drafter.pool.block_size
    assert sequence.tokens[: draft.settled] == request.tokens[: draft.settled]
    if sequence.computed == 0:
        return
    slots = slots_of(sequence.block_table, sequence.computed, size)
    fresh = new_engine(drafter.runner)
    again = fresh.add(sequence.tokens, SamplingParams(max_tokens=2))
    fresh.step()
    wanted = slots_of(again.block_table, sequence.computed, fresh.pool.block_size)
    for kept, computed in zip(drafter.cache.keys, fresh.cache.keys, strict=True):
        torch.testing.assert_close(kept[slots], computed[wanted], atol=1e-5, rtol=1e-4)
    for kept, computed in zip(drafter.cache.values, fresh.cache.values, strict=True):
        torch.testing.assert_close(kept[slots], computed[wanted], atol=1e-5, rtol=1e-4)


def new_engine(runner: ModelRunner) -> Engine:
    return Engine(runner, engine_settings())


@cache
def engine_settings() -> GenerateSettings:
    return generate_settings(max_batch_tokens=256)
