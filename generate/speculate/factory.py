"""From settings to drafters, a planner and a speculator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from configs.settings import GenerateSettings
from generate.engine.engine import Engine
from generate.speculate.copying import CopyDrafter
from generate.speculate.drafter import Drafter
from generate.speculate.forced import GrammarDrafter
from generate.speculate.measure import load_costs
from generate.speculate.planner import Planner
from generate.speculate.recycling import RecycleDrafter
from generate.speculate.speculator import Speculator

DRAFTERS: dict[str, Callable[[], Drafter]] = {
    "copy": CopyDrafter,
    "recycle": RecycleDrafter,
    "grammar": GrammarDrafter,
}


def open_speculator(
    engine: Engine, settings: GenerateSettings, costs_file: Path | None = None
) -> Speculator | None:
    """The speculator that the settings ask for; None where they ask for none.

    Args:
        engine: has not run yet, since measuring step costs overwrites its cache.
        costs_file: where measured step costs are kept.
    """
    if settings.speculate == "off" or not settings.drafters:
        return None
    planner = Planner(load_costs(engine, costs_file)) if settings.speculate == "auto" else None
    return Speculator(open_drafters(settings.drafters), limit=settings.draft_tokens, planner=planner)


def open_drafters(names: Sequence[str]) -> list[Drafter]:
    """New drafters, by name."""
    return [DRAFTERS[name]() for name in dict.fromkeys(names)]
