"""SmolLM2-135M over 40 prompts with retrieved passages: every drafter writes what the model writes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from generate.engine.engine import Engine
from generate.engine.request import Request
from generate.engine.runner import ModelRunner, load_model
from generate.load import runner_for
from tests.generate.conftest import generate_settings
from tests.generate.long_prompts import long_prompts
from tests.generate.reference import Continuation, Reference, assert_same, compare, preempting, run
from tests.generate.speculators import KINDS, open_kind, restless

PROMPTS = 40
BATCH = 8
COUNT = 64
WRITING = tuple(kind for kind in KINDS if kind != "grammar")
"""Who drafts where no grammar is asked for."""
PREEMPTED_EVERY = 7

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def runner(smollm_folder: Path) -> Callable[[str], ModelRunner]:
    return cache(lambda weights: runner_for(load_model(smollm_folder, device="cpu"), int8=weights == "int8"))


@pytest.fixture(scope="module")
def reference(smollm_folder: Path) -> Reference:
    return Reference(smollm_folder)


@pytest.fixture(scope="module")
def prompts(tokenizer: Any) -> list[list[int]]:
    return long_prompts(tokenizer, PROMPTS)


def roomy(runner: ModelRunner, prompts: Sequence[Sequence[int]]) -> Engine:
    """An engine whose cache keeps all prompts and answers."""
    tokens = sum(len(prompt) + 2 * COUNT for prompt in prompts)
    size = tokens * runner.bytes_per_token() / 2**20
    return Engine(runner, generate_settings(kv_cache_mb=size, block_size=16, max_batch_tokens=512))


def hold(what: str, wanted: Sequence[Continuation], done: Sequence[tuple[Request, Continuation]]) -> None:
    """Say how far an output agrees, and fail unless it does."""
    parted = []
    for number, (want, (_, got)) in enumerate(zip(wanted, done, strict=True)):
        where, off = compare(want, got)
        parted += [(number, where.token, where.margin)] if where else []
        log.info("%s: prompt %d, logits off by %.1e", what, number, off)
    requests = [request for request, _ in done]
    tokens, steps = sum(len(r.output) for r in requests), sum(r.steps for r in requests)
    log.info(
        "%s: %d of %d agree, %d tokens in %d steps, %d drafts, %d preemptions, cached %d; parted %s",
        what, len(done) - len(parted), len(done), tokens, steps, sum(r.drafted for r in requests),
        sum(r.preemptions for r in requests), sum(r.cached_prompt_tokens for r in requests), parted,
    )  # fmt: skip
    assert_same(wanted, [found for _, found in done])


@pytest.mark.deep
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize("first", range(0, PROMPTS, BATCH))
@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_every_drafter_over_long_prompts(
    runner: Callable[[str], ModelRunner],
    reference: Reference,
    prompts: list[list[int]],
    weights: str,
    first: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Batch 1 and 8; prompts prefilled in chunks beside others, found in the cache, and preempted.

    In float32 against transformers' `generate`, with INT8 weights against the same without drafts.
    """
    restless(monkeypatch.setattr)
    target, group = runner(weights), prompts[first : first + BATCH]
    if weights == "int8":
        wanted = [found for _, found in run(roomy(target, group), group, COUNT)]
    else:
        wanted = reference(group, COUNT)
    engine = roomy(target, group)
    room = 1.2 * engine.pool.count * engine.pool.block_size * target.bytes_per_token() / 2**20
    ahead = first // BATCH  # who meets the prompts first is each time another
    for kind in (*WRITING[ahead:], *WRITING[:ahead]):
        engine.speculator = open_kind(kind, engine, runner("int8"), limit=8, budget=256, cache_mb=room)
        what = f"{weights} {first} {kind}"
        hold(f"{what} batch {BATCH}", wanted, run(engine, group, COUNT, between=preempting(PREEMPTED_EVERY)))
        for number, prompt in enumerate(group):
            hold(f"{what} batch 1", wanted[number : number + 1], run(engine, [prompt], COUNT))
