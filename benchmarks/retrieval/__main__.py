"""Retrieval beside LangChain's default pipeline: recall and span coverage at equal token budgets.

    python -m benchmarks retrieval --spans FOLDER

FOLDER is data/general_evaluation_data of github.com/brandonstarxel/chunking_evaluation, or like it:
corpora/NAME.md, and questions_df.csv with question, references (the character spans that answer it) and
corpus_id. Each corpus is chunked, embedded and stored by itself, and asked its own questions.

Every system gets the same budget: the tokens that 5 (or 10) of LangChain's chunks of 800 characters take
in that corpus on average. It shows its passages best first until the budget is used up, the last one
cut to fit. A span counts as found when at least half of its characters are shown; where its text stands
in several places of a corpus, any of them will do.

  recall      questions of which every span is found
  whole       questions of which every character of every span is shown
  coverage    characters of the spans that are shown
  precision   characters shown that belong to a span (in the JSON, as are the next two)
  spans       spans that are found
  strict      recall, where only the annotated place of a span counts, not the same text elsewhere

LangChain's pipeline is RecursiveCharacterTextSplitter at 400, 800 and 1,200 characters, the same
embedder, and Qdrant through langchain-qdrant: pip install -c constraints.txt -e '.[bench]'.
Vectors of chunks are made once and kept in --cache.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.retrieval.data import Corpus, load_corpora
from benchmarks.retrieval.metrics import Score, interval, mean, score, within
from benchmarks.retrieval.systems import CHUNK_SIZES, Ours, System, budget_of, langchain
from configs.errors import DraftlineError, InputError
from configs.settings import load_settings
from retrieve.embed import load_embedder

RESULTS = Path(__file__).parents[1] / "results" / "retrieval.json"
CACHE = Path("~/.cache/draftline/benchmarks/retrieval").expanduser()
PASSAGES = (5, 10)
TUNED = ("finance", "wikitexts")
"""Corpora of span_qa that the default weights were chosen on; the others were looked at afterwards."""
PACKAGES = (
    "langchain-core",
    "langchain-text-splitters",
    "langchain-qdrant",
    "qdrant-client",
    "qdrant-edge-py",
)


@dataclass
class Results:
    """Scores of every question, by system, budget and corpus."""

    scores: dict[tuple[str, int, str], list[Score]] = field(default_factory=dict)

    def of(self, system: str, passages: int, corpora: Sequence[str]) -> list[Score]:
        return [one for name in corpora for one in self.scores[system, passages, name]]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks retrieval",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--spans", type=Path, required=True, metavar="FOLDER", help="corpora and questions")
    parser.add_argument("--corpus", action="append", metavar="NAME", help="only this one; repeatable")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting for our rows; repeatable"
    )
    parser.add_argument(
        "--overlap", type=float, default=0.0, metavar="SHARE", help="also with chunks that overlap"
    )
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="FOLDER", help="where vectors are kept")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE", help="also write them here")
    args = parser.parse_args()
    try:
        result = run(args)
    except DraftlineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    text = json.dumps(result, indent=1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(text + "\n", encoding="utf-8")
    if args.json:
        print(text)
    else:
        show(result)
    return 0


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure everything."""
    if find_spec("langchain_qdrant") is None:
        raise InputError("langchain-qdrant is not installed: pip install -c constraints.txt -e '.[bench]'")
    settings = load_settings(overrides=args.set)
    embedder = load_embedder(settings)
    corpora = load_corpora(args.spans, settings, args.corpus)
    with TemporaryDirectory(prefix="draftline-retrieval-") as folder:
        ours = list(Ours(embedder, args.set, settings, Path(folder), args.cache).systems())
        overlaps = sorted({0.0, args.overlap})
        peers = [
            langchain(size, round(size * overlap), embedder, args.cache)
            for overlap in overlaps
            for size in CHUNK_SIZES
        ]
        budgets = {c.name: {k: budget_of(c, k) for k in PASSAGES} for c in corpora}
        results = measure([*peers, *ours], corpora, budgets)
    groups = groups_of([corpus.name for corpus in corpora])
    return {
        "questions": {corpus.name: len(corpus.questions) for corpus in corpora},
        "budgets": budgets,
        "embedder": embedder.name,
        "settings": args.set,
        "versions": {name: version(name) for name in PACKAGES},
        "tuned_on": [name for name in TUNED if name in budgets],
        "rows": rows_of(results, [s.name for s in (*peers, *ours)], groups),
        "gains": gains_of(results, [s.name for s in peers], [s.name for s in ours], groups),
    }


def measure(
    systems: Sequence[System], corpora: Sequence[Corpus], budgets: dict[str, dict[int, int]]
) -> Results:
    results = Results()
    for system in systems:
        for corpus in track(corpora, system.name, console=Console(stderr=True), transient=True):
            rank = system.build(corpus)
            for passages, budget in budgets[corpus.name].items():
                results.scores[system.name, passages, corpus.name] = [
                    score(question.spans, within(budget, rank(question.text, budget), corpus))
                    for question in corpus.questions
                ]
    return results


def groups_of(names: Sequence[str]) -> dict[str, list[str]]:
    """All corpora, those that the defaults were chosen on, the others, and each alone."""
    tuned = [name for name in names if name in TUNED]
    others = [name for name in names if name not in TUNED]
    groups = {"all": list(names), "tuned on": tuned, "held out": others}
    return {name: group for name, group in groups.items() if group} | {name: [name] for name in names}


def rows_of(results: Results, systems: Sequence[str], groups: dict[str, list[str]]) -> list[dict[str, Any]]:
    return [
        {"system": system, "budget": passages, "corpora": group, **mean(results.of(system, passages, names))}
        for group, names in groups.items()
        for passages in PASSAGES
        for system in systems
    ]


def gains_of(
    results: Results, peers: Sequence[str], ours: Sequence[str], groups: dict[str, list[str]]
) -> list[dict[str, Any]]:
    """What our last row has over the best of LangChain's, and over BM25 alone, with 95 % intervals."""
    gains = []
    for group in [name for name in ("all", "tuned on", "held out") if name in groups]:
        for passages, measured in product(PASSAGES, ("recall", "coverage")):
            scores = {name: results.of(name, passages, groups[group]) for name in (*peers, *ours)}
            means = {name: mean(of)[measured] for name, of in scores.items()}
            for other in (max(peers, key=means.__getitem__), "BM25"):
                low, high = interval(scores[ours[-1]], scores[other], measured)
                gains.append(
                    {"system": ours[-1], "over": other, "corpora": group}
                    | {"budget": passages, "measure": measured}
                    | {"gain": round(means[ours[-1]] - means[other], 4), "low": low, "high": high}
                )
    return gains


def show(result: dict[str, Any]) -> None:
    """Print what a run found, for people."""
    console = Console()
    columns = [(name, passages) for passages in PASSAGES for name in ("recall", "whole", "coverage")]
    for group in ("all", "held out"):
        rows = [row for row in result["rows"] if row["corpora"] == group]
        table = Table(title=f"share of questions and of span characters, {group}", box=box.SIMPLE)
        table.add_column("", no_wrap=True)
        for name, passages in columns:
            table.add_column(f"{name}\n@{passages}", justify="right")
        for system in dict.fromkeys(row["system"] for row in rows):
            own = {row["budget"]: row for row in rows if row["system"] == system}
            table.add_row(system, *(f"{own[passages][name]:.3f}" for name, passages in columns))
        if rows:
            console.print(table)
    for gain in result["gains"]:
        console.print(
            f"{gain['system']} over {gain['over']}, {gain['corpora']}, {gain['measure']}@{gain['budget']}: "
            f"{100 * gain['gain']:+.1f} points ({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})",
            highlight=False,
            soft_wrap=True,
        )


if __name__ == "__main__":
    sys.exit(main())
