"""The engine: schedule -> run -> commit, one step at a time, in the caller's thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from configs.errors import InputError
from configs.settings import GenerateSettings
from generate.engine.batch import pack
from generate.engine.blocks import BlockPool
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner
from generate.engine.sampling import Sampler
from generate.engine.scheduler import Scheduler


class ContextOverflowError(InputError):
    """A prompt and its answer do not fit the model's context or the KV cache."""


@dataclass(frozen=True)
class StepOutput:
    """A token that a step added to a request; the request may have finished with it."""

    request: Request
    token: int


class Engine:
    """Runs requests over one model. Not thread-safe: `service` is.

    Example:
        >>> engine = Engine(ModelRunner.from_folder(folder), settings.generate)  # doctest: +SKIP
        >>> engine.generate([[1, 2, 3]], SamplingParams(max_tokens=8))           # doctest: +SKIP
        [[4, 5, ...]]
    """

    def __init__(self, runner: ModelRunner, settings: GenerateSettings) -> None:
        self.runner = runner
        block_bytes = settings.block_size * runner.bytes_per_token()
        count = max(1, int(settings.kv_cache_mb * 2**20) // block_bytes)
        self.pool = BlockPool(count, settings.block_size, reuse=settings.prefix_cache)
        self.cache = runner.new_cache(count * settings.block_size)
        self.scheduler = Scheduler(
            self.pool, max_batch_tokens=settings.max_batch_tokens, max_running=settings.max_running
        )
        self._sampler = Sampler()

    @property
    def busy(self) -> bool:
        return self.scheduler.busy

    @property
    def capacity(self) -> int:
        """The most tokens that a prompt and its answer may have together."""
        return min(self.runner.context_length, self.pool.count * self.pool.block_size)

    def check(self, prompt: Sequence[int], params: SamplingParams) -> None:
        """Refuse what could never run.

        Raises:
            InputError: an empty prompt, or an id outside the vocabulary.
            ContextOverflowError: says by how many tokens prompt and answer exceed what there is.
        """
        if not prompt:
            raise InputError("the prompt is empty: give at least one token")
        if not 0 <= min(prompt) <= max(prompt) < self.runner.vocab_size:
            raise InputError(f"the prompt has token ids outside the vocabulary of {self.runner.vocab_size}")
        need = len(prompt) + params.max_tokens
        what = f"{len(prompt)} prompt tokens and {params.max_tokens} answer tokens"
        if (over := need - self.runner.context_length) > 0:
            raise ContextOverflowError(
                f"{what} exceed the model's context of {self.runner.context_length} by {over}; "
                "shorten the question or lower answer.max_tokens"
            )
        room = self.pool.count * self.pool.block_size
        if (over := need - room) > 0:
            raise ContextOverflowError(
                f"{what} exceed the KV cache of {room} tokens by {over}; raise generate.kv_cache_mb"
            )

    def add(self, prompt: Sequence[int], params: SamplingParams, salt: str = "") -> Request:
        """Queue a request; `step` carries it on.

        Raises:
            InputError: what `check` refuses.
        """
        self.check(prompt, params)
        request = Request(prompt=tuple(prompt), params=params, salt=salt)
        self.scheduler.add(request)
        return request

    def step(self) -> list[StepOutput]:
        """One forward pass: the tokens it added, one per request that reached its end."""
        step = self.scheduler.schedule()
        if not step:
            return []
        batch = pack(step, self.cache, self.pool.block_size, self.runner.device)
        logits = self.runner.forward(batch)
        self.scheduler.commit(step)
        outputs = []
        for row, share in enumerate(share for share in step if share.request.pending == 0):
            request = share.request
            token = self._sampler.sample(logits[row], request.id, request.tokens, request.params)
            request.append(token)
            outputs.append(StepOutput(request, token))
        for request in self.scheduler.retire():
            self._sampler.forget(request.id)
        return outputs

    def cancel(self, request: Request) -> None:
        """End a request between two steps; its blocks are free at once."""
        self.scheduler.cancel(request)
        self._sampler.forget(request.id)

    def generate(self, prompts: Iterable[Sequence[int]], params: SamplingParams) -> list[list[int]]:
        """Run prompts to their ends, side by side; returns their output tokens, in order."""
        requests = [self.add(prompt, params) for prompt in prompts]
        with torch.inference_mode():
            while self.busy:
                self.step()
        return [request.output for request in requests]
