"""transformers' own ways to decode: plain, prompt lookup, and assisted by a draft model.

The last two take one prompt at a time; that is transformers' limit, not ours. For the first its KV
cache is kept between runs and cut back to the prompt, so a run computes the prompt's last token and
decodes. The other two cannot go on from a cache (transformers 5.23 computes the prompt a second time on
top of it and then writes other text), so they prefill in every run, before the clock starts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, DynamicCache, GenerationConfig
from transformers.generation.streamers import BaseStreamer

from configs.errors import InputError
from generate.bench.cells import Group, Ids
from generate.bench.systems import Decoded, type_name

LOOKUP_TOKENS = 10
LOOKUP_SIZES = (2, 3)
"""N-grams that prompt lookup matches: transformers' default, and the other that is in use."""


class _Clock(BaseStreamer):  # type: ignore[misc]
    """Notes when tokens come, and how many a sequence gets at once."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.counts: list[int] = []
        self._prompt_is_next = True

    def put(self, value: Tensor) -> None:
        if self._prompt_is_next:
            self._prompt_is_next = False
            return
        self.times.append(time.perf_counter())
        self.counts.append(value.shape[-1] if value.ndim > 1 else 1)

    def end(self) -> None:
        """Nothing is left to write."""


class TransformersHost:
    """A model loaded by transformers, and the KV cache of the prompts that its systems continue.

    Args:
        eos_ids: tokens that end an output; none: every output has ``max_tokens``.
    """

    def __init__(self, model: Any, max_tokens: int, eos_ids: frozenset[int]) -> None:
        self.model = model.eval()
        # What a call does not set is filled up from here, and there lie an eos and sampling.
        self.model.generation_config = GenerationConfig(do_sample=False, pad_token_id=0)
        self._max_tokens = max_tokens
        self._eos_ids = eos_ids
        self._held: Group | None = None
        self._ttft = 0.0
        self._cache = DynamicCache()

    @classmethod
    def from_folder(
        cls, folder: Path, device: torch.device, dtype: torch.dtype, max_tokens: int, eos_ids: frozenset[int]
    ) -> TransformersHost:
        """Load a folder; attention is transformers' own choice."""
        return cls(load(folder, device, dtype), max_tokens, eos_ids)

    @property
    def weights(self) -> str:
        return type_name(self.model.dtype)

    def prefill(self, group: Group) -> float:
        """See `System.prefill`."""
        if self._held is not group:
            self._cache = DynamicCache()
            clock = _Clock()
            started = time.perf_counter()
            self._generate(group, clock, self._cache, {"max_new_tokens": 1})
            self._ttft = clock.times[0] - started
            self._held = group
        return self._ttft

    def decode(self, group: Group, options: Mapping[str, Any], assistant: Any | None = None) -> Decoded:
        """See `System.decode`.

        Args:
            options: of a generation config.
            assistant: a draft model.
        """
        cache = DynamicCache() if options or assistant else self._prefilled(group)
        clock = _Clock()
        eos = sorted(self._eos_ids) or None
        settings = {"max_new_tokens": self._max_tokens, "eos_token_id": eos, **options}
        outputs = self._generate(group, clock, cache, settings, assistant)
        first = clock.counts[0]
        tokens = sum(len(output) - first for output in outputs)
        return Decoded(
            outputs=tuple(outputs),
            tokens=tokens,
            # In a batch each pass brings a sequence one token; who gets several has a batch of one.
            steps=len(clock.counts) - 1 if len(group) == 1 else tokens,
            seconds=clock.times[-1] - clock.times[0],
        )

    @torch.inference_mode()
    def gap(self, tokens: Sequence[int]) -> float:
        """By how much the best logit after these tokens exceeds the second."""
        ids = torch.tensor([list(tokens)], device=self.model.device)
        best = self.model(input_ids=ids, use_cache=False, logits_to_keep=1).logits[0, -1].float().topk(2)
        return float(best.values[0] - best.values[1])

    def _prefilled(self, group: Group) -> DynamicCache:
        """The cache of `prefill`, without what a run has added and without the prompts' last token."""
        if (extra := self._cache.get_seq_length() - max(map(len, group)) + 1) > 0:
            self._cache.crop(-extra)
        return self._cache

    def _generate(
        self,
        group: Group,
        clock: _Clock,
        cache: DynamicCache,
        options: Mapping[str, Any],
        assistant: Any | None = None,
    ) -> list[Ids]:
        width = max(map(len, group))
        ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in group])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in group])
        device = self.model.device
        sequences = self.model.generate(
            ids.to(device),
            attention_mask=mask.to(device),
            generation_config=GenerationConfig(do_sample=False, pad_token_id=0, **options),
            past_key_values=cache,
            streamer=clock,
            **({"assistant_model": assistant} if assistant else {}),
        )
        return [self._until_eos(output) for output in sequences[:, width:].tolist()]

    def _until_eos(self, output: list[int]) -> Ids:
        """An output without the padding that follows its end in a batch."""
        end = next((place for place, token in enumerate(output, 1) if token in self._eos_ids), len(output))
        return tuple(output[:end])


@dataclass
class TransformersSystem:
    """``generate`` with some options."""

    name: str
    host: TransformersHost
    options: Mapping[str, Any] = field(default_factory=dict)
    assistant: Any | None = None
    variant: str | None = None
    largest_batch: int | None = None

    @property
    def weights(self) -> str:
        return self.host.weights

    def reset(self) -> None:
        """It learns nothing."""

    def prefill(self, group: Group) -> float:
        return self.host.prefill(group)

    def decode(self, group: Group, lane: int) -> Decoded:
        return self.host.decode(group, self.options, self.assistant)


def plain(host: TransformersHost) -> TransformersSystem:
    """Greedy ``generate``."""
    return TransformersSystem("transformers", host)


def lookups(host: TransformersHost) -> list[TransformersSystem]:
    """Prompt lookup, one system for each n-gram size."""
    return [
        TransformersSystem(
            "transformers-lookup",
            host,
            {"prompt_lookup_num_tokens": LOOKUP_TOKENS, "max_matching_ngram_size": size},
            variant=f"n-gram {size}",
            largest_batch=1,
        )
        for size in LOOKUP_SIZES
    ]


def assisted(host: TransformersHost, draft_folder: Path) -> TransformersSystem:
    """Assisted generation with a draft model.

    Raises:
        InputError: its vocabulary is another.
    """
    draft = load(draft_folder, host.model.device, host.model.dtype)
    ours, theirs = host.model.config.get_text_config().vocab_size, draft.config.get_text_config().vocab_size
    if ours != theirs:
        raise InputError(
            f"--draft-model {draft_folder.name} has a vocabulary of {theirs} tokens and the model one of "
            f"{ours}; assisted generation needs the same"
        )
    return TransformersSystem(
        "transformers-assisted", host, assistant=draft, variant=draft_folder.name, largest_batch=1
    )


def load(folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """A causal language model from local files."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
    return model.to(device).eval()
