"""Pages to markdown by a reader model: tokens a step with and without drafts from the page.

    python -m benchmarks reader [--pages 40] [--model FOLDER] [--html FOLDER]

Without a model of yours it is the tiny reader of the tests, and pages are made up, none of which it was
trained on; ``--html`` adds your own. Each page is converted by the whole way that ingest takes, guards
included: one token a step, with drafts from the page, and with all drafters that run no model. The
columns say how many tokens a step yields, on how many pages the output is the same as without drafts, and
how many pages the guards turned down.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rapidfuzz.distance import Indel
from rich.console import Console
from rich.table import Table

from benchmarks.reader.pages import Page, make_page
from configs.settings import load_settings
from ingest.convert.base import Converted, load_converter
from ingest.convert.reader_lm.converter import open_reader
from ingest.convert.reader_lm.model import Written

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "reader.json"
TINY = HERE.parents[1] / "tests" / "ingest" / "data" / "tiny_reader"
SYSTEMS = {
    "plain": ("generate.speculate=off",),
    "copy": ("generate.speculate=always", "generate.drafters=[copy]"),
    "copy and recycle": ("generate.speculate=always", "generate.drafters=[copy, recycle]"),
}
SEED = 10_000
"""Far from the seed that the tiny reader was trained with."""


@dataclass(frozen=True)
class Run:
    """What one system made of all pages."""

    pages: Sequence[tuple[Converted, list[Written]]]

    @property
    def tokens(self) -> int:
        return sum(part.tokens for _, parts in self.pages for part in parts)

    @property
    def steps(self) -> int:
        return sum(part.steps for _, parts in self.pages for part in parts)

    def texts(self) -> list[list[str]]:
        return [[part.text for part in parts] for _, parts in self.pages]

    def refused(self) -> list[str]:
        """Why pages stayed with the default converter, a line each."""
        return [
            note for converted, _ in self.pages for note in converted.notes if "converted without" in note
        ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reader", description=__doc__)
    parser.add_argument("--model", default=str(TINY), help="a folder, or a name of models.yaml")
    parser.add_argument("--pages", type=int, default=40, help="made up")
    parser.add_argument("--tokens", type=int, default=512, help="of a page that the model gets at once")
    parser.add_argument("--html", type=Path, help="a folder of .html files, converted as well")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    made = make_pages(args.pages)
    sets = {"made up": [page.html.encode() for page in made]}
    if args.html:
        sets["own"] = [path.read_bytes() for path in sorted(args.html.rglob("*.html"))]
    result: dict[str, Any] = {"model": Path(args.model).name, "torch": torch.__version__, "sets": {}}
    for name, pages in sets.items():
        runs = {}
        for system, overrides in SYSTEMS.items():
            runs[system] = convert(args.model, (f"ingest.reader_tokens={args.tokens}", *overrides), pages)
        result["sets"][name] = {
            "pages": len(pages),
            "systems": {s: row(runs[s], runs["plain"]) for s in runs},
        }
        if name == "made up":
            result["sets"][name]["markdown"] = accuracy(made, runs["plain"])
    args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    show(result)
    return 0


def make_pages(count: int) -> list[Page]:
    rng = random.Random(SEED)
    return [make_page(rng, blocks=rng.randint(3, 7), words=rng.randint(5, 10)) for _ in range(count)]


def convert(model: str, overrides: Sequence[str], pages: Sequence[bytes]) -> Run:
    """Convert all pages, each by itself."""
    wanted = ("ingest.html=reader-lm", f"models.reader={model}", "generate.weights=float", *overrides)
    settings = load_settings(None, wanted)
    reader, default = open_reader(settings), load_converter("html", settings.ingest)
    assert reader is not None
    return Run([reader.rewrite_measured([(page, default.convert(page, ".html"))])[0] for page in pages])


def row(run: Run, plain: Run) -> dict[str, Any]:
    return {
        "tokens": run.tokens,
        "steps": run.steps,
        "tokens_per_step": round(run.tokens / max(1, run.steps), 2),
        "identical": sum(a == b for a, b in zip(run.texts(), plain.texts(), strict=True)),
        "refused": run.refused(),
    }


def accuracy(pages: Sequence[Page], run: Run) -> dict[str, Any]:
    """How near the markdown comes to what the pages stand for."""
    written = ["\n\n".join(part.text.strip() for part in parts) + "\n" for _, parts in run.pages]
    scores = [
        Indel.normalized_similarity(page.markdown, text) for page, text in zip(pages, written, strict=True)
    ]
    return {
        "exact": sum(page.markdown == text for page, text in zip(pages, written, strict=True)),
        "mean_similarity": round(sum(scores) / len(scores), 4),
        "lowest_similarity": round(min(scores), 4),
    }


def show(result: dict[str, Any]) -> None:
    console = Console()
    for name, found in result["sets"].items():
        table = Table(title=f"{result['model']}: {found['pages']} pages, {name}")
        for heading in ("system", "tokens", "steps", "tokens a step", "same output", "refused by guards"):
            table.add_column(heading, justify="left" if heading == "system" else "right")
        for system, cells in found["systems"].items():
            counts = (cells["tokens"], cells["steps"], cells["tokens_per_step"], cells["identical"])
            table.add_row(system, *map(str, counts), str(len(cells["refused"])))
        console.print(table)
        if "markdown" in found:
            exact, mean = found["markdown"]["exact"], found["markdown"]["mean_similarity"]
            console.print(f"{exact} of {found['pages']} pages exact; mean similarity {mean:.1%}")


if __name__ == "__main__":
    sys.exit(main())
