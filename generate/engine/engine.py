"""The engine: schedule -> run -> commit, one step at a time, in the caller's thread."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from configs.errors import DraftlineError, InputError
from configs.sections import GenerateSettings
from generate.engine.batch import Segment, pack
from generate.engine.blocks import BlockPool
from generate.engine.constraint import Constraint
from generate.engine.memory import cache_blocks
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner
from generate.engine.sampling import SeenTokens, sample
from generate.engine.scheduler import Scheduled, Scheduler
from generate.grammar import Grammar, GrammarError
from generate.speculate.costs import Share
from generate.speculate.drafter import Outcome
from generate.speculate.speculator import Speculator
from generate.speculate.verify import walk


class ContextOverflowError(InputError):
    """A prompt and its answer do not fit the model's context or the KV cache."""


NOT_FINITE = (
    "the model's output is not a number for this request; its weights may be damaged, or too large "
    "for generate.dtype: try float32"
)


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
        count = cache_blocks(runner, settings)
        self.pool = BlockPool(count, settings.block_size, reuse=settings.prefix_cache)
        self.cache = runner.new_cache(count * settings.block_size)
        self._seen: dict[int, SeenTokens] = {}
        """What requests with a repetition penalty have read and written."""
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

    def check(self, prompt: Sequence[int], params: SamplingParams, grammar: Grammar | None = None) -> None:
        """Refuse what could never run.

        Raises:
            InputError: an empty prompt, an id outside the vocabulary, or a grammar of another model.
            ContextOverflowError: says by how many tokens prompt and answer exceed what there is.
        """
        if not prompt:
            raise InputError("the prompt is empty: give at least one token")
        if not 0 <= min(prompt) <= max(prompt) < self.runner.vocab_size:
            raise InputError(f"the prompt has token ids outside the vocabulary of {self.runner.vocab_size}")
        if grammar is not None and not (
            grammar.compiler.vocab_size == self.runner.vocab_size
            and grammar.compiler.eos_ids <= params.eos_ids
        ):
            raise InputError("the grammar was compiled for another vocabulary or other end tokens")
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

    def add(
        self,
        prompt: Sequence[int],
        params: SamplingParams,
        salt: str = "",
        grammar: Grammar | None = None,
    ) -> Request:
        """Queue a request; `step` carries it on.

        Raises:
            InputError: what `check` refuses.
        """
        self.check(prompt, params, grammar)
        request = Request(prompt=tuple(prompt), params=params, salt=salt, grammar=grammar)
        self.scheduler.add(request)
        return request

    def step(self) -> list[StepOutput]:
        """One forward pass: the tokens it added, at least one for every request that reached its end."""
        step = self.scheduler.schedule()
        if not step:
            return []
        outputs = self._start_grammars(step)
        step = self._draft([share for share in step if not share.request.finished])
        outputs += self._run(step) if step else []
        for request in self.scheduler.retire():
            self._forget(request)
        return outputs

    def _start_grammars(self, step: Sequence[Scheduled]) -> list[StepOutput]:
        """Parsers live in the engine's thread; one that cannot even start fails its request alone."""
        failed = []
        for share in step:
            request = share.request
            if request.grammar is not None and request.grammar_state is None:
                try:
                    request.grammar_state = request.grammar.start()
                except GrammarError as error:
                    failed.append(self._fail(request, error))
        return failed

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

    def _run(self, step: Sequence[Scheduled]) -> list[StepOutput]:
        """Compute a step and commit what it says."""
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
            try:
                if not all(healthy[rows]):
                    self.pool.distrust(share.request)  # what made them so may lie in its K/V
                    raise NonFiniteLogitsError(NOT_FINITE)
                outputs.append(self._verify(share, segment, logits[rows]))
            except (NonFiniteLogitsError, GrammarError) as error:
                outputs.append(self._fail(share.request, error))
        if self.speculator is not None and len(shares) == len(step):  # nobody prefilled
            self.speculator.timed(shares, sum(len(output.tokens) for output in outputs), seconds)
        return outputs

    def _verify(self, share: Scheduled, segment: Segment, logits: Tensor) -> StepOutput:
        """Keep the drafts that the model agrees with, and their K/V.

        Args:
            logits: (1 + nodes, vocabulary), of the share's last token and of the tree below it.
        """
        request, tree = share.request, share.tree
        constraint = Constraint(request.grammar_state)

        def choose(node: int, path: Sequence[int]) -> int:
            allowed = constraint.apply(logits[node + 1], path)
            return self._choose(request, allowed, [*request.tokens, *path])

        verdict = walk(tree, choose)
        if self.speculator is not None:
            self.speculator.observe(Outcome(request, tree, verdict.nodes, verdict.tokens, logits))
        tokens = request.extend(verdict.tokens)
        request.grammar_state = constraint.after(tokens)
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
        seen = None
        if request.params.repetition_penalty != 1:
            seen = self._seen.setdefault(request.id, SeenTokens()).ids(
                tokens, len(request.tokens), logits.device
            )
        return sample(logits, tokens, request.params, seen)

    def _fail(self, request: Request, error: DraftlineError) -> StepOutput:
        request.fail(error)
        return StepOutput(request, ())

    def _forget(self, request: Request) -> None:
        self._seen.pop(request.id, None)
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
