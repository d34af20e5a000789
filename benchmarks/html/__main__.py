"""Web pages to markdown: our converter beside trafilatura, markdownify and unstructured.

    python -m benchmarks html --data DIR --articles DIR --json FILE

DIR of --data holds ``html/*.html`` and ``expected/*.md`` (the layout of defuddle's fixtures); the markdown
is scored by edit similarity and ROUGE-L. DIR of --articles holds a folder a page with ``source.html`` and
``expected.html`` (the layout of Readability's test pages); the words of the body are scored by F1. Of both
the metadata are scored as well, as benchmarks/html/metadata_scores.py says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks.html import metadata_scores, scores
from benchmarks.html.data import Page, articles, markdown_pages
from benchmarks.html.systems import SYSTEMS, Convert, versions

Scores = dict[str, float]
LOSSES = 40  # listed a score


def main() -> int:
    args = _arguments()
    systems = args.systems.split(",")
    if unknown := set(systems) - set(SYSTEMS):
        print(f"error: unknown systems: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    converters = {name: SYSTEMS[name][0]() for name in systems}
    folders = [
        f"--{name} {path.name}" for name, path in (("data", args.data), ("articles", args.articles)) if path
    ]
    result: dict[str, Any] = {
        "about": f"python -m benchmarks html {' '.join(folders)}; tune and watch: halves by the pages' names",
        "versions": versions(systems),
    }
    if args.data:
        result["markdown"] = measure(markdown_pages(args.data), converters, _of_markdown)
    if args.articles:
        result["articles"] = measure(articles(args.articles), converters, _of_body)
    for part in ("markdown", "articles"):
        if part in result:
            print(f"\n{part} ({len(result[part]['pages'])} pages)")
            print(_table(result[part]))
    result["metadata"] = metadata_scores.run(args.data, args.articles, systems)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks html",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="pages with their markdown")
    parser.add_argument("--articles", type=Path, metavar="DIR", help="pages with their main content")
    parser.add_argument("--systems", default=",".join(SYSTEMS), metavar="NAMES", help="default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every page's scores there")
    args = parser.parse_args()
    if not (args.data or args.articles):
        parser.error("name the pages: --data DIR, --articles DIR or both")
    return args


def _of_markdown(found: str, page: Page) -> Scores:
    return {
        "edit": scores.edit_similarity(found, page.expected),
        "rouge_l": scores.rouge_l(found, page.expected),
    }


def _of_body(found: str, page: Page) -> Scores:
    return {"f1": scores.token_f1(scores.plain(found), page.expected)}


def measure(
    pages: Sequence[Page], converters: dict[str, Convert], score: Callable[[str, Page], Scores]
) -> dict[str, Any]:
    """Every page by every converter; a page that a converter fails on counts as empty and is named."""
    rows, failed = {}, []
    for page in pages:
        row: dict[str, Any] = {"group": page.group, "half": page.half}
        for name, convert in converters.items():
            try:
                found = convert(page.html)
            except Exception as error:
                found = ""
                failed.append({"page": page.name, "system": name, "error": type(error).__name__})
            row[name] = {key: round(value, 4) for key, value in score(found, page).items()}
        rows[page.name] = row
    return {**_summary(rows, list(converters)), "failed": failed, "pages": rows}


def _summary(rows: dict[str, dict[str, Any]], systems: list[str]) -> dict[str, Any]:
    measures = list(next(iter(rows.values()))[systems[0]])
    groups = {"all": list(rows.values())}
    for row in rows.values():
        groups.setdefault(f"half {row['half']}", []).append(row)
    for row in sorted(rows.values(), key=lambda row: str(row["group"])):
        groups.setdefault(row["group"], []).append(row)
    return {
        "scores": {
            group: {
                "pages": len(members),
                **{
                    system: {
                        key: {
                            "mean": round(fmean(row[system][key] for row in members), 4),
                            "median": round(median(row[system][key] for row in members), 4),
                        }
                        for key in measures
                    }
                    for system in systems
                },
            }
            for group, members in groups.items()
        },
        "losses": {key: _losses(rows, systems, key) for key in measures},
    }


def _losses(rows: dict[str, dict[str, Any]], systems: list[str], key: str) -> list[dict[str, Any]]:
    """The pages where the best other system is ahead of the first, the widest gap first."""
    first, *others = systems
    found = []
    for name, row in rows.items():
        best = max(others, key=lambda system: row[system][key], default=first)
        if row[best][key] > row[first][key]:
            found.append({"page": name, first: row[first][key], best: row[best][key]})
    return sorted(found, key=lambda loss: min(list(loss.values())[1:]) - max(list(loss.values())[1:]))[
        :LOSSES
    ]


def _table(part: dict[str, Any]) -> str:
    first = next(iter(part["scores"].values()))
    systems = [name for name in first if name != "pages"]
    lines = [" " * 26 + "".join(f"{name:>24}" for name in systems)]
    for group, row in part["scores"].items():
        cells = ["  ".join(f"{row[s][key]['mean']:.4f}" for key in row[s]).rjust(24) for s in systems]
        lines.append(f"{group:20} {row['pages']:4} " + "".join(cells))
    lines.append(f"mean of: {', '.join(first[systems[0]])}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
