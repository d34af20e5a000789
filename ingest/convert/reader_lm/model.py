"""A reader model on the engine: HTML in, markdown out, many pieces side by side.

The page is the prompt, so the copy drafter, which continues what it finds in prompt and output, drafts
from the page itself; a reader model copies more than it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from configs.errors import InputError
from configs.sections import GenerateSettings
from generate.engine.engine import Engine
from generate.engine.request import FinishReason, Request, SamplingParams
from generate.load import load_runner, load_tokenizer
from generate.prompt import PromptBuilder
from generate.speculate.factory import MODEL_FREE, open_speculator

EXTRA = 64
"""Tokens that an output may have beyond its share of the piece: tiny pieces have more signs than tags."""
LOOK_EVERY = 128
"""Tokens between two looks at what a request has written."""
TAIL = 1024
"""Tokens that are looked at."""


@dataclass(frozen=True)
class Piece:
    """A stretch of a page for the model."""

    prompt: Sequence[int]
    max_tokens: int
    is_bad: Callable[[str], bool]
    """Asked now and then about the end of what is being written; if so, the request is given up."""


@dataclass(frozen=True)
class Written:
    """What a model made of a piece."""

    text: str
    finished: bool
    """It came to its end by itself."""
    tokens: int
    steps: int
    """Forward passes that yielded them."""


class ReaderModel:
    """A loaded reader model.

    Args:
        instruction: stands before the page in the prompt; None: the page is all there is.
        penalty: repetition penalty, above 1.
        max_ratio: tokens that may be written for each token of a piece.
    """

    def __init__(
        self, engine: Engine, tokenizer: Any, *, instruction: str | None, penalty: float, max_ratio: float
    ) -> None:
        self._engine, self._tokenizer = engine, tokenizer
        self._prompts = PromptBuilder(tokenizer)
        self._instruction, self._penalty, self._ratio = instruction, penalty, max_ratio

    def room(self) -> int:
        """Tokens that a piece of a page may have beside the rest of the prompt and what is written of it."""
        left = self._engine.capacity - len(self._prompt("")) - EXTRA
        return int(left / (1 + self._ratio)) - 1

    def measure(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text."""
        encoded = self._tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True)
        return [len(ids) for ids in encoded["input_ids"]]

    def piece(self, html: str, is_bad: Callable[[str], bool]) -> Piece:
        """A piece with its prompt and its limit."""
        (tokens,) = self.measure([html])
        return Piece(self._prompt(html), int(tokens * self._ratio) + EXTRA, is_bad)

    def write(self, pieces: Sequence[Piece]) -> list[Written]:
        """Run pieces to their ends, side by side; one that fails or does not fit counts as unfinished."""
        requests = [self._add(piece) for piece in pieces]
        running = {
            request.id: (request, piece)
            for request, piece in zip(requests, pieces, strict=True)
            if request is not None
        }
        looked = dict.fromkeys(running, 0)
        try:
            with torch.inference_mode():
                while self._engine.busy:
                    for output in self._engine.step():
                        request, piece = running[output.request.id]
                        written = len(request.output)
                        if request.finished or written - looked[request.id] < LOOK_EVERY:
                            continue
                        looked[request.id] = written
                        if piece.is_bad(self._text(request.output[-TAIL:])):
                            self._engine.cancel(request)
        finally:
            for request, _ in running.values():
                if request.finished is None:
                    self._engine.cancel(request)
        return [self._written(request) for request in requests]

    def _add(self, piece: Piece) -> Request | None:
        eos_ids = self._engine.runner.eos_ids
        params = SamplingParams(piece.max_tokens, repetition_penalty=self._penalty, eos_ids=eos_ids)
        try:
            return self._engine.add(piece.prompt, params)
        except InputError:  # longer than it measured: pieces are cut by sums
            return None

    def _written(self, request: Request | None) -> Written:
        if request is None:
            return Written("", False, 0, 0)
        text = self._text(request.output)
        return Written(text, request.finished is FinishReason.EOS, len(request.output), request.steps)

    def _text(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def _prompt(self, html: str) -> list[int]:
        asked = f"{self._instruction}\n```html\n{html}\n```" if self._instruction else html
        return self._prompts.chat([("user", asked)])


def load_reader(
    folder: Path,
    settings: GenerateSettings,
    *,
    instruction: str | None,
    penalty: float,
    max_ratio: float,
    costs_file: Path | None = None,
) -> ReaderModel:
    """A reader model from its folder, on an engine of its own, which runs in the caller's thread.

    Its drafters are those of the settings that run no model: the page is what there is to copy from.

    Raises:
        ModelError: it cannot be loaded on the wanted device.
    """
    drafters = [name for name in settings.drafters if name in MODEL_FREE]
    # A window over the context would hide the page.
    settings = settings.model_copy(update={"drafters": drafters, "attention_window": None})
    engine = Engine(load_runner(folder, settings), settings)
    engine.speculator = open_speculator(engine, settings, costs_file)
    return ReaderModel(
        engine, load_tokenizer(folder), instruction=instruction, penalty=penalty, max_ratio=max_ratio
    )
