"""PDFs to markdown: texts that are known, set in several ways, read by us and by others.

    python -m benchmarks pdf --texts docs --json FILE

The markdown files of a folder are set by reportlab as a plain page, a book, a paper in two columns, a
magazine in three, a report and a turned page. What is read from the PDFs is held against the text: its
words, their order, headings with their levels, items of lists, rows of tables, lines of code. Systems take
turns on each file, so that their times can be compared; pypdf, pdfminer.six and unstructured run where they
are installed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.pdf.layouts import LAYOUTS, typeset
from benchmarks.pdf.scores import score
from benchmarks.pdf.source import texts
from benchmarks.pdf.systems import SYSTEMS, Read, installed, versions

MEASURES = ("words", "order", "headings", "items", "rows", "code")


def main() -> int:
    args = _arguments()
    systems = args.systems.split(",") if args.systems else installed()
    if unknown := set(systems) - set(SYSTEMS):
        print(f"error: unknown systems: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    readers = {name: SYSTEMS[name][0]() for name in systems}
    rows = list(_measure(args.texts, readers))
    result = {"versions": versions(systems), "summary": _summary(rows, systems), "rows": rows}
    _print(result["summary"])
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks pdf",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--texts", type=Path, required=True, metavar="DIR", help="markdown files")
    parser.add_argument("--systems", metavar="NAMES", help="default: all that are installed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every file's scores there")
    return parser.parse_args()


def _measure(folder: Path, readers: dict[str, Read]) -> Iterable[dict[str, Any]]:
    for text in texts(folder):
        for layout in LAYOUTS:
            data = typeset(text, layout)
            for name, read in readers.items():
                found, seconds = _timed(read, data)
                scores = {key: round(value, 4) for key, value in score(found, text).items()}
                yield {"text": text.name, "layout": layout.name, "system": name, "seconds": seconds, **scores}


def _timed(read: Callable[[bytes], str], data: bytes) -> tuple[str, float]:
    """What is read, and the best of two processor times."""
    times = []
    for _ in range(2):
        start = time.process_time()
        found = read(data)
        times.append(time.process_time() - start)
    return found, round(min(times), 4)


def _summary(rows: list[dict[str, Any]], systems: list[str]) -> list[dict[str, Any]]:
    summary = []
    for layout in ("all", *(layout.name for layout in LAYOUTS)):
        for system in systems:
            own = [r for r in rows if r["system"] == system and layout in ("all", r["layout"])]
            means = {m: [r[m] for r in own if m in r] for m in MEASURES}
            summary.append(
                {
                    "layout": layout,
                    "system": system,
                    **{measure: round(fmean(values), 4) for measure, values in means.items() if values},
                    "seconds": round(sum(r["seconds"] for r in own), 2),
                }
            )
    return summary


def _print(summary: list[dict[str, Any]]) -> None:
    print(f"{'':10}{'':14}" + "".join(f"{measure:>10}" for measure in (*MEASURES, "seconds")))
    for row in summary:
        cells = "".join(f"{row.get(measure, ''):>10}" for measure in (*MEASURES, "seconds"))
        print(f"{row['layout']:10}{row['system']:14}{cells}")


if __name__ == "__main__":
    sys.exit(main())
