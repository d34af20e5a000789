"""Every drafter alone, and all of them under the real planner on a machine whose costs are made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from configs.settings import load_settings
from generate.engine.engine import Engine
from generate.engine.request import Request
from generate.engine.runner import ModelRunner
from generate.speculate import mixes
from generate.speculate.bigram import BigramDrafter, Bigrams, compute
from generate.speculate.costs import GRID, Share, StepCosts
from generate.speculate.drafter import Drafter
from generate.speculate.factory import CHEAP, MODEL_FREE
from generate.speculate.kv_selection import SINKS, WINDOW
from generate.speculate.mixes import Mix
from generate.speculate.model import DraftModelDrafter
from generate.speculate.planner import Planner
from generate.speculate.sparse import SparseDrafter
from generate.speculate.speculator import Speculator
from generate.speculate.tree import TokenTree

ALONE = ("copy", "recycle", "bigram", "grammar", "streaming", "snapkv", "model")
AUTO = ("auto", "auto with models")
KINDS = (*ALONE, *AUTO)

FREE = [0.01 + 0.00001 * rows for rows in GRID]
"""Seconds of a step by rows where more of these cost next to nothing."""
DEAR = [0.01 * rows for rows in GRID]
"""Where each costs as much as the first, so that no draft can pay."""
PHASE = 5
"""Steps for which the machine stays as it is."""


class Moody(Speculator):
    """Plans by costs that change from free to dear and back, and lets drafters with a model seem to
    be worth their while and not: drafting is switched on and off all the time."""

    def __init__(self, drafters: Sequence[Drafter], *, limit: int, depth: int) -> None:
        super().__init__(
            drafters, limit=limit, planner=Planner(StepCosts(FREE, [0.0] * len(GRID))), depth=depth
        )
        self.step = 0
        self.sizes: list[int] = []
        """Drafts of each step."""
        self.mixes: list[Mix] = []

    @property
    def dear(self) -> bool:
        return self.step // PHASE % 2 == 1

    def draft(self, requests: Sequence[Request], room: int) -> list[TokenTree]:
        self.step += 1
        self.planner = Planner(StepCosts(DEAR if self.dear else FREE, [0.0] * len(GRID)))
        trees = super().draft(requests, room)
        self.sizes.append(sum(len(tree) for tree in trees))
        self.mixes.append(self._mix)
        return trees

    def _follow(self, proposing: float) -> None:
        """Proposals cost nothing: their real seconds do not compare with steps whose costs are made up."""
        self._learning = 0.0

    def timed(self, shares: Sequence[Share], tokens: int, seconds: float) -> None:
        self._drafting = 0.0
        pays = (self._mix.model is None) == self.dear
        super().timed(shares, tokens, 0.01 if pays else 0.02)

    def check(self) -> None:
        """Fail unless drafting was switched on and off, by drafters with a model as well if there are any."""
        assert max(self.sizes) > 0
        assert len(self.sizes) <= PHASE or min(self.sizes) == 0
        if self._models and len(self.sizes) > 4:
            assert len(set(self.mixes)) > 1


def restless(patch: Callable[[Any, str, Any], None]) -> None:
    """Let drafters with a model be tried often and briefly; `patch` is monkeypatch's ``setattr``."""
    patch(mixes, "TRIAL_STEPS", 2)
    patch(mixes, "FIRST_TRIALS", 1000.0)


def _bigrams(engine: Engine) -> Bigrams:
    """Of the model's first tokens, by an engine of its own: this one may have run already."""
    settings = load_settings(env={}).generate.model_copy(update={"kv_cache_mb": 32.0})
    return compute(Engine(engine.runner, settings), contexts=1024)


def open_kind(
    kind: str,
    engine: Engine,
    draft: ModelRunner,
    *,
    limit: int = 16,
    depth: int = 4,
    budget: int = SINKS + WINDOW + 12,
    cache_mb: float = 8.0,
    guest: Drafter | None = None,
) -> Speculator:
    """A drafter alone, with every draft it has, or all of them together as the planner wants.

    Args:
        draft: the draft model; it shares the target's vocabulary.
        budget: tokens of context that self-drafts look at.
        cache_mb: of each drafter with a model.
        guest: drafts beside the others where all of them do.
    """

    def sparse(policy: Any) -> Drafter:
        return SparseDrafter(
            engine.runner, engine.cache, engine.pool,
            policy=policy, budget=budget, depth=depth, cache_mb=cache_mb, exit_below=0.0,
        )  # fmt: skip

    def model() -> Drafter:
        return DraftModelDrafter(
            draft,
            vocab_size=engine.runner.vocab_size,
            block_size=engine.pool.block_size,
            cache_mb=cache_mb,
            chunk=4096,
            exit_below=0.0,
        )

    opened: dict[str, Callable[[], Drafter]] = {
        **CHEAP,
        "bigram": lambda: BigramDrafter(_bigrams(engine)),
        "streaming": lambda: sparse("streaming"),
        "snapkv": lambda: sparse("snapkv"),
        "model": model,
    }
    if kind in ALONE:
        return Speculator([opened[kind]()], limit=limit, planner=None, depth=depth)
    names = MODEL_FREE if kind == "auto" else opened
    drafters = [opened[name]() for name in names]
    return Moody(drafters if guest is None else [*drafters, guest], limit=limit, depth=depth)
