"""Drafts from the model alone: the tokens it expects after a single one, whatever came before.

The evidence and the model's earlier choices say nothing about words that come up for the first time,
and least at the start of an answer. The model itself does: its likeliest tokens after each of the
frequent ones, computed once, are the model-derived bigram of the N-Grammys (arXiv 2411.03786). They
hold nothing of anybody's text, so all requests share them.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generate.engine.batch import pack
from generate.engine.engine import Engine
from generate.engine.request import Request, SamplingParams
from generate.engine.scheduler import Scheduled
from generate.speculate.drafter import Candidate, Outcome
from generate.speculate.kept import keep
from generate.speculate.recycling import MIN_PROBABILITY, WIDTH, likeliest
from generate.speculate.tree import MAX_NODES, ROOT, TokenTree

CONTEXTS = 16_384
"""Tokens after which is asked: the first ones, since vocabularies are built from the frequent to the rare.
With SmolLM2 they are more than nine of ten tokens of a text."""
SECONDS = 20.0
"""The most time that the table may take; a slow machine keeps a shorter one."""
PRIOR = 0.5
"""What the probability after one token is worth where the whole context counts."""
VERSION = 1


@dataclass(frozen=True)
class Bigrams:
    """The likeliest tokens after each of the first tokens of a vocabulary, and how likely they are.

    Shapes: (contexts, width) each, the likeliest first.
    """

    tokens: NDArray[np.int32]
    shares: NDArray[np.float16]

    def after(self, token: int) -> list[tuple[int, float]]:
        """What may follow a token; nothing for one that was not asked about."""
        if token >= len(self.tokens):
            return []
        pairs = zip(self.tokens[token].tolist(), self.shares[token].tolist(), strict=True)
        return [(following, share) for following, share in pairs if share >= MIN_PROBABILITY]


class BigramDrafter:
    """Proposes what the model expects after the last token, knowing nothing else."""

    name = "bigram"

    def __init__(self, bigrams: Bigrams) -> None:
        self._bigrams = bigrams
        self._known: dict[int, list[Candidate]] = {}
        """Candidates after the tokens that came up."""

    def begin(self, request: Request) -> int | None:
        return request.tokens[-1]

    def candidates(self, state: int) -> Sequence[Candidate]:
        found = self._known.get(state)
        if found is None:
            found = self._known[state] = [
                Candidate(token, (min(rank, 4), int(share * 9.999)), PRIOR * share)
                for rank, (token, share) in enumerate(self._bigrams.after(state))
            ]
        return found

    def advance(self, state: int, token: int) -> int | None:
        return token

    def observe(self, outcome: Outcome) -> None:
        """The table stays as it is; how far it can be trusted, `Calibration` learns."""

    def forget(self, request: Request) -> None:
        """Nothing is kept by request."""


def load_bigrams(engine: Engine, folder: Path | None) -> Bigrams:
    """The table of an engine that has not run yet: from the folder, else computed and written there.

    Args:
        folder: holds the tables of any number of models, told apart by configuration and type of
            weights: the table of a model's twin only drafts a little worse. None keeps nothing.
    """
    key = hashlib.blake2b(repr((VERSION, engine.runner.identity)).encode(), digest_size=12).hexdigest()
    file = folder / f"bigrams-{key}.npz" if folder else None
    found = _read(file, engine.runner.vocab_size)
    if found is None:
        found = compute(engine)
        content = io.BytesIO()
        np.savez(content, tokens=found.tokens, shares=found.shares)
        keep(file, content.getvalue())
    return found


def compute(engine: Engine, contexts: int = CONTEXTS, seconds: float = SECONDS) -> Bigrams:
    """Ask the model, on the engine's own cache, whose content that overwrites.

    Every step is a tree in which all nodes are children of the first token, so each sees that and itself.
    """
    runner, pool = engine.runner, engine.pool
    contexts = min(contexts, runner.vocab_size)
    nodes = min(MAX_NODES, pool.count * pool.block_size, runner.context_length) - 1
    start = getattr(runner.config, "bos_token_id", None)
    if not isinstance(start, int) or not 0 <= start < runner.vocab_size:
        start = 0  # any token will do: what matters is the one behind it
    request = Request((start,), SamplingParams())
    request.block_table = list(range(pool.blocks_for(1 + nodes)))
    tokens = np.zeros((contexts, min(WIDTH, runner.vocab_size)), np.int32)
    shares = np.zeros(tokens.shape, np.float16)
    done, end = 0, time.monotonic() + seconds
    while done < contexts and nodes > 0 and time.monotonic() < end:
        asked = tuple(range(done, min(done + nodes, contexts)))
        step = Scheduled(request, 1, TokenTree(asked, (ROOT,) * len(asked)))
        logits = runner.forward(pack([step], engine.cache, pool.block_size, runner.device))
        best, weights = likeliest(logits[1:], tokens.shape[1])
        done += len(asked)
        tokens[asked[0] : done] = best.cpu().numpy()
        shares[asked[0] : done] = weights.float().cpu().numpy()
    return Bigrams(tokens[:done], shares[:done])


def _read(file: Path | None, vocabulary: int) -> Bigrams | None:
    """The table in a file; None if there is none, or it is damaged."""
    if file is None:
        return None
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as content:
            tokens, shares = content["tokens"], content["shares"]
    except Exception:  # a damaged archive ends in errors of any kind
        return None
    right = tokens.dtype == np.int32 and shares.dtype == np.float16 and tokens.shape == shares.shape
    if not right or tokens.ndim != 2 or not ((tokens >= 0) & (tokens < vocabulary)).all():
        return None
    return Bigrams(tokens, shares)
