"""What a measurement is asked for, and which systems that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from configs.errors import InputError
from generate.speculate.factory import DRAFTERS

PEERS = ("transformers", "transformers-lookup", "transformers-assisted", "llama.cpp")
SYSTEMS = (*PEERS, *DRAFTERS, "always", "plain", "auto")
SINGLE = frozenset(PEERS) - {"transformers"}
"""Take one prompt at a time."""

Text = Literal["copyable", "fresh", "adversarial"]


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    batches: tuple[int, ...] = (1,)
    contexts: tuple[int, ...] = ()
    max_tokens: int = 64
    rounds: int = 5
    systems: tuple[str, ...] | None = None
    """None: all that can run here."""
    drafters: tuple[str, ...] | None = None
    """None: those of the settings."""
    text: Text = "copyable"
    draft_model: str | None = None
    gguf: Path | None = None
    schema: Path | None = None
    stop_at_eos: bool = False


def wanted(options: Options, drafters: Sequence[str]) -> tuple[str, ...]:
    """Names of the systems to measure, in the order of `SYSTEMS`: plain and auto are neighbours."""
    names = set(options.systems or _usual(options, drafters))
    if "transformers-assisted" in names and options.draft_model is None:
        raise InputError("transformers-assisted needs a draft model: name one with --draft-model")
    if options.text == "fresh" and (others := sorted(names.intersection(PEERS))):
        raise InputError(f"--text fresh is sampled, and {others[0]} would draw other text; leave it out")
    if options.schema and (others := sorted(names.intersection(PEERS))):
        raise InputError(
            f"--schema constrains our engine, and {others[0]} would write other text; leave it out"
        )
    if "auto" in names:
        names.add("plain")
    return tuple(name for name in SYSTEMS if name in names)


def _usual(options: Options, drafters: Sequence[str]) -> list[str]:
    """Names of the systems that have something to do here."""
    if options.text != "copyable":
        return ["plain", "auto"]
    if options.schema:
        return ["plain", *drafters, "always", "auto"]
    others = [name for name in drafters if name != "grammar"]  # without a schema nothing is forced
    peers = [name for name in PEERS if options.draft_model or name != "transformers-assisted"]
    return [*peers, "plain", *others, "always", "auto"]
