"""From logits to tokens, as transformers' ``generate`` does it: penalty, temperature, top-k, top-p."""

from __future__ import annotations

from collections.abc import Sequence

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


def penalise_repetition(logits: Tensor, tokens: Sequence[int], penalty: float) -> Tensor:
    """Make tokens that occurred already less likely (CTRL, arXiv 1909.05858, section 4.1).

    Args:
        logits: (vocabulary,).
        tokens: prompt and output so far.
    """
    if penalty == 1:
        return logits
    seen = torch.tensor(sorted(set(tokens)), device=logits.device)
    scores = logits[seen]
    return logits.index_copy(0, seen, torch.where(scores < 0, scores * penalty, scores / penalty))


class Sampler:
    """Draws a request's tokens from a random stream of its own, so that neighbours change nothing."""

    def __init__(self) -> None:
        self._generators: dict[int, torch.Generator] = {}

    def sample(self, logits: Tensor, request_id: int, tokens: Sequence[int], params: SamplingParams) -> int:
        """The next token after ``tokens``, from ``logits`` (vocabulary,)."""
        logits = penalise_repetition(logits, tokens, params.repetition_penalty)
        if params.greedy:
            return int(logits.argmax())
        generator = self._generators.get(request_id)
        if generator is None:
            generator = torch.Generator().manual_seed(params.seed)
            self._generators[request_id] = generator
        probs = logits_to_probs(logits, params).cpu()
        return int(torch.multinomial(probs, 1, generator=generator))

    def forget(self, request_id: int) -> None:
        """Drop a request's random stream."""
        self._generators.pop(request_id, None)
