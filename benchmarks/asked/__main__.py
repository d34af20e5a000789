"""What people type: short searches and whole questions over small collections, also such as have no answer.

    python -m benchmarks asked

Each collection of 40 documents with front matter was written together with its 120 questions by authors
who had not seen how questions are read. A kind has 20 questions each:

  short        a subject and conditions in a few words: "VPN tickets by Ada Kovacs"
  full         a whole question with a condition and something to find out
  plain        a whole question without conditions
  wrong value  what is asked for exists, but not under the condition: somebody else wrote it
  near miss    the condition holds of documents near the subject, and none says what is asked
  foreign      nothing in the collection is about it

Reported: whether a document that answers came first, another did, or nothing was found. Where the
condition fails, ``told`` counts what was found after the condition had been given up, which the answer
says beside itself. What else a question's line says (sentence, conditions, without) is for people.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich import box
from rich.console import Console
from rich.table import Table

from configs.errors import DraftlineError, InputError
from configs.settings import load_settings
from ingest.pipeline import Sync
from ingest.progress import Stages
from retrieve.retriever import Retrieval, open_retriever
from retrieve.store import open_store

COLLECTIONS = Path(__file__).parent / "collections"
RESULTS = Path(__file__).parents[1] / "results" / "asked.json"
TODAY = "2024-12-15"


@dataclass(frozen=True)
class Asked:
    """A question, its kind, and the documents that answer it; none: there is no answer."""

    question: str
    kind: str
    documents: frozenset[str]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks asked",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "collections",
        nargs="*",
        type=Path,
        metavar="DIR",
        help="folders with docs/ and questions.jsonl, in place of ours",
    )
    parser.add_argument("--today", default=TODAY, metavar="DATE", help=f"default: {TODAY}, as ours want it")
    parser.add_argument("--misses", action="store_true", help="also list what went wrong")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write them there (ours: to results)")
    args = parser.parse_args()
    folders = args.collections or sorted(folder for folder in COLLECTIONS.iterdir() if folder.is_dir())
    try:
        found = {folder.name: run(folder, args.today) for folder in folders}
    except DraftlineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    result = {name: count(answers) for name, answers in found.items()}
    text = json.dumps(result, indent=1)
    out = args.out or (None if args.collections else RESULTS)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    if args.json:
        print(text)
    else:
        show(result)
    if args.misses:
        list_misses(found)
    return 0


def run(folder: Path, today: str = TODAY) -> list[tuple[Asked, Retrieval]]:
    """Ingest a collection and ask all its questions."""
    asked = read(folder)
    with TemporaryDirectory(prefix="draftline-asked-") as home:
        settings = load_settings(
            env={"DRAFTLINE_HOME": home}, overrides=[f"retrieve.today={today}", "retrieve.all_tenants=true"]
        )
        Sync(settings, open_store(settings), Stages(Console(stderr=True))).run([str(folder / "docs")])
        retriever = open_retriever(settings)
        with contextlib.closing(retriever):
            return [(one, retriever.retrieve(one.question)) for one in asked]


def read(folder: Path) -> list[Asked]:
    """The questions of a collection.

    Raises:
        InputError: they cannot be read, or name a document that is not there.
    """
    file = folder / "questions.jsonl"
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        asked = [Asked(line["question"], line["kind"], frozenset(line["documents"])) for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} cannot be read: {error!r}") from None
    for name in sorted(frozenset().union(*(one.documents for one in asked))):
        if not (folder / "docs" / name).is_file():
            raise InputError(f"{file} names {name}, which is not in {folder / 'docs'}")
    return asked


def outcome(asked: Asked, found: Retrieval) -> str:
    """``right``, ``other``, ``told`` (after conditions were given up) or ``nothing``."""
    if not found.passages:
        return "nothing"
    if found.passages[0].document in asked.documents:
        return "right"
    given_up = not asked.documents and any(not item.finding.soft for item in found.plan.relaxed)
    return "told" if given_up else "other"


def count(answers: Iterable[tuple[Asked, Retrieval]]) -> dict[str, dict[str, int]]:
    """How often each outcome came, by kind."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for asked, found in answers:
        counts[asked.kind.replace("_", " ")][outcome(asked, found)] += 1
    names = ("right", "other", "told", "nothing")
    return {kind: {name: counter[name] for name in names} for kind, counter in counts.items()}


def show(result: Mapping[str, Mapping[str, Mapping[str, int]]]) -> None:
    """Print what a run found, for people."""
    for name, kinds in result.items():
        table = Table(title=name, box=box.SIMPLE)
        for column in ("", "right first", "another first", "told", "nothing found"):
            table.add_column(column, justify="right" if column else "left")
        for kind, counts in kinds.items():
            table.add_row(kind, *(str(counts[o]) for o in ("right", "other", "told", "nothing")))
        Console().print(table)


def list_misses(found: Mapping[str, Iterable[tuple[Asked, Retrieval]]]) -> None:
    """Print each question that was not answered as it should be, and how it was read."""
    for name, answers in found.items():
        for asked, retrieval in answers:
            came = outcome(asked, retrieval)
            if came != ("right" if asked.documents else "nothing"):
                first = retrieval.passages[0].document if retrieval.passages else "-"
                print(f"[{name}/{asked.kind}] {asked.question}")
                print(f"    {came}: {first}; {retrieval.plan.explanation()}")


if __name__ == "__main__":
    sys.exit(main())
