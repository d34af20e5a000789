"""What transformers' `generate` says, and the rule by which the engine must agree with it.

The contract: float32 greedy output is the same token for token. Where it is not, the reference's
two best logits must lie within `TIE`, and that may happen once in 1,000 tokens. Logits are compared
as well, because a random model's choices survive a good deal of damage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from generate.engine.engine import Engine
from generate.engine.request import Request, SamplingParams

TIE = 2e-4
TOLERANCE = 1e-4
"""Of a logit, absolute; of a model whose logits exceed 10, a hundred-thousandth of the largest."""


@dataclass(frozen=True)
class Continuation:
    """A greedy continuation and the logits of each of its steps: (tokens, vocabulary)."""

    tokens: list[int]
    logits: Tensor


class Reference:
    """transformers, with its plain attention."""

    def __init__(self, folder: Path) -> None:
        self._known: dict[tuple[tuple[int, ...], int], Continuation] = {}
        self._model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
        ).eval()

    def __call__(self, prompts: Sequence[Sequence[int]], count: int) -> list[Continuation]:
        """The continuations of these prompts by ``count`` tokens; computed once."""
        keys = [(tuple(prompt), count) for prompt in prompts]
        for key in keys:
            if key not in self._known:
                self._known[key] = self._generate(*key)
        return [self._known[key] for key in keys]

    @torch.inference_mode()
    def _generate(self, prompt: tuple[int, ...], count: int) -> Continuation:
        ids = torch.tensor([prompt])
        result = self._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
            pad_token_id=0,
        )
        return Continuation(result.sequences[0, len(prompt) :].tolist(), torch.cat(result.logits))


def run(engine: Engine, prompts: Sequence[Sequence[int]], count: int) -> list[tuple[Request, Continuation]]:
    """Run prompts side by side and keep what the engine computed."""
    logits: dict[int, list[Tensor]] = {}

    def choose(request: Request, row: Tensor, tokens: Sequence[int]) -> int:
        logits.setdefault(request.id, []).append(row.clone())
        return Engine._choose(engine, request, row, tokens)

    engine._choose = choose
    params = SamplingParams(max_tokens=count, eos_ids=engine.runner.eos_ids)
    requests = [engine.add(prompt, params) for prompt in prompts]
    while engine.busy:
        engine.step()
    return [
        (request, Continuation(request.output, torch.stack(logits[request.id][: len(request.output)])))
        for request in requests
    ]


def assert_same(wanted: Sequence[Continuation], found: Sequence[Continuation]) -> None:
    """Fail unless the contract holds for these continuations together."""
    ties = 0
    for number, (want, got) in enumerate(zip(wanted, found, strict=True)):
        steps = min(len(want.tokens), len(got.tokens))
        same = next((i for i in range(steps) if want.tokens[i] != got.tokens[i]), steps)
        # The logits of the step that diverges were still computed from the same tokens.
        compared = min(same + 1, steps)
        allowed = TOLERANCE * max(1.0, float(want.logits.abs().max()) / 10)
        worst = float((want.logits[:compared] - got.logits[:compared]).abs().max())
        assert worst <= allowed, f"prompt {number}: a logit is off by {worst:.1e}"
        if same < steps:
            first, second = want.logits[same].topk(2).values.tolist()
            assert first - second <= TIE, f"prompt {number}, token {same}: {want.tokens} is not {got.tokens}"
            ties += 1
        else:
            assert len(want.tokens) == len(got.tokens), f"prompt {number}: one ends before the other"
    assert ties * 1000 <= max(1000, sum(len(want.tokens) for want in wanted)), f"{ties} ties"
