"""Whatever is drafted, accepted, shared, preempted or cancelled: kept K/V are those of a fresh prefill."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from configs.sections import GenerateSettings
from generate.engine.batch import slots_of
from generate.engine.blocks import BlockPool
from generate.engine.engine import Engine
from generate.engine.kv_cache import KVCache
from generate.engine.lean import LeanRunner
from generate.engine.lean_model import FAMILIES as LEAN
from generate.engine.linear import FloatLinear
from generate.engine.request import FinishReason, Request, SamplingParams
from generate.engine.runner import ModelRunner, load_model
from generate.speculate.speculator import Speculator
from tests.generate.conftest import generate_settings
from tests.generate.drafters import OracleDrafter
from tests.generate.families import FAMILIES, VOCAB

Runners = Callable[[str], ModelRunner]
NAMES = sorted(FAMILIES) + [f"lean {family}" for family in LEAN]
WRITTEN = 14
BLOCKS = (1, 3, 4, 16)


@dataclass(frozen=True)
class Arrival:
    """A request to come: its prompt begins as others' do; greedy where the temperature is 0."""

    at: int
    stem: int
    """Tokens of the common text that it begins with."""
    own: tuple[int, ...]
    written: int
    temperature: float
    salt: str
    cancelled_after: int | None


@dataclass(frozen=True)
class Day:
    """Arrivals, the engine that gets them, and how good the drafts are."""

    name: str
    arrivals: tuple[Arrival, ...]
    block: int
    spare: int
    """Blocks of the cache beyond what the largest request takes."""
    budget: int
    preempt_every: int
    right: float
    wrong: int
    limit: int
    seed: int


ARRIVALS = st.builds(
    Arrival,
    at=st.integers(0, 8),
    stem=st.integers(0, 40),
    own=st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=12).map(tuple),
    written=st.integers(2, WRITTEN),
    temperature=st.sampled_from([0.0, 0.0, 0.9]),
    salt=st.sampled_from(["", "", "", "another"]),
    cancelled_after=st.none() | st.none() | st.integers(1, 6),
)
DAYS = st.builds(
    Day,
    name=st.sampled_from(NAMES),
    arrivals=st.lists(ARRIVALS, min_size=1, max_size=5).map(tuple),
    block=st.sampled_from(BLOCKS),
    spare=st.integers(0, 30),
    budget=st.integers(5, 80),
    preempt_every=st.sampled_from([2, 3, 5, 1000]),
    right=st.floats(0, 1),
    wrong=st.integers(0, 5),
    limit=st.integers(1, 30),
    seed=st.integers(0, 1000),
)


@pytest.fixture(scope="module")
def runners(tiny_model: Callable[[str], Path]) -> Runners:
    @cache
    def build(name: str) -> ModelRunner:
        model = load_model(tiny_model(name.removeprefix("lean ")), device="cpu")
        return LeanRunner(model, FloatLinear) if name.startswith("lean ") else ModelRunner(model)

    return build


@cache
def engine_settings(block: int, budget: int) -> GenerateSettings:
    return generate_settings(block_size=block, max_batch_tokens=budget)


def prompt_of(arrival: Arrival) -> list[int]:
    source = random.Random(1)
    return [*(source.randrange(VOCAB) for _ in range(arrival.stem)), *arrival.own]


def params_of(arrival: Arrival) -> SamplingParams:
    return SamplingParams(max_tokens=arrival.written, temperature=arrival.temperature, seed=9)


class Keeper:
    """Runs a day and compares the caches at every step."""

    def __init__(self, day: Day, runner: ModelRunner) -> None:
        self.day = day
        self.runner = runner
        self.futures = {
            arrival: Engine(runner, engine_settings(16, 256)).generate(
                [prompt_of(arrival)], params_of(arrival)
            )[0]
            for arrival in day.arrivals
        }
        longest = max(len(prompt_of(one)) + one.written for one in day.arrivals)
        blocks = -(-longest // day.block) + day.spare
        chosen = engine_settings(day.block, day.budget)
        size = (blocks + 0.5) * day.block * runner.bytes_per_token() / 2**20
        self.engine = Engine(runner, chosen.model_copy(update={"kv_cache_mb": size}))
        known = {tuple(prompt_of(arrival)): output for arrival, output in self.futures.items()}
        drafter = OracleDrafter(known, vocabulary=VOCAB, right=day.right, wrong=day.wrong, seed=day.seed)
        self.engine.speculator = Speculator([drafter], limit=day.limit, planner=None)
        self.requests: list[tuple[Arrival, Request]] = []
        self._written: dict[int, int] = {}
        """Tokens that requests had written when they were preempted last."""
        self._fresh: dict[tuple[int, ...], list[Tensor]] = {}

    def run(self) -> None:
        engine, coming = self.engine, sorted(self.day.arrivals, key=lambda arrival: arrival.at)
        now = 0
        while coming or engine.busy:
            while coming and coming[0].at <= now:
                arrival = coming.pop(0)
                request = engine.add(prompt_of(arrival), params_of(arrival), salt=arrival.salt)
                self.requests.append((arrival, request))
            self._disturb(now)
            engine.step()
            for _, request in self.requests:
                if request.computed:
                    self.check(request)
            now += 1
            assert now < 2000
        assert engine.pool.free == engine.pool.count
        for arrival, request in self.requests:
            if request.finished is not FinishReason.CANCELLED:
                assert request.output == self.futures[arrival]
            self.check_published(request)

    def _disturb(self, now: int) -> None:
        """Cancel who is to be cancelled; now and then preempt who came last, once it has read its tokens
        and written another: a cache of one block and a small budget would never get further otherwise."""
        for arrival, request in self.requests:
            if arrival.cancelled_after == now - arrival.at:
                self.engine.cancel(request)
        writing = [request for request in self.engine.scheduler.running[-1:] if request.pending == 1]
        if writing and now % self.day.preempt_every == 1:
            (last,) = writing
            if len(last.output) != self._written.get(last.id, 0):
                self._written[last.id] = len(last.output)
                self.engine.scheduler._preempt(last)

    def check_published(self, request: Request) -> None:
        """What a request that goes on from these tokens would find in the cache."""
        later = Request((*request.tokens, 0), SamplingParams(), request.salt)
        self.engine.pool.attach_prefix(later)
        if later.computed:
            self.check(later)
        self.engine.pool.release(later)

    def check(self, request: Request) -> None:
        kept = contents(self.engine.cache, self.engine.pool, request)
        for found, wanted in zip(kept, self.fresh(request.tokens), strict=True):
            torch.testing.assert_close(found, wanted[: len(found)], atol=1e-5, rtol=1e-4)

    def fresh(self, tokens: Sequence[int]) -> list[Tensor]:
        """What one prefill of these tokens computes, in an engine that knows nothing."""
        key = tuple(tokens)
        if key not in self._fresh:
            engine = Engine(self.runner, engine_settings(16, 256))
            request = engine.add(key, SamplingParams(max_tokens=2))
            engine.step()
            self._fresh[key] = [store.clone() for store in contents(engine.cache, engine.pool, request)]
        return self._fresh[key]


def contents(cache: KVCache, pool: BlockPool, request: Request) -> list[Tensor]:
    """Keys and values of a request's computed tokens, layer by layer."""
    slots = slots_of(request.block_table, request.computed, pool.block_size)
    return [store[slots] for store in (*cache.keys, *cache.values)]


@settings(max_examples=15)
@given(day=DAYS)
def test_kept_keys_and_values_are_those_of_a_fresh_prefill(runners: Runners, day: Day) -> None:
    Keeper(day, runners(day.name)).run()


@pytest.mark.deep
@pytest.mark.timeout(3600)
@settings(max_examples=1000)
@given(day=DAYS)
def test_kept_keys_and_values_over_many_days(runners: Runners, day: Day) -> None:
    Keeper(day, runners(day.name)).run()


PAIR = tuple(Arrival(at, 20, (at, 2), WRITTEN, 0.0, "", None) for at in (0, 1))


@pytest.mark.parametrize("name", ["llama", "lean llama"])
@pytest.mark.parametrize("bug", ["a lost move", "a block too many published"])
def test_planted_bugs_are_found(
    runners: Runners, monkeypatch: pytest.MonkeyPatch, name: str, bug: str
) -> None:
    if bug == "a lost move":
        monkeypatch.setattr(KVCache, "move", lambda *_: None)
    else:
        publish = BlockPool.publish

        def early(self: BlockPool, request: Request, before: int) -> None:
            """As if the last token's K/V were there already."""
            request.computed += 1
            publish(self, request, before)
            request.computed -= 1

        monkeypatch.setattr(BlockPool, "publish", early)
    with pytest.raises(AssertionError):
        run_days(runners(name), name)


def run_days(runner: ModelRunner, name: str) -> None:
    """A few days with many accepted drafts, of which some lie apart."""
    for seed in range(4):
        day = Day(
            name, PAIR, 4, spare=30, budget=64, preempt_every=1000, right=0.9, wrong=3, limit=12, seed=seed
        )
        Keeper(day, runner).run()


def test_those_days_are_fine_without_the_bugs(runners: Runners) -> None:
    run_days(runners("llama"), "llama")
