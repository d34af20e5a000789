"""Every drafter, alone and under the planner, writes what transformers writes: families x cache states."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from generate.engine.runner import ModelRunner, load_model
from generate.grammar import Grammar, GrammarCompiler
from tests.generate.drafters import OracleDrafter
from tests.generate.families import VOCAB
from tests.generate.grammars import byte_level
from tests.generate.pairs import MODELS, SMOLLM, Pair, random_prompts
from tests.generate.reference import assert_same, preempting, run
from tests.generate.speculators import KINDS, Moody, open_kind, restless
from tests.generate.test_constrained import SCHEMA

COUNT = 24
LENGTHS = (110, 35, 94, 20, 70, 64, 48, 80)
NOISE = 0.05
"""Of a draft model's weights, relative: enough for it to be wrong now and then."""
STATES = {"batch": (1, 8), "cached": (False, True), "chunked": (False, True), "preempted": (False, True)}


def pairwise(factors: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Few cases in which all pairs of two factors' values occur, found greedily."""

    def pairs(case: Sequence[Any]) -> set[Any]:
        return set(itertools.combinations(enumerate(case), 2))

    cases = list(itertools.product(*factors.values()))
    missing = set().union(*map(pairs, cases))
    found = []
    while missing:
        best = max(cases, key=lambda case: len(pairs(case) & missing))
        missing -= pairs(best)
        found.append(dict(zip(factors, best, strict=True)))
    return found


def test_pairs_are_all_there() -> None:
    cases = pairwise({"kind": KINDS, **STATES})
    assert len(cases) < 24
    for (one, ones), (other, others) in itertools.combinations({"kind": KINDS, **STATES}.items(), 2):
        assert {(case[one], case[other]) for case in cases} == set(itertools.product(ones, others))


@pytest.fixture(scope="module")
def draft(tiny_model: Callable[[str], Path], smollm_folder: Path) -> Callable[[str], ModelRunner]:
    """A draft model that mostly agrees with the target: the same, with noise in its weights."""

    @cache
    def build(family: str) -> ModelRunner:
        model = load_model(smollm_folder if family == SMOLLM else tiny_model(family), device="cpu")
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(0)
            for parameter in model.parameters():
                parameter.add_(NOISE * parameter.std() * torch.randn_like(parameter))
        return ModelRunner(model)

    return lambda name: build(name.removeprefix("lean "))


@pytest.fixture(scope="module")
def grammar(tokenizer: Any, pair: Callable[[str], Pair]) -> Callable[[str], Grammar]:
    @cache
    def build(real: bool) -> Grammar:
        if real:
            runner = pair(SMOLLM).runner
            return GrammarCompiler(tokenizer, runner.vocab_size, runner.eos_ids).json_schema(SCHEMA)
        small = byte_level("is er nt ntr", "<eos>")
        return GrammarCompiler(small, VOCAB, {small.convert_tokens_to_ids("<eos>")}).json_schema(SCHEMA)

    return lambda name: build(name == SMOLLM)


def prompts_for(models: Pair, name: str) -> list[list[int]]:
    """Prompts that say things twice; some fit a self-draft's budget, most do not."""
    if name != SMOLLM:
        return [
            (half := prompt[: length // 2]) + half
            for prompt, length in zip(random_prompts(LENGTHS), LENGTHS, strict=True)
        ]
    text = [token for prompt in models.prompts for token in prompt] * 2
    return [text[start : start + length] for start, length in zip(range(0, 80, 10), LENGTHS, strict=True)]


def check(
    models: Pair,
    name: str,
    kind: str,
    draft: ModelRunner,
    grammar: Grammar | None,
    *,
    batch: int,
    cached: bool,
    chunked: bool,
    preempted: bool,
) -> None:
    """One drafter in one state of the cache."""
    prompts = prompts_for(models, name)[:batch]
    tight = preempted and not cached and batch > 1
    blocks = -(-(max(LENGTHS) + COUNT) // 4) + 10 if tight else 600
    engine = models.engine(blocks=blocks, max_batch_tokens=24 if chunked else 300)
    wanted = models.reference(prompts, COUNT, grammar)
    futures = {tuple(prompt): found.tokens for prompt, found in zip(prompts, wanted, strict=True)}
    knowing = OracleDrafter(
        futures, vocabulary=models.runner.vocab_size, right=0.5
    )  # others rarely know a way
    cache_mb = 160.0 if name == SMOLLM else 8.0
    engine.speculator = open_kind(kind, engine, draft, cache_mb=cache_mb, guest=knowing)
    if cached:
        stems = [prompt[: len(prompt) * 6 // 10] for prompt in prompts]
        run(engine, stems, 5, grammar)
    between = preempting(3) if preempted and not tight else None
    done = run(engine, prompts, COUNT, grammar, between)
    assert_same(wanted, [found for _, found in done])
    requests = [request for request, _ in done]
    assert all(request.cached_prompt_tokens > 0 for request in requests) or not cached
    assert any(request.preemptions for request in requests) == preempted
    assert any(request.drafted for request in requests)
    assert engine.pool.free == engine.pool.count
    if isinstance(engine.speculator, Moody):
        engine.speculator.check()


SAMPLE = [
    (MODELS[number % (len(MODELS) - 1)], case)
    for number, case in enumerate(pairwise({"kind": KINDS, **STATES}))
]
"""By default a few: all tiny models, all drafters, and all pairs of a drafter and a state."""


@pytest.mark.parametrize(
    ("name", "case"),
    SAMPLE,
    ids=lambda part: str(part) if isinstance(part, str) else "-".join(map(str, part.values())),
)
def test_a_sample(
    pair: Callable[[str], Pair],
    draft: Callable[[str], ModelRunner],
    grammar: Callable[[str], Grammar],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    case: dict[str, Any],
) -> None:
    restless(monkeypatch.setattr)
    kind, states = case["kind"], {state: case[state] for state in STATES}
    rules = grammar(name) if kind == "grammar" else None
    check(pair(name), name, kind, draft(name), rules, **states)


@pytest.mark.deep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_everywhere(
    pair: Callable[[str], Pair],
    draft: Callable[[str], ModelRunner],
    grammar: Callable[[str], Grammar],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    kind: str,
) -> None:
    """Every drafter on every model, in all pairs of states."""
    restless(monkeypatch.setattr)
    rules = grammar(name) if kind == "grammar" else None
    for states in pairwise(STATES):
        check(pair(name), name, kind, draft(name), rules, **states)
    if kind == "auto with models":  # a grammar under drafters that know nothing of it
        states = {"batch": 8, "cached": True, "chunked": True, "preempted": False}
        check(pair(name), name, kind, draft(name), grammar(name), **states)
