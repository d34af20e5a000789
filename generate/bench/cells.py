"""Cells of the measurement: the same prompts in batches of one size, at one length of context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from configs.errors import InputError
from generate.bench.prompts import BenchPrompt, Line, encode

Ids = tuple[int, ...]
Group = tuple[Ids, ...]
"""Prompts that run side by side."""
OPENING = 4
"""A prompt that is cut keeps at most one in so many of its tokens at its beginning."""


@dataclass(frozen=True)
class Cell:
    """Prompts of one batch size and context."""

    batch: int
    context: int
    """Tokens that a prompt and its answer fill; of prompts as they are: the median."""
    groups: tuple[Group, ...]
    cut: int = 0
    """Prompts that were longer than the context and lost their middle."""

    def tokens(self, max_tokens: int) -> int:
        """The most tokens that a group and its answers have together."""
        return max(sum(len(ids) + max_tokens for ids in group) for group in self.groups)


class Padding:
    """Real passages to fill a context with: those of the file's other lines, the next line's first.

    A file without passages lends its other prompts' text instead. ``repeated`` tells whether all of
    it was too short for the context and had to be taken more than once.
    """

    def __init__(self, lines: Sequence[Line], tokenizer: object) -> None:
        texts = [line.texts() for line in lines]
        if not any(texts):
            texts = [[line.body()] for line in lines]
        self._passages = [[encode(f"{text.strip()}\n\n", tokenizer) for text in own] for own in texts]
        self.repeated = False

    def take(self, number: int, count: int) -> list[int]:
        """``count`` tokens for the prompt of line ``number``; the first passage may lack its beginning."""
        lines = len(self._passages)
        order = [(number + step) % lines for step in range(1, lines)]
        if not any(self._passages[other] for other in order):
            order = [number % lines]
        found: list[int] = []
        while True:
            for other in order:
                for passage in self._passages[other]:
                    found += passage
                    if len(found) >= count:
                        return found[len(found) - count :]
            self.repeated = True


def make_cells(
    prompts: Sequence[BenchPrompt],
    padding: Padding,
    *,
    batches: Sequence[int],
    contexts: Sequence[int],
    max_tokens: int,
    capacity: int,
    most_groups: int | None = None,
) -> tuple[list[Cell], list[str]]:
    """The cells, and a sentence for every prompt that is left out of them.

    Args:
        contexts: tokens that prompt and answer fill; none: prompts as they are.
        capacity: tokens of the model's context.
        most_groups: of a cell; None: as many as the prompts make.

    Raises:
        InputError: a context is longer than the model's or too short for the answer, or no prompt fits.
    """
    cells: list[Cell] = []
    left_out: list[str] = []
    for context in contexts:
        _check(context, max_tokens, capacity)
        size = context - max_tokens
        fitted = [fit(prompt, padding, number, size) for number, prompt in enumerate(prompts)]
        cut = sum(len(prompt.head) + len(prompt.tail) > size for prompt in prompts)
        cells += [Cell(batch, context, group(fitted, batch)[:most_groups], cut) for batch in batches]
    if not contexts:
        fitting = []
        for prompt in prompts:
            if (over := len(prompt.head) + len(prompt.tail) + max_tokens - capacity) > 0:
                left_out.append(
                    f"prompt {prompt.id}: with its answer it is {over} tokens longer than the model's context"
                )
            else:
                fitting.append((*prompt.head, *prompt.tail))
        if not fitting:
            raise InputError(f"{left_out[0]}, and so are all others; give shorter prompts")
        middle = round(median(len(ids) for ids in fitting)) + max_tokens
        cells = [Cell(batch, middle, group(fitting, batch)[:most_groups]) for batch in batches]
    return cells, left_out


def _check(context: int, max_tokens: int, capacity: int) -> None:
    if context > capacity:
        raise InputError(f"--context {context} exceeds the model's context of {capacity} tokens")
    if context <= max_tokens:
        raise InputError(f"--context {context} leaves no room for a prompt beside --max-tokens {max_tokens}")


def fit(prompt: BenchPrompt, padding: Padding, number: int, size: int) -> Ids:
    """A prompt of exactly ``size`` tokens: padded in front of its question, or without its middle."""
    ids = (*prompt.head, *prompt.tail)
    if (missing := size - len(ids)) > 0:
        return (*prompt.head, *padding.take(number, missing), *prompt.tail)
    kept = min(len(prompt.head), size // OPENING)
    return (*ids[:kept], *ids[len(ids) - size + kept :])


def group(prompts: Sequence[Ids], batch: int) -> tuple[Group, ...]:
    """Prompts in full batches, in order; where they do not fill one, they are taken again."""
    if len(prompts) < batch:
        return (tuple(prompts[number % len(prompts)] for number in range(batch)),)
    return tuple(tuple(prompts[start : start + batch]) for start in range(0, len(prompts) - batch + 1, batch))
