"""llama.cpp through llama-cpp-python, where that is installed: the same prompts as token ids, greedy.

It is no dependency of Draftline. The weights are a GGUF file, quantised as it is.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import InputError
from configs.models import Wheel
from generate.bench.cells import Group
from generate.bench.systems import Decoded


def installed() -> bool:
    """Whether llama-cpp-python is here."""
    return importlib.util.find_spec("llama_cpp") is not None


def find_gguf(wheel: Wheel | None) -> Path | None:
    """The GGUF file of a model whose wheel is installed beside Draftline."""
    if wheel is None or not wheel.inside.endswith(".gguf"):
        return None
    places = (Path(folder) / wheel.inside for folder in sys.path)
    return next((file for file in places if file.is_file()), None)


def weights_of(file: Path) -> str:
    """How a GGUF file is quantised: ``Q4_1``.

    Raises:
        InputError: it is no GGUF file.
    """
    from gguf import GGUFReader, LlamaFileType

    try:
        kind = GGUFReader(file).fields["general.file_type"].contents()
        name: str = LlamaFileType(kind).name
        return name.removeprefix("MOSTLY_").removeprefix("ALL_")
    except Exception as error:  # damaged files end in errors of any kind
        raise InputError(f"--gguf {file}: cannot be read as a GGUF file: {error}") from None


@dataclass
class LlamaCppSystem:
    """llama.cpp with its own clocks for prefill and decoding; one prompt at a time."""

    llama: Any
    max_tokens: int
    eos_ids: frozenset[int]
    weights: str
    name: str = "llama.cpp"
    variant: str | None = None
    largest_batch: int | None = 1
    _held: Group | None = None
    _ttft: float = 0.0

    def __post_init__(self) -> None:
        library = importlib.import_module("llama_cpp")
        self._choose = library.llama_sampler_sample
        self._greedy = library.llama_sampler_init_greedy()

    @classmethod
    def open(
        cls, file: Path, *, context: int, threads: int, max_tokens: int, eos_ids: frozenset[int]
    ) -> LlamaCppSystem:
        """Load a GGUF file.

        Raises:
            InputError: llama.cpp cannot load it.
        """
        library = importlib.import_module("llama_cpp")
        weights = weights_of(file)
        try:
            llama = library.Llama(
                str(file), n_ctx=context, n_threads=threads, n_threads_batch=threads, verbose=False
            )
        except ValueError as error:
            raise InputError(f"--gguf {file}: llama.cpp cannot load it: {error}") from None
        return cls(llama, max_tokens, eos_ids, weights)

    def reset(self) -> None:
        """It learns nothing."""

    def prefill(self, group: Group) -> float:
        if self._held is not group:
            started = time.perf_counter()
            self._evaluate(group[0], kept=0)
            self._next()
            self._ttft = time.perf_counter() - started
            self._held = group
        return self._ttft

    def decode(self, group: Group, lane: int) -> Decoded:
        (prompt,) = group
        self._evaluate(prompt[-1:], kept=len(prompt) - 1)
        output = [self._next()]
        started = time.perf_counter()
        while len(output) < self.max_tokens and output[-1] not in self.eos_ids:
            self.llama.eval(output[-1:])
            output.append(self._next())
        seconds = time.perf_counter() - started
        return Decoded((tuple(output),), len(output) - 1, len(output) - 1, seconds)

    def _evaluate(self, tokens: tuple[int, ...], kept: int) -> None:
        """Go on from the first ``kept`` tokens of what was evaluated before."""
        self.llama.n_tokens = kept
        self.llama.eval(tokens)

    def _next(self) -> int:
        return int(self._choose(self._greedy, self.llama.ctx, -1))
