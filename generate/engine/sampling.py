"""From logits to tokens, as transformers' ``generate`` does it: penalty, temperature, top-k, top-p."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from generate.engine.request import SamplingParams


def logits_to_probs(logits: Tensor, params: SamplingParams) -> Tensor:
    """The distribution that sampling draws from.

    Args:
        logits: (..., vocabulary), float32, after the repetition penalty.

    Returns:
        Probabilities of the same shape. Temperature 0 puts everything on the first maximum.
    """
    if params.greedy:
        probs = torch.zeros_like(logits)
        return probs.scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)
    # Relative to the maximum, so that no temperature, however small, makes infinities that cancel to NaN.
    highest = logits.max(-1, keepdim=True).values
    logits = (logits - highest) / max(params.temperature, torch.finfo(logits.dtype).tiny)
    if 0 < params.top_k < logits.shape[-1]:
        smallest_kept = logits.topk(params.top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < smallest_kept, -torch.inf)
    if params.top_p < 1:
        ascending, order = logits.sort(dim=-1)
        drop = ascending.softmax(-1).cumsum(-1) <= 1 - params.top_p
        drop[..., -1] = False
        logits = logits.masked_fill(drop.scatter(-1, order, drop), -torch.inf)
    return logits.softmax(-1)


class SeenTokens:
    """The different tokens of a sequence that only grows, so that each one is looked at once."""

    def __init__(self) -> None:
        self._read = 0
        self._known: set[int] = set()
        self._ids: Tensor | None = None

    def ids(self, tokens: Sequence[int], settled: int, device: torch.device) -> Tensor:
        """The different ones, in any order.

        Args:
            settled: how many of ``tokens`` stand for good; those after them may be others next time.
        """
        fresh = set(tokens[self._read : settled]) - self._known
        if fresh or self._ids is None:
            self._known |= fresh
            self._ids = _append(self._ids, fresh, device)
        self._read = max(self._read, settled)
        tentative = set(tokens[settled:]) - self._known
        return _append(self._ids, tentative, device) if tentative else self._ids


def _append(ids: Tensor | None, more: set[int], device: torch.device) -> Tensor:
    added = torch.tensor(sorted(more), dtype=torch.long, device=device)
    return added if ids is None else torch.cat((ids, added))


def penalise_repetition(
    logits: Tensor, tokens: Sequence[int], penalty: float, seen: Tensor | None = None
) -> Tensor:
    """Make tokens that occurred already less likely (CTRL, arXiv 1909.05858, section 4.1).

    Args:
        logits: (vocabulary,).
        tokens: prompt and output so far.
        seen: the different ones of them, where they are known.
    """
    if penalty == 1:
        return logits
    if seen is None:
        seen = _append(None, set(tokens), logits.device)
    scores = logits[seen]
    return logits.index_copy(0, seen, torch.where(scores < 0, scores * penalty, scores / penalty))


def sample(logits: Tensor, tokens: Sequence[int], params: SamplingParams, seen: Tensor | None = None) -> int:
    """The token that follows ``tokens`` (prompt and output so far), from ``logits`` (vocabulary,).

    Args:
        seen: the different ones of ``tokens``, where they are known.
    """
    logits = penalise_repetition(logits, tokens, params.repetition_penalty, seen)
    if params.greedy:
        return int(logits.argmax())
    probs = logits_to_probs(logits, params).cpu()
    return int((probs / noise(params.seed, len(tokens), len(probs))).argmax())


@lru_cache(maxsize=64)  # drafting and verifying ask for the same positions; drawing takes a millisecond
def noise(seed: int, position: int, vocabulary: int) -> Tensor:
    """The randomness of one position of one request: (vocabulary,) exponential variables, read-only.

    ``argmax(probs / noise)`` is a draw from ``probs`` (the exponential race, which is the Gumbel-max
    trick). The noise depends on the seed and the position alone, so a request draws the same tokens
    in whatever batch, with drafts or without: see `generate.speculate.verify`.
    """
    digest = hashlib.blake2b(f"{seed}:{position}".encode(), digest_size=4).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "big"))
    drawn = torch.empty(vocabulary).exponential_(generator=generator)
    return drawn.clamp_min_(torch.finfo(drawn.dtype).tiny)
