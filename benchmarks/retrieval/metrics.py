"""What a ranking is worth within a budget of tokens.

A system shows its passages best first until the budget is used up; the last one is cut to fit, and
text that is shown twice is paid for twice. A span is found when at least half of it is shown, wherever
in the corpus its text stands: a corpus that says a thing twice is answered by either place.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from benchmarks.retrieval.data import Corpus, Span

DRAWS = 2000


@dataclass(frozen=True)
class Score:
    """Of one question; each from 0 to 1."""

    recall: float
    """1 when every span is found."""
    whole: float
    """1 when every character of every span is shown."""
    spans: float
    """Share of the spans that are found."""
    coverage: float
    """Share of the spans' characters that are shown."""
    precision: float
    """Share of the characters shown that belong to a span."""
    strict: float
    """Recall, where only the annotated place of a span counts."""


def within(budget: int, passages: Iterable[Span], corpus: Corpus) -> list[Span]:
    """The passages that a budget of tokens pays for, the last one cut to fit."""
    shown: list[Span] = []
    for passage in passages:
        tokens = corpus.tokens(passage)
        if tokens > budget:
            if budget:
                shown.append(corpus.first_tokens(passage, budget))
            break
        shown.append(passage)
        budget -= tokens
    return shown


def score(spans: Sequence[Sequence[Span]], shown: Iterable[Span]) -> Score:
    """What these passages show of a question's spans, each given by all its places."""
    seen: set[int] = set()
    for start, end in shown:
        seen.update(range(start, end))
    by_place = [[_share(place, seen) for place in places] for places in spans]
    shares = [max(places) for places in by_place]
    lengths = [places[0][1] - places[0][0] for places in spans]
    wanted = set().union(*(range(*place) for places in spans for place in places))
    return Score(
        recall=float(min(shares) >= 0.5),
        whole=float(min(shares) == 1),
        spans=sum(share >= 0.5 for share in shares) / len(shares),
        coverage=sum(share * size for share, size in zip(shares, lengths, strict=True)) / sum(lengths),
        precision=len(seen & wanted) / len(seen) if seen else 0.0,
        strict=float(min(places[0] for places in by_place) >= 0.5),
    )


def _share(place: Span, seen: set[int]) -> float:
    return sum(position in seen for position in range(*place)) / (place[1] - place[0])


def mean(scores: Sequence[Score]) -> dict[str, float]:
    """The mean of every measure."""
    rows = [asdict(one) for one in scores]
    return {name: round(sum(row[name] for row in rows) / len(rows), 4) for name in rows[0]}


def interval(ours: Sequence[Score], theirs: Sequence[Score], measure: str) -> tuple[float, float]:
    """95 % interval of the mean difference over the same questions (paired bootstrap)."""
    differences = [getattr(a, measure) - getattr(b, measure) for a, b in zip(ours, theirs, strict=True)]
    rng = random.Random(0)
    means = sorted(sum(rng.choices(differences, k=len(differences))) for _ in range(DRAWS))
    low, high = means[round(DRAWS * 0.025)], means[round(DRAWS * 0.975) - 1]
    return round(low / len(differences), 4), round(high / len(differences), 4)
