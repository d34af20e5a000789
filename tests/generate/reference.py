"""What transformers' `generate` says, and the rule by which the engine must agree with it.

The contract: float32 greedy output is the same token for token. Where it is not, the reference's
two best logits must lie within `TIE`, and that may happen once in 1,000 tokens. Logits are compared
as well, because a random model's choices survive a good deal of damage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, LogitsProcessor

from generate.engine.engine import Engine
from generate.engine.request import Request, SamplingParams
from generate.grammar import Grammar

TIE = 2e-4
TOLERANCE = 1e-4
"""Of a logit, absolute; of a model whose logits exceed 10, a hundred-thousandth of the largest."""


@dataclass(frozen=True)
class Continuation:
    """A greedy continuation and the logits of each of its steps: (tokens, vocabulary), -inf where a
    grammar forbids."""

    tokens: list[int]
    logits: Tensor


@dataclass(frozen=True)
class Divergence:
    """The first token that is another, and the reference's two best logits there, apart."""

    token: int
    margin: float


class Constrained(LogitsProcessor):
    """Allows in transformers' `generate` what a grammar allows behind a prompt of so many tokens."""

    def __init__(self, grammar: Grammar, prompt: int) -> None:
        self._grammar = grammar
        self._prompt = prompt

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        state = self._grammar.start()
        for token in input_ids[0, self._prompt :].tolist():
            after = state.advance(token)
            assert after is not None
            state = after
        return scores.masked_fill(~state.mask(), -torch.inf)


class Reference:
    """transformers, with its plain attention."""

    def __init__(self, folder: Path) -> None:
        self._known: dict[tuple[tuple[int, ...], int, Grammar | None], Continuation] = {}
        self._model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
        ).eval()

    def __call__(
        self, prompts: Sequence[Sequence[int]], count: int, grammar: Grammar | None = None
    ) -> list[Continuation]:
        """The continuations of these prompts by ``count`` tokens; computed once."""
        keys = [(tuple(prompt), count, grammar) for prompt in prompts]
        for key in keys:
            if key not in self._known:
                self._known[key] = self._generate(*key)
        return [self._known[key] for key in keys]

    @torch.inference_mode()
    def _generate(self, prompt: tuple[int, ...], count: int, grammar: Grammar | None) -> Continuation:
        ids = torch.tensor([prompt])
        constraint = {}
        if grammar is not None:
            ends = sorted(grammar.compiler.eos_ids)
            constraint = {"logits_processor": [Constrained(grammar, len(prompt))], "eos_token_id": ends}
        result = self._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            do_sample=False,
            output_scores=True,
            return_dict_in_generate=True,
            pad_token_id=0,
            **constraint,
        )
        return Continuation(result.sequences[0, len(prompt) :].tolist(), torch.cat(result.scores))


def run(
    engine: Engine,
    prompts: Sequence[Sequence[int]],
    count: int,
    grammar: Grammar | None = None,
    between: Callable[[Engine], None] | None = None,
) -> list[tuple[Request, Continuation]]:
    """Run prompts side by side and keep what the engine computed.

    Args:
        between: called before every step.
    """
    logits: dict[int, list[Tensor]] = {}

    def choose(request: Request, row: Tensor, tokens: Sequence[int]) -> int:
        logits.setdefault(request.id, []).append(row.clone())
        return Engine._choose(engine, request, row, tokens)

    engine._choose = choose
    ends = engine.runner.eos_ids if grammar is None else grammar.compiler.eos_ids
    params = SamplingParams(max_tokens=count, eos_ids=ends)
    requests = [engine.add(prompt, params, grammar=grammar) for prompt in prompts]
    while engine.busy:
        if between is not None:
            between(engine)
        engine.step()
    return [
        (request, Continuation(request.output, torch.stack(logits[request.id][: len(request.output)])))
        for request in requests
    ]


def preempting(every: int) -> Callable[[Engine], None]:
    """Takes the blocks of the latest request that writes away, after so many steps.

    At least two of them have to be steps in which it writes: a draft needs one.
    """
    steps = wrote = 0

    def between(engine: Engine) -> None:
        nonlocal steps, wrote
        writing = [request for request in engine.scheduler.running[-1:] if request.pending == 1]
        steps, wrote = steps + 1, wrote + bool(writing)
        if writing and steps >= every and wrote >= 2:
            engine.scheduler._preempt(writing[0])
            steps = wrote = 0

    return between


def compare(want: Continuation, got: Continuation) -> tuple[Divergence | None, float]:
    """Where two continuations part, if they do, and by how much a logit is off up to there.

    How far a logit is off counts as `TOLERANCE` does.
    """
    steps = min(len(want.tokens), len(got.tokens))
    same = next((i for i in range(steps) if want.tokens[i] != got.tokens[i]), steps)
    # The logits of the step that diverges were still computed from the same tokens.
    compared = min(same + 1, steps)
    wanted, found = want.logits[:compared], got.logits[:compared]
    forbidden = wanted.isneginf()
    assert forbidden.equal(found.isneginf()), "a grammar forbids other tokens"
    wanted, found = wanted.masked_fill(forbidden, 0), found.masked_fill(forbidden, 0)
    off = float((wanted - found).abs().max()) / max(1.0, float(wanted.abs().max()) / 10)
    if same == steps:
        return None, off
    first, second = want.logits[same].topk(2).values.tolist()
    return Divergence(same, first - second), off


def assert_same(wanted: Sequence[Continuation], found: Sequence[Continuation]) -> None:
    """Fail unless the contract holds for these continuations together."""
    ties = 0
    for number, (want, got) in enumerate(zip(wanted, found, strict=True)):
        parted, off = compare(want, got)
        assert off <= TOLERANCE, f"prompt {number}: a logit is off by {off:.1e}"
        if parted is None:
            assert len(want.tokens) == len(got.tokens), f"prompt {number}: one ends before the other"
        else:
            assert parted.margin <= TIE, (
                f"prompt {number}, token {parted.token}: {want.tokens} is not {got.tokens}"
            )
            ties += 1
    assert ties * 1000 <= max(1000, sum(len(want.tokens) for want in wanted)), f"{ties} ties"
