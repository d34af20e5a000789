"""With every drafter, tokens are drawn from the model's own distribution: chi-square tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from generate.engine import engine
from generate.engine.engine import Engine
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner
from generate.grammar import Grammar, GrammarCompiler
from generate.speculate.drafter import Outcome
from generate.speculate.speculator import Speculator
from generate.speculate.tree import ROOT
from generate.speculate.verify import walk
from tests.generate.conftest import generate_settings
from tests.generate.families import VOCAB
from tests.generate.grammars import byte_level
from tests.generate.speculators import KINDS, open_kind, restless

DRAWS = 50_000
LENGTH = 250
BATCH = 50
BINS = 50
UNLIKELY = 1e-3
SMALL = 12
"""Tokens of the small vocabulary."""
RULES: tuple[dict[str, Any], ...] = (
    {"temperature": 1.0},
    {"temperature": 0.5},
    {"temperature": 1.0, "top_k": 4},
    {"temperature": 1.1, "top_p": 0.8},
    {"temperature": 1.0, "repetition_penalty": 1.3},
)
COUPLED = ("streaming", "snapkv", "model", "auto with models")
"""Their drafts are drawn with the noise that the target will use, so they tell what it will draw."""


@dataclass
class Draws:
    """The requests of a run, and which tokens were drafted for each place of their outputs."""

    requests: list[Request]
    drafted: dict[int, list[frozenset[int]]] = field(default_factory=dict)

    def watch(self, speculator: Speculator) -> None:
        """Write down what is drafted from now on; `observe` comes before a step's tokens are added."""
        learn = speculator.observe

        def observe(outcome: Outcome) -> None:
            children = outcome.tree.children()
            places = self.drafted.setdefault(outcome.request.id, [])
            for node in (ROOT, *outcome.accepted):
                places.append(frozenset(children.get(node, {})))
            learn(outcome)

        speculator.observe = observe  # type: ignore[method-assign]


def small_model(seed: int = 0, noise: float = 0.0) -> Any:
    """One layer, few tokens, and a distribution that depends on the whole context."""
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(
        vocab_size=SMALL, num_key_value_heads=1, max_position_embeddings=512, initializer_range=0.3,
        bos_token_id=None, eos_token_id=None, **shape,
    )  # fmt: skip
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        model.lm_head.weight *= 0.7
        for weights in model.parameters():
            weights.add_(noise * weights.std() * torch.randn_like(weights))
    return model.eval()


@cache
def grammar() -> Grammar:
    """Free letters, then three that are given, for longer than any output here."""
    small = byte_level("xx", "<eos>")
    return GrammarCompiler(small, VOCAB, {small.convert_tokens_to_ids("<eos>")}).regex(
        "([a-e][f-k]{2}x{3}){60}"
    )


def draw(
    runner: ModelRunner, kind: str, draft: ModelRunner, draws: int, rules: Grammar | None = None
) -> Draws:
    """Sample so many tokens, with prompts of which something can be copied."""
    settings = generate_settings(kv_cache_mb=64, block_size=8, max_batch_tokens=2048, max_running=BATCH)
    running = Engine(runner, settings)
    running.speculator = open_kind(kind, running, draft, limit=10, depth=3, budget=52, cache_mb=64)
    found = Draws([])
    found.watch(running.speculator)
    ends = frozenset() if rules is None else rules.compiler.eos_ids
    for number in range(-(-draws // LENGTH)):
        source = np.random.default_rng(number)
        prompt = source.integers(0, SMALL, 30).tolist() * 2
        params = SamplingParams(max_tokens=LENGTH, seed=number, eos_ids=ends, **RULES[number % len(RULES)])
        found.requests.append(running.add(prompt, params, grammar=rules))
    while running.busy:
        running.step()
    assert all(request.error is None for request in found.requests)
    return found


@torch.no_grad()
def distributions(model: Any, request: Request) -> Tensor:
    """What transformers says each place of an output is drawn from: (output, vocabulary)."""
    tokens, start = torch.tensor(request.tokens), len(request.prompt)
    logits = model(tokens[None]).logits[0, start - 1 : -1].float()
    params = request.params
    if params.repetition_penalty != 1:
        seen = tokens.repeat(len(logits), 1)
        later = torch.arange(len(tokens)) >= torch.arange(start, len(tokens))[:, None]
        logits = RepetitionPenaltyLogitsProcessor(params.repetition_penalty)(
            seen.masked_fill(later, request.prompt[0]), logits
        )
    if request.grammar is not None:
        state = request.grammar.start()
        for row, token in enumerate(request.output):
            logits[row].masked_fill_(~state.mask(), -torch.inf)
            after = state.advance(token)
            assert after is not None
            state = after
    logits = TemperatureLogitsWarper(params.temperature)(None, logits)
    if params.top_k:
        logits = TopKLogitsWarper(params.top_k)(None, logits)
    if params.top_p < 1:
        logits = TopPLogitsWarper(params.top_p)(None, logits)
    return logits.double().softmax(-1)


def positions(found: Draws, model: Any, drafted_first: bool) -> np.ndarray:
    """Where each drawn token lies in its cumulative distribution, at random within its own share.

    That is uniform exactly where tokens are drawn from these distributions, in whatever order the
    tokens stand, as long as it was known before the draw: drafted ones first, then the likeliest.
    """
    source = np.random.default_rng(7)
    places: list[float] = []
    for request in found.requests:
        probs = distributions(model, request).numpy()
        for row, token in enumerate(request.output):
            drafted = np.array(sorted(found.drafted[request.id][row]), dtype=int)
            share = probs[row]
            assert share[token] > 0, "a token outside the kept ones was drawn"
            keys = -share
            if drafted_first:
                keys[drafted] -= 2
            before = share[keys < keys[token]].sum()
            places.append(before + source.random() * share[token])
    return np.array(places)


def pvalue(places: np.ndarray) -> float:
    counts = np.histogram(places, BINS, (0, 1))[0]
    assert counts.sum() == len(places)
    return float(chisquare(counts).pvalue)


def check(kind: str, draws: int, folder: Callable[[str], Path]) -> float:
    """How likely draws as uneven as these are where all is right."""
    rules = None
    if kind == "grammar":
        model, rules = AutoModelForCausalLM.from_pretrained(folder("llama"), dtype=torch.float32), grammar()
        runner = draft = ModelRunner.from_folder(folder("llama"), device="cpu")
    else:
        model, runner, draft = small_model(), ModelRunner(small_model()), ModelRunner(small_model(noise=0.1))
    found = draw(runner, kind, draft, draws, rules)
    tokens = sum(len(request.output) for request in found.requests)
    steps = sum(request.steps for request in found.requests)
    assert tokens >= draws
    assert tokens > 1.02 * steps, "some drafts were accepted"
    rejected = sum(request.drafted for request in found.requests) - (tokens - steps)
    assert rejected > 0 or kind == "grammar", "and some were not"
    return pvalue(positions(found, model, kind not in COUPLED))


@pytest.mark.parametrize(
    ("kind", "draws"),
    [
        *(pytest.param(kind, DRAWS, marks=[pytest.mark.deep, pytest.mark.timeout(1200)]) for kind in KINDS),
        *((kind, DRAWS // 20) for kind in ("copy", "auto with models")),
    ],
)
def test_draws_follow_the_models_own_distribution(
    kind: str, draws: int, tiny_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    restless(monkeypatch.setattr)
    assert check(kind, draws, tiny_model) > UNLIKELY, "draws are uneven"


@pytest.mark.parametrize(
    ("kind", "draws"),
    [
        ("copy", DRAWS // 20),
        *(
            pytest.param(kind, DRAWS // 4, marks=pytest.mark.deep)
            for kind in ("recycle", "model", "auto with models")
        ),
    ],
)
def test_drafts_that_are_accepted_a_little_too_often_are_seen(
    kind: str, draws: int, tiny_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One draft in eight that the target did not choose is accepted all the same."""
    restless(monkeypatch.setattr)
    source = np.random.default_rng(3)

    def lenient(tree: Any, choose: Callable[[int, Sequence[int]], int]) -> Any:
        children = tree.children()

        def biased(node: int, path: Sequence[int]) -> int:
            token = choose(node, path)
            below = children.get(node, {})
            return next(iter(below)) if below and source.random() < 0.12 else token

        return walk(tree, biased)

    monkeypatch.setattr(engine, "walk", lenient)
    with pytest.raises(AssertionError, match=r"uneven|outside"):
        assert check(kind, draws, tiny_model) > UNLIKELY, "draws are uneven"
