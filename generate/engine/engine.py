"""The engine: schedule -> run -> commit, one step at a time, in the caller's thread."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from configs.errors import DraftlineError, InputError
from configs.settings import GenerateSettings
from generate.engine.batch import Segment, pack
from generate.engine.blocks import BlockPool
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner
from generate.engine.sampling import sample
from generate.engine.scheduler import Scheduled, Scheduler
from generate.speculate.costs import Share
from generate.speculate.drafter import Outcome
from generate.speculate.speculator import Speculator
from generate.speculate.verify import walk


class ContextOverflowError(InputError):
    """A prompt and its answer do not fit the model's context or the KV cache."""


class NonFiniteLogitsError(DraftlineError):
    """The model's output for a request is not a number; the other requests are unharmed."""


@dataclass(frozen=True)
class StepOutput:
    """Tokens that a step added to a request; the request may have finished with them, or failed."""

    request: Request
    tokens: tuple[int, ...]


class Engine:
    """Runs requests over one model. Not thread-safe: `service` is.

    Example:
        >>> engine = Engine(ModelRunner.from_folder(folder), settings.generate)  # doctest: +SKIP
        >>> engine.generate([[1, 2, 3]], SamplingParams(max_tokens=8))           # doctest: +SKIP
        [[4, 5, ...]]
    """

    def __init__(
        self, runner: ModelRunner, settings: GenerateSettings, speculator: Speculator | None = None
    ) -> None:
        self.runner = runner
        self.speculator = speculator
        """Who drafts; None: one token a step. It may be exchanged between two steps."""
        block_bytes = settings.block_size * runner.bytes_per_token()
        count = max(1, int(settings.kv_cache_mb * 2**20) // block_bytes)
        self.pool = BlockPool(count, settings.block_size, reuse=settings.prefix_cache)
        self.cache = runner.new_cache(count * settings.block_size)
        self.scheduler = Scheduler(
            self.pool, max_batch_tokens=settings.max_batch_tokens, max_running=settings.max_running
        )

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
        """One forward pass: the tokens it added, at least one for every request that reached its end."""
        step = self._draft(self.scheduler.schedule())
        if not step:
            return []
        started = time.perf_counter()
        batch = pack(step, self.cache, self.pool.block_size, self.runner.device)
        logits = self.runner.forward(batch)
        healthy = logits.amax(-1).isfinite().tolist()  # waits for the device
        seconds = time.perf_counter() - started
        shares = [Share(share.rows, share.start) for share in step if share.decodes]
        outputs = []
        row = 0
        for share, segment in zip(step, batch.segments, strict=True):
            if not share.samples:
                self.scheduler.commit(share)
                continue
            rows = slice(row, row + 1 + len(share.tree))
            row = rows.stop
            if all(healthy[rows]):
                outputs.append(self._verify(share, segment, logits[rows]))
            else:
                outputs.append(self._fail(share.request))
        for request in self.scheduler.retire():
            self._forget(request)
        if self.speculator is not None and len(shares) == len(step):  # nobody prefilled
            self.speculator.timed(shares, sum(len(output.tokens) for output in outputs), seconds)
        return outputs

    def _draft(self, step: list[Scheduled]) -> list[Scheduled]:
        """Give the decoding shares of a step their token trees."""
        decoding = [share for share in step if share.decodes and share.request.remaining > 1]
        room = self.scheduler.max_batch_tokens - sum(share.rows for share in step)
        if self.speculator is None or not decoding or room <= 0:
            return step
        trees = self.speculator.draft([share.request for share in decoding], room)
        drafted = {id(share): tree for share, tree in zip(decoding, trees, strict=True) if len(tree)}
        return [
            self.scheduler.attach(share, drafted[id(share)]) if id(share) in drafted else share
            for share in step
        ]

    def _verify(self, share: Scheduled, segment: Segment, logits: Tensor) -> StepOutput:
        """Keep the drafts that the model agrees with, and their K/V.

        Args:
            logits: (1 + nodes, vocabulary), of the share's last token and of the tree below it.
        """
        request, tree = share.request, share.tree

        def choose(node: int, path: Sequence[int]) -> int:
            return self._choose(request, logits[node + 1], [*request.tokens, *path])

        verdict = walk(tree, choose)
        if self.speculator is not None:
            self.speculator.observe(Outcome(request, tree, verdict.nodes, verdict.tokens, logits))
        tokens = request.extend(verdict.tokens)
        accepted = verdict.nodes[: len(tokens) - 1]
        first = len(segment.slots) - len(tree)
        moved = [(first + node, first + i) for i, node in enumerate(accepted) if node != i]
        if moved:
            source, target = torch.tensor(moved, device=segment.slots.device).T
            self.cache.move(segment.slots[source], segment.slots[target])
        request.drafted += len(tree)
        self.scheduler.commit(share, len(accepted))
        return StepOutput(request, tuple(tokens))

    def _choose(self, request: Request, logits: Tensor, tokens: Sequence[int]) -> int:
        """The model's own next token after ``tokens``, from ``logits`` (vocabulary,)."""
        return sample(logits, tokens, request.params)

    def _fail(self, request: Request) -> StepOutput:
        request.fail(
            NonFiniteLogitsError(
                "the model's output is not a number for this request; its weights may be damaged, "
                "or too large for generate.dtype: try float32"
            )
        )
        return StepOutput(request, ())

    def _forget(self, request: Request) -> None:
        if self.speculator is not None:
            self.speculator.forget(request)

    def cancel(self, request: Request) -> None:
        """End a request between two steps; its blocks are free at once."""
        self.scheduler.cancel(request)
        self._forget(request)

    def generate(self, prompts: Iterable[Sequence[int]], params: SamplingParams) -> list[list[int]]:
        """Run prompts to their ends, side by side; returns their output tokens, in order.

        Raises:
            DraftlineError: one of them failed.
        """
        requests = [self.add(prompt, params) for prompt in prompts]
        with torch.inference_mode():
            while self.busy:
                self.step()
        for request in requests:
            if request.error:
                raise request.error
        return [request.output for request in requests]
