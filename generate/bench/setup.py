"""From options to a measurement that can start: prompts, cells, models, systems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import torch

from configs.errors import InputError
from configs.models import catalogue, model_path
from configs.sections import GenerateSettings
from configs.settings import Settings
from generate.bench import peers
from generate.bench.cells import Cell, Padding, make_cells
from generate.bench.hard import AdversarialDrafter, fresh_lines
from generate.bench.llamacpp import LlamaCppSystem, find_gguf, installed
from generate.bench.memory import available_bytes, gigabytes
from generate.bench.options import PEERS, SINGLE, Options, wanted
from generate.bench.prompts import Line, tokenize
from generate.bench.rows import Gap
from generate.bench.systems import EngineHost, EngineSystem, System
from generate.engine.engine import Engine
from generate.engine.request import SamplingParams
from generate.grammar import Grammar, GrammarCompiler
from generate.load import load_draft, load_runner, load_tokenizer
from generate.speculate.costs import GRID
from generate.speculate.factory import DraftModel, open_speculator
from generate.speculate.measure import CONTEXT
from generate.speculate.speculator import Speculator


@dataclass
class Bench:
    """Everything that is measured, and what is to be said about it."""

    cells: list[Cell]
    systems: list[System]
    gap: Gap | None
    facts: dict[str, Any]
    left_out: list[str] = field(default_factory=list)
    """Prompts and cells that could not be measured, and why."""


class _Builder:
    """Loads what a measurement needs, step by step."""

    def __init__(self, lines: Sequence[Line], options: Options, settings: Settings) -> None:
        self.lines = lines
        self.options = options
        self.settings = settings
        self.notes: list[str] = []
        self.drafters = options.drafters or tuple(settings.generate.drafters)
        self.wanted = wanted(options, self.drafters)
        if settings.generate.threads:
            torch.set_num_threads(settings.generate.threads)
        self.folder = model_path(settings.models.answer, settings, role="answer")
        self.tokenizer = load_tokenizer(self.folder)
        self.runner = load_runner(self.folder, settings.generate)
        self.eos_ids = frozenset[int]()
        if options.stop_at_eos or options.schema:  # a complete JSON value has nothing after it
            self.eos_ids = self.runner.eos_ids

    def build(self, note: Callable[[str], None]) -> Bench:
        cells, left_out = self._cells()
        gap, systems = self._transformers()
        systems += self._llama_cpp(cells)
        cells, too_large = self._that_fit(cells, any(s.name == "transformers" for s in systems))
        left_out += too_large
        if not cells:
            raise InputError(too_large[0])
        systems += self._ours(cells)
        for line in (*self.notes, *left_out):
            note(line)
        return Bench(cells, systems, gap, self._facts(cells), left_out)

    def _cells(self) -> tuple[list[Cell], list[str]]:
        fresh = self.options.text == "fresh"
        lines = fresh_lines(chat=self.tokenizer.chat_template is not None) if fresh else self.lines
        padding = Padding(self.lines, self.tokenizer)
        cells, left_out = make_cells(
            [tokenize(line, self.tokenizer) for line in lines],
            padding,
            batches=self.options.batches,
            contexts=self.options.contexts,
            max_tokens=self.options.max_tokens,
            capacity=self.runner.context_length,
            most_groups=self.options.rounds if fresh else None,
        )
        if padding.repeated:
            self.notes.append("the file's passages are too few for this context: some pad a prompt twice")
        if any(len(set(group)) < len(group) for cell in cells for group in cell.groups):
            self.notes.append("there are fewer prompts than the batch is large: some run in it twice")
        if max(self.options.batches) > 1 and SINGLE.intersection(self.wanted):
            self.notes.append(f"batch 1 only, by their own limits: {', '.join(sorted(SINGLE))}")
        for cut, context in dict.fromkeys((cell.cut, cell.context) for cell in cells if cell.cut):
            self.notes.append(f"context {context}: {cut} prompts were longer and lost their middle")
        return cells, left_out

    def _transformers(self) -> tuple[Gap | None, list[System]]:
        names = [name for name in self.wanted if name.startswith("transformers")]
        if not names:
            return None, []
        on_cpu = self.runner.device.type == "cpu"
        host = peers.TransformersHost.from_folder(
            self.folder,
            self.runner.device,
            torch.float32 if on_cpu else self.runner.dtype,
            self.options.max_tokens,
            self.eos_ids,
        )
        systems: list[System] = []
        if "transformers" in names:
            systems.append(peers.plain(host))
        if "transformers-lookup" in names:
            systems += peers.lookups(host)
        if "transformers-assisted" in names and self.options.draft_model:
            draft = model_path(self.options.draft_model, self.settings, role="answer")
            systems.append(peers.assisted(host, draft))
        return cache(host.gap), systems

    def _llama_cpp(self, cells: Sequence[Cell]) -> list[System]:
        if "llama.cpp" not in self.wanted or 1 not in self.options.batches:
            return []
        model = catalogue().get(self.settings.models.answer)
        file = self.options.gguf or find_gguf(model.wheel if model else None)
        if not installed() or file is None:
            missing = (
                "llama-cpp-python is not installed"
                if not installed()
                else "no GGUF file: name one with --gguf"
            )
            if self.options.systems:
                raise InputError(f"llama.cpp cannot run: {missing}")
            self.notes.append(f"llama.cpp is left out: {missing}")
            return []
        longest = max(cell.tokens(self.options.max_tokens) for cell in cells if cell.batch == 1)
        return [
            LlamaCppSystem.open(
                file,
                context=longest,
                threads=torch.get_num_threads(),
                max_tokens=self.options.max_tokens,
                eos_ids=self.eos_ids,
            )
        ]

    def _that_fit(self, cells: Sequence[Cell], twice: bool) -> tuple[list[Cell], list[str]]:
        """The cells whose KV fits into memory, beside transformers' own where it runs."""
        free = available_bytes(self.runner.device)
        fitting: list[Cell] = []
        left_out: list[str] = []
        for cell in cells:
            need = self._slots([cell]) * self.runner.bytes_per_token()
            need += cell.tokens(self.options.max_tokens) * self.runner.bytes_per_token() if twice else 0
            if need <= free:
                fitting.append(cell)
            else:
                left_out.append(
                    f"batch {cell.batch} at context {cell.context} needs {gigabytes(need)} for its KV, "
                    f"and {gigabytes(free)} are free; it is left out"
                )
        return fitting, left_out

    def _slots(self, cells: Sequence[Cell]) -> int:
        """Tokens that the cache must hold: prompts, answers, drafts, and the ends of blocks."""
        generate = self.settings.generate
        spare = generate.draft_tokens + 2 * generate.block_size
        most = max(cell.tokens(self.options.max_tokens) + cell.batch * spare for cell in cells)
        return max(most, CONTEXT + max(GRID))  # measuring step costs takes as many

    def _ours(self, cells: Sequence[Cell]) -> list[System]:
        batch = max(cell.batch for cell in cells)
        base = self.settings.generate
        settings = base.model_copy(
            update={
                "kv_cache_mb": (self._slots(cells) + base.block_size) * self.runner.bytes_per_token() / 2**20,
                "max_running": max(base.max_running, batch),
                "max_batch_tokens": max(base.max_batch_tokens, batch),
                "prefix_cache": True,
            }
        )
        engine = Engine(self.runner, settings)
        sampled = self.options.text == "fresh"
        params = SamplingParams(
            max_tokens=self.options.max_tokens,
            temperature=1.0 if sampled else 0.0,
            seed=self.settings.answer.seed,
            eos_ids=self.eos_ids,
        )
        host = EngineHost(engine, params, self.runner.weights, self._grammar())
        return [self._our(name, host, settings) for name in self.wanted if name not in PEERS]

    def _grammar(self) -> Grammar | None:
        if self.options.schema is None:
            return None
        try:
            schema = self.options.schema.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--schema {self.options.schema}: cannot be read: {error}") from None
        return GrammarCompiler(self.tokenizer, self.runner.vocab_size, self.eos_ids).json_schema(schema)

    def _our(self, name: str, host: EngineHost, settings: GenerateSettings) -> EngineSystem:
        if name == "plain":
            return EngineSystem(name, host)
        mode = "auto" if name == "auto" else "always"
        drafters = self.drafters if name in ("auto", "always") else (name,)
        own = settings.model_copy(update={"speculate": mode, "drafters": list(drafters)})

        def open_own() -> Speculator | None:
            speculator = open_speculator(host.engine, own, self.settings.costs_file, self._load_draft())
            if self.options.text != "adversarial" or name != "auto" or speculator is None:
                return speculator
            wrong = [AdversarialDrafter(self.runner.vocab_size)]
            return Speculator(wrong, limit=own.draft_tokens, planner=speculator.planner)

        return EngineSystem(name, host, open_own)

    def _load_draft(self) -> Callable[[], DraftModel] | None:
        name = self.options.draft_model or self.settings.models.draft
        if name is None:
            return None
        folder = model_path(name, self.settings, role="answer")
        return partial(load_draft, folder, self.folder, self.settings.generate)

    def _facts(self, cells: Sequence[Cell]) -> dict[str, Any]:
        return {
            "model": self.folder.name,
            "device": str(self.runner.device),
            "text": self.options.text,
            "drafters": list(self.drafters) if self.options.text != "adversarial" else ["adversarial"],
            "prompts": {f"batch {c.batch}, context {c.context}": c.batch * len(c.groups) for c in cells},
            "notes": self.notes,
        }


def prepare(
    lines: Sequence[Line], options: Options, settings: Settings, note: Callable[[str], None]
) -> Bench:
    """Load everything.

    Raises:
        InputError: an option asks for what cannot be; what merely does not fit is left out and said.
        ModelError: a model is not here or damaged.
    """
    return _Builder(lines, options, settings).build(note)
