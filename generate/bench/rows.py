"""What the runs come to: a row for each system in each cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from generate.bench.cells import Cell, Ids
from generate.bench.run import Run
from generate.bench.stats import estimate, paired_ratios
from generate.bench.systems import label

TIE = 2e-4
"""The reference's two best logits lie this close: either token counts as its choice."""

Gap = Callable[[Ids], float]
"""By how much the reference's best logit exceeds the second after these tokens."""


def make_rows(runs: Sequence[Run], cells: Sequence[Cell], gap: Gap | None = None) -> list[dict[str, Any]]:
    """Rows in the order of cells and systems, of all runs that there are.

    Args:
        gap: of transformers' model; without it no divergence is a tie.
    """
    grouped: dict[tuple[int, str], list[Run]] = defaultdict(list)
    for run in runs:
        grouped[run.cell, label(run.system)].append(run)
    rows = []
    for number, cell in enumerate(cells):
        here = {name: found for (place, name), found in grouped.items() if place == number}
        order = sorted(here, key=lambda name: _place(here[name][0]))
        rows += [_row(cell, here[name], here, gap) for name in order]
    return [row for row in rows if row]


FIRST = ("transformers", "transformers-lookup", "transformers-assisted", "llama.cpp", "plain")
LAST = ("always", "auto")


def _place(run: Run) -> tuple[int, str]:
    """Peers first, then plain, the drafters by name, all of them together last."""
    name = run.system.name
    if name in LAST:
        return len(FIRST) + 1 + LAST.index(name), name
    return FIRST.index(name) if name in FIRST else len(FIRST), label(run.system)


def _row(
    cell: Cell, runs: Sequence[Run], here: Mapping[str, Sequence[Run]], gap: Gap | None
) -> dict[str, Any]:
    rates = _rates(runs)
    if not rates:
        return {}  # every output ended with its first token
    system = runs[0].system
    speed = estimate(list(rates.values()))
    waits = [run.decoded.ttft_cached_s for run in runs if run.decoded.ttft_cached_s is not None]
    steps = sum(run.decoded.steps for run in runs)
    row: dict[str, Any] = {
        "system": system.name,
        "variant": system.variant,
        "batch": cell.batch,
        "context": cell.context,
        "tokens_per_s": speed.median,
        "low": speed.low,
        "high": speed.high,
        "tokens_per_step": sum(run.decoded.tokens for run in runs) / steps,
        "ttft_s": median(run.ttft_s for run in runs),
        "ttft_cached_s": median(waits) if waits else None,
    }
    for peer in ("transformers", "plain", "llama.cpp"):
        ratios = paired_ratios(rates, _rates(here.get(peer, ())))
        found = asdict(estimate(ratios)) if ratios else dict.fromkeys(("median", "low", "high"))
        name = f"ratio_vs_{peer.replace('.', '_')}"
        row |= {name: found["median"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
    return {
        **{name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()},
        **_identical(cell, runs, here, gap),
        "weights": system.weights,
        "runs": len(rates),
    }


def _rates(runs: Sequence[Run]) -> dict[Hashable, float]:
    """Tokens a second by round; a run whose outputs all ended at once has no rate."""
    return {
        (run.group, run.lane): run.decoded.tokens / run.decoded.seconds for run in runs if run.decoded.tokens
    }


def _identical(
    cell: Cell, runs: Sequence[Run], here: Mapping[str, Sequence[Run]], gap: Gap | None
) -> dict[str, Any]:
    """The share of outputs that are the reference's, token for token.

    The reference is transformers for float32 weights, else plain decoding with the same weights. Where
    transformers' two best logits tie, either counts as the same; ``ties`` says how often that was.
    """
    reference = _reference(runs[0], here)
    if reference is None:
        return {"identical": None, "identical_to": None, "ties": None}
    wanted: dict[int, tuple[Ids, ...]] = {}
    for run in here[reference]:
        wanted.setdefault(run.group, run.decoded.outputs)
    same = outputs = ties = 0
    for run in runs:
        prompts = cell.groups[run.group]
        for prompt, want, got in zip(prompts, wanted.get(run.group, ()), run.decoded.outputs, strict=False):
            tied = want != got and reference == "transformers" and _is_tie(prompt, want, got, gap)
            outputs += 1
            ties += tied
            same += want == got or tied
    share = same / outputs if outputs else None
    return {"identical": share, "identical_to": reference, "ties": ties}


def _reference(run: Run, here: Mapping[str, Sequence[Run]]) -> str | None:
    weights = run.system.weights
    for name in ("transformers", "plain") if weights == "float32" else ("plain",):
        if name in here and here[name][0].system.weights == weights:
            return name
    return None


def _is_tie(prompt: Ids, want: Ids, got: Ids, gap: Gap | None) -> bool:
    pairs = enumerate(zip(want, got, strict=False))
    first = next((place for place, (ours, theirs) in pairs if ours != theirs), None)
    return first is not None and gap is not None and gap((*prompt, *want[:first])) <= TIE
