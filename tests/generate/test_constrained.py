"""Constrained output is valid and the model's own best valid text, with whatever drafts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from configs.errors import InputError
from generate.engine.engine import Engine
from generate.engine.request import FinishReason, Request, SamplingParams
from generate.engine.runner import ModelRunner
from generate.grammar import Grammar, GrammarCompiler, GrammarError, GrammarState
from generate.speculate.factory import CHEAP
from generate.speculate.speculator import Speculator
from tests.generate.conftest import generate_settings
from tests.generate.drafters import OracleDrafter
from tests.generate.pairs import SMOLLM, Pair

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"enum": ["Paris", "Berlin", "Rome"]},
        "country_of_the_city": {"enum": ["France", "Germany", "Italy"]},
        "is_a_capital": {"type": "boolean"},
        "district": {"type": "integer", "minimum": 1, "maximum": 20},
    },
    "required": ["city", "country_of_the_city", "is_a_capital", "district"],
    "additionalProperties": False,
}
QUESTION = "Describe Berlin as JSON with the keys city, country_of_the_city, is_a_capital, district.\n"


@pytest.fixture(scope="module")
def runner(pair: Callable[[str], Pair]) -> ModelRunner:
    return pair(SMOLLM).runner


@pytest.fixture(scope="module")
def compiler(tokenizer: Any, runner: ModelRunner) -> GrammarCompiler:
    return GrammarCompiler(tokenizer, runner.vocab_size, runner.eos_ids)


Run = Callable[..., Request]


@pytest.fixture(scope="module")
def run(runner: ModelRunner, tokenizer: Any) -> Iterator[Run]:
    prompt = tokenizer(QUESTION)["input_ids"]

    @cache
    def run(
        grammar: Grammar | None, drafters: tuple[str, ...] = (), temperature: float = 0.0, seed: int = 0
    ) -> Request:
        engine = Engine(runner, generate_settings(kv_cache_mb=64, max_batch_tokens=128))
        if drafters:
            engine.speculator = Speculator([CHEAP[name]() for name in drafters], limit=12, planner=None)
        params = SamplingParams(max_tokens=48, temperature=temperature, seed=seed, eos_ids=runner.eos_ids)
        request = engine.add(prompt, params, grammar=grammar)
        while engine.busy:
            engine.step()
        return request

    yield run
    run.cache_clear()


def text_of(request: Request, tokenizer: Any) -> str:
    assert request.finished is FinishReason.EOS, request.error
    text: str = tokenizer.decode(request.output[:-1])
    return text


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_output_matches_its_schema_and_drafts_change_nothing(
    run: Run, compiler: GrammarCompiler, tokenizer: Any, temperature: float
) -> None:
    grammar = compiler.json_schema(SCHEMA)
    plain = run(grammar, temperature=temperature)
    value = json.loads(text_of(plain, tokenizer))
    assert value["city"] in ("Paris", "Berlin", "Rome")
    assert list(value) == list(SCHEMA["properties"])
    assert 1 <= value["district"] <= 20
    for drafters in (("grammar",), ("copy", "recycle"), ("copy", "recycle", "grammar")):
        assert run(grammar, drafters, temperature).output == plain.output


def test_forced_tokens_are_drafts_that_never_fail(run: Run, compiler: GrammarCompiler) -> None:
    request = run(compiler.json_schema(SCHEMA), ("grammar",))
    saved = len(request.output) - request.steps
    assert saved > 0.5 * len(request.output)
    assert request.drafted - saved <= 1, "all are accepted; behind the end no token follows"


def test_sampled_output_matches_its_regex(run: Run, compiler: GrammarCompiler, tokenizer: Any) -> None:
    grammar = compiler.regex(r"[A-Z][a-z]{2,4} has [0-9]{1,2} (bridges|parks)\.")
    found = {text_of(run(grammar, ("copy", "grammar"), 2.0, seed), tokenizer) for seed in range(3)}
    assert len(found) > 1
    for text in found:
        assert text.endswith((" bridges.", " parks."))


def test_a_drafter_that_ignores_the_grammar_cannot_break_it(
    runner: ModelRunner, compiler: GrammarCompiler, tokenizer: Any, run: Run
) -> None:
    """Drafts that the model would accept, but the grammar does not."""
    grammar = compiler.json_schema(SCHEMA)
    plain = run(grammar)
    free = run(None)
    engine = Engine(runner, generate_settings(kv_cache_mb=64, max_batch_tokens=128))
    drafter = OracleDrafter({tuple(plain.prompt): free.output}, vocabulary=runner.vocab_size, right=1.0)
    engine.speculator = Speculator([drafter], limit=12, planner=None)
    request = engine.add(plain.prompt, plain.params, grammar=grammar)
    while engine.busy:
        engine.step()
    assert request.output == plain.output != free.output


def test_a_grammar_of_another_model_is_refused(runner: ModelRunner, tokenizer: Any) -> None:
    engine = Engine(runner, generate_settings(kv_cache_mb=16))
    other = GrammarCompiler(tokenizer, runner.vocab_size + 64, runner.eos_ids).regex("[a-z]+")
    with pytest.raises(InputError, match="another vocabulary"):
        engine.add([1], SamplingParams(eos_ids=runner.eos_ids), grammar=other)
    with pytest.raises(InputError, match="end tokens"):
        engine.add([1], SamplingParams(), grammar=GrammarCompiler(
            tokenizer, runner.vocab_size, runner.eos_ids
        ).regex("[a-z]+"))  # fmt: skip


@pytest.mark.parametrize("where", ["start", "fill"])
def test_a_grammar_that_fails_on_the_way_fails_its_request_alone(
    runner: ModelRunner,
    compiler: GrammarCompiler,
    tokenizer: Any,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    plain = run(None)
    engine = Engine(runner, generate_settings(kv_cache_mb=64, max_batch_tokens=128))
    engine.speculator = Speculator([CHEAP["grammar"](), CHEAP["copy"]()], limit=8, planner=None)
    grammar = compiler.regex("[a-z ]{5,40}")

    def wears_out(*_: Any) -> None:
        raise GrammarError("too complex to follow")

    owner = Grammar if where == "start" else GrammarState
    monkeypatch.setattr(owner, where, wears_out)
    monkeypatch.setattr(GrammarState, "forced", wears_out)  # what one method meets the others meet
    doomed = engine.add(plain.prompt, plain.params, grammar=grammar)
    other = engine.add(plain.prompt, plain.params)
    while engine.busy:
        engine.step()
    assert doomed.finished is FinishReason.FAILED
    assert isinstance(doomed.error, GrammarError)
    assert other.output == plain.output
    assert engine.pool.free == engine.pool.count
