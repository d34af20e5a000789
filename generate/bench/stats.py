"""Medians, and how far they may be trusted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 4000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A median and its 95 % interval; of a single value the interval is that value."""

    median: float
    low: float
    high: float


def estimate(values: Sequence[float], seed: int = 0) -> Estimate:
    """The median of some runs, with a percentile bootstrap interval.

    The interval says where the median of as many runs like these would lie: runs are drawn with
    replacement (Efron, 1979), `DRAWS` times, and the middle 95 % of their medians are kept.

    Args:
        values: one a run; at least one.
    """
    runs = np.asarray(values, dtype=float)
    drawn = np.random.default_rng(seed).integers(0, len(runs), (DRAWS, len(runs)))
    medians = np.median(runs[drawn], axis=1)
    low, high = np.quantile(medians, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(np.median(runs)), float(low), float(high))


def paired_ratios(ours: Mapping[Hashable, float], theirs: Mapping[Hashable, float]) -> list[float]:
    """Ours over theirs for every round that has both, so that a slow minute strikes both alike."""
    return [value / theirs[key] for key, value in ours.items() if key in theirs]
