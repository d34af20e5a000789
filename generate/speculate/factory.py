"""From settings to drafters, a planner and a speculator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from configs.errors import InputError
from configs.sections import GenerateSettings
from generate.engine.engine import Engine
from generate.engine.runner import ModelRunner
from generate.speculate.bigram import BigramDrafter, load_bigrams
from generate.speculate.copying import CopyDrafter
from generate.speculate.drafter import Drafter
from generate.speculate.forced import GrammarDrafter
from generate.speculate.measure import load_costs
from generate.speculate.model import DraftModelDrafter
from generate.speculate.planner import Planner
from generate.speculate.recycling import RecycleDrafter
from generate.speculate.sparse import SparseDrafter
from generate.speculate.speculator import Speculator
from generate.speculate.vocabulary import VocabularyMap

CHEAP: dict[str, Callable[[], Drafter]] = {
    "copy": CopyDrafter,
    "recycle": RecycleDrafter,
    "grammar": GrammarDrafter,
}
"""Drafters that know nothing of the model."""
MODEL_FREE = (*CHEAP, "bigram")
"""Drafters that run no model while they draft."""
SPARSE = ("streaming", "snapkv")
"""Drafters that run the target over a part of its context."""
DRAFTERS = (*MODEL_FREE, *SPARSE, "model")


@dataclass(frozen=True)
class DraftModel:
    """A loaded draft model, and what its tokens are to the target; None: the same."""

    runner: ModelRunner
    vocabulary: VocabularyMap | None


LoadDraft = Callable[[], DraftModel]


def open_speculator(
    engine: Engine,
    settings: GenerateSettings,
    costs_file: Path | None = None,
    load_draft: LoadDraft | None = None,
) -> Speculator | None:
    """The speculator that the settings ask for; None where they ask for none.

    Args:
        engine: has not run yet, since measuring step costs overwrites its cache.
        costs_file: where measured step costs are kept, and beside it what the model expects after each token.
        load_draft: loads the draft model, if one is named.

    Raises:
        InputError: the drafter ``model`` without a draft model, or ``streaming`` or ``snapkv`` where the
            target itself sees no more than a window.
    """
    if settings.speculate == "off" or not settings.drafters:
        return None
    drafters = open_drafters(
        settings.drafters, engine, settings, load_draft, costs_file.parent if costs_file else None
    )
    planner = Planner(load_costs(engine, costs_file)) if settings.speculate == "auto" else None
    return Speculator(drafters, limit=settings.draft_tokens, planner=planner, depth=settings.draft_depth)


def open_drafters(
    names: Sequence[str],
    engine: Engine,
    settings: GenerateSettings,
    load_draft: LoadDraft | None = None,
    folder: Path | None = None,
) -> list[Drafter]:
    """New drafters for an engine, by name; ``folder``: see `load_bigrams`."""
    sparse = partial(
        SparseDrafter,
        engine.runner,
        engine.cache,
        engine.pool,
        budget=settings.draft_budget,
        depth=settings.draft_depth,
        cache_mb=settings.draft_cache_mb,
    )
    found: list[Drafter] = []
    for name in dict.fromkeys(names):
        if name in SPARSE and engine.runner.attention_window is not None:
            raise InputError(
                f"generate.drafters has {name}, which drafts with less context, and "
                "generate.attention_window takes that away already; set one of the two only"
            )
        if name in CHEAP:
            found.append(CHEAP[name]())
        elif name == "bigram":
            found.append(BigramDrafter(load_bigrams(engine, folder)))
        elif name == "streaming":
            found.append(sparse(policy="streaming"))
        elif name == "snapkv":
            found.append(sparse(policy="snapkv"))
        else:
            found.append(_draft_model(engine, settings, load_draft))
    return found


def _draft_model(engine: Engine, settings: GenerateSettings, load_draft: LoadDraft | None) -> Drafter:
    if load_draft is None:
        raise InputError("generate.drafters has model, but no draft model is named: set models.draft")
    draft = load_draft()
    return DraftModelDrafter(
        draft.runner,
        vocab_size=engine.runner.vocab_size,
        vocabulary=draft.vocabulary,
        block_size=settings.block_size,
        cache_mb=settings.draft_cache_mb,
    )
