"""Self-querying on a suite of questions: how often is the filter exactly the right one?

    python -m benchmarks selfquery
    python -m benchmarks selfquery --readers linker,model,langchain --limit 100

The suite lies in tests/retrieve/suite: a folder a set, in it a file a schema, with questions and the filter
that a careful librarian would set. Each reader is compared with it, by kind of question:

  linker     ours, without a model
  model      ours, the answering model under a JSON schema, every condition checked
  both       ours, the model where the linker leaves something open
  langchain  LangChain's query constructor (the reader of SelfQueryRetriever) with the same model: what it
             writes is translated generously, by our own translation; what cannot be read counts as wrong

"excluding" is the share of questions whose filter leaves out a document that the right one passes. What each
set showed at first sight, before the linker was mended with it, is in results/selfquery_first_run.json.
LangChain needs: pip install -c constraints.txt -e '.[bench]'.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.selfquery.readers import READERS, Reader, open_readers
from configs.errors import DraftlineError, InputError
from configs.settings import load_settings
from tests.retrieve.suite.score import FOLDER, Collection, Score, load, score

RESULTS = Path(__file__).parents[1] / "results" / "selfquery.json"


def main() -> int:
    """Run the benchmark; returns the exit code."""
    args = _arguments()
    try:
        names = args.readers.split(",")
        unknown = sorted(set(names) - set(READERS))
        if unknown:
            raise InputError(
                f"--readers: no reader is called {unknown[0]!r}; there are: {', '.join(READERS)}"
            )
        if "langchain" in names and find_spec("lark") is None:
            raise InputError(
                "LangChain's query constructor needs lark: pip install -c constraints.txt -e '.[bench]'"
            )
        rows = _measure(args.suite, names, args.limit)
    except DraftlineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    result = {"rows": rows, "limit": args.limit, "legend": (__doc__ or "").partition("\n")[0]}
    if args.json:
        print(json.dumps(result, indent=1))
    else:
        _show(rows)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prog="python -m benchmarks selfquery",
    )
    parser.add_argument("--suite", type=Path, default=FOLDER, metavar="FOLDER", help="sets of questions")
    parser.add_argument(
        "--readers", default="linker", metavar="NAME,...", help="linker, model, both, langchain"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="so many questions of each set, taken evenly")
    parser.add_argument("--json", action="store_true", help="the result as JSON on stdout")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE", help="where the result goes")
    return parser.parse_args()


def _measure(suite: Path, names: Sequence[str], limit: int | None) -> list[dict[str, object]]:
    sets = sorted(folder for folder in suite.iterdir() if any(folder.glob("*.json")))
    if not sets:
        raise InputError(f"--suite: there are no sets of questions in {suite}")
    rows: list[dict[str, object]] = []
    with open_readers(load_settings(), names) as readers:
        for folder in sets:
            collections = _limited([load(path) for path in sorted(folder.glob("*.json"))], limit)
            for reader in readers:
                scores = score(collections, _watched(reader, f"{reader.name} on {folder.name}", collections))
                rows += _rows(reader.name, folder.name, scores)
    return rows


def _limited(collections: Sequence[Collection], limit: int | None) -> list[Collection]:
    total = sum(len(collection.cases) for collection in collections)
    if limit is None or limit >= total:
        return list(collections)
    keep = {round(i * total / limit) for i in range(limit)}
    found, number = [], 0
    for collection in collections:
        cases = [case for i, case in enumerate(collection.cases, number) if i in keep]
        number += len(collection.cases)
        found.append(
            Collection(collection.name, collection.today, collection.catalog, collection.documents, cases)
        )
    return found


def _watched(
    reader: Reader, title: str, collections: Sequence[Collection]
) -> Callable[[Collection], Callable[[str], object]]:
    steps = iter(
        track(
            range(sum(len(collection.cases) for collection in collections)),
            description=title,
            console=Console(stderr=True),
        )
    )

    def open_for(collection: Collection) -> Callable[[str], object]:
        read = reader.open(collection)

        def watched(question: str) -> object:
            next(steps, None)
            return read(question)

        return watched

    return open_for


def _rows(reader: str, name: str, scores: Mapping[str, Score]) -> list[dict[str, object]]:
    return [
        {
            "set": name,
            "reader": reader,
            "kind": kind,
            "questions": item.total,
            "exact": round(item.right / item.total, 4),
            "excluding": round(item.excluding / item.total, 4),
        }
        for kind, item in sorted(scores.items())
    ]


def _show(rows: Sequence[Mapping[str, object]]) -> None:
    console = Console()
    table = Table("set", "reader", "kind", "questions", "exact match", "excluding")
    for row in rows:
        style = "bold" if row["kind"] == "all" else None
        table.add_row(
            *(str(row[key]) for key in ("set", "reader", "kind", "questions", "exact", "excluding")),
            style=style,
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
