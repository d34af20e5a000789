"""Follow-ups in conversations: what is found with and without the questions before, on tasks of MT-RAG.

    python -m benchmarks followups --mtrag reference.jsonl

The passages of all tasks make one collection. Each task that comes after another turn is asked with its
last question, in these ways:

  alone     every question by its own words
  ours      questions that lean on earlier ones are searched for together with their topic
  always    every question together with the one before it
  model     with --model, questions that lean as the chat model rewrites them; those without a rewriting
            that holds as in "ours"

Reported for the questions that lean and for the others: passages that the task names among the first
five found (of at most five), how often the first one found is among them, and how often nothing was
found, by whether the task says that there is an answer.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from configs.errors import DraftlineError, InputError
from configs.settings import Settings, load_settings
from ingest.pipeline import Sync
from ingest.progress import Stages
from retrieve.follow_ups import leans
from retrieve.retriever import Retriever, open_retriever
from retrieve.store import open_store

RESULTS = Path(__file__).parents[1] / "results" / "followups.json"
FIRST = 5


@dataclass(frozen=True)
class Task:
    """The last question of a conversation, and the ids of the passages that it needs; none: unanswerable."""

    question: str
    earlier: tuple[str, ...]
    passages: frozenset[str]


Ask = Callable[[Task], list[str]]
"""The ids of the passages found for a task, best first."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks followups",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mtrag", type=Path, required=True, metavar="FILE", help="reference.jsonl of MT-RAG")
    parser.add_argument("--model", action="store_true", help="also let the answering model rewrite")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE", help="also write them here")
    args = parser.parse_args()
    try:
        result = run(args.mtrag, model=args.model)
    except DraftlineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    text = json.dumps(result, indent=1)
    args.out.write_text(text + "\n", encoding="utf-8")
    if args.json:
        print(text)
    else:
        show(result)
    return 0


def run(file: Path, *, model: bool) -> dict[str, Any]:
    """Measure everything."""
    try:
        tasks, passages = read(file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} cannot be read as tasks of MT-RAG: {error!r}") from None
    with TemporaryDirectory(prefix="draftline-followups-") as folder:
        overrides = ["retrieve.all_tenants=true", *(["retrieve.follow_ups=model"] if model else [])]
        settings = load_settings(env={"DRAFTLINE_HOME": folder}, overrides=overrides)
        records = Path(folder, "passages.jsonl")
        records.write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in passages.items()))
        Sync(settings, open_store(settings), Stages(Console(stderr=True))).run([str(records)])
        rewritten: set[str] = set()
        rows = list(measured(tasks, systems(settings, rewritten)))
    result = {"tasks": len(tasks), "passages": len(passages), "embedder": settings.models.embed, "rows": rows}
    return result | ({"rewritten": len(rewritten)} if model else {})


def read(file: Path) -> tuple[list[Task], dict[str, str]]:
    """The tasks that follow another turn, and the text of every passage by its id."""
    tasks, passages = [], {}
    for line in file.read_text(encoding="utf-8").splitlines():
        task = json.loads(line)
        passages |= {context["document_id"]: context["text"] for context in task["contexts"]}
        *earlier, question = (turn["text"] for turn in task["input"] if turn["speaker"] == "user")
        if earlier:
            named = frozenset(context["document_id"] for context in task["contexts"])
            tasks.append(Task(question, tuple(earlier), named))
    return tasks, passages


def systems(settings: Settings, rewritten: set[str]) -> dict[str, Ask]:
    """The ways to ask; questions that were searched for as the model has rewritten them are noted."""
    by_words = settings.model_copy(
        update={"retrieve": settings.retrieve.model_copy(update={"follow_ups": "words"})}
    )
    retriever = open_retriever(by_words)

    def ask(question: str, earlier: Sequence[str] = (), *, way: Retriever = retriever) -> list[str]:
        found = way.retrieve(question, earlier=earlier)
        if found.plan.original:
            rewritten.add(question)
        return list(dict.fromkeys(str(passage.payload["id"]) for passage in found.passages))

    asks: dict[str, Ask] = {
        "alone": lambda task: ask(task.question),
        "ours": lambda task: ask(task.question, task.earlier),
        "always": lambda task: ask(f"{task.earlier[-1]} {task.question}"),
    }
    if settings.retrieve.follow_ups == "model":
        rewriting = open_retriever(settings)
        asks["model"] = lambda task: ask(task.question, task.earlier, way=rewriting)
    return asks


def measured(tasks: Sequence[Task], asks: Mapping[str, Ask]) -> Iterator[dict[str, Any]]:
    """A row for each way to ask and kind of question."""
    for name, ask in asks.items():
        found = {task: ask(task) for task in track(tasks, name, console=Console(stderr=True), transient=True)}
        for kind, wanted in (("lean", True), ("stand", False)):
            group = {task: ids for task, ids in found.items() if leans(task.question) is wanted}
            known = {task: ids for task, ids in group.items() if task.passages}
            silent = [not ids for task, ids in group.items() if not task.passages]
            yield {
                "system": name,
                "questions": kind,
                "answerable": len(known),
                "unanswerable": len(silent),
                "recall": round(mean_of(recall(ids, task.passages) for task, ids in known.items()), 4),
                "first": round(mean_of(bool(task.passages & {*ids[:1]}) for task, ids in known.items()), 4),
                "nothing_found": round(mean_of(not ids for ids in known.values()), 4),
                "nothing_found_unanswerable": round(mean_of(silent), 4),
            }


def mean_of(values: Iterable[float]) -> float:
    """The mean; not a number where there are none."""
    listed = list(values)
    return fmean(listed) if listed else math.nan


def recall(found: Sequence[str], wanted: frozenset[str]) -> float:
    """The share of the passages wanted, of at most five, that are among the first five found."""
    return len(wanted & {*found[:FIRST]}) / min(FIRST, len(wanted))


def show(result: Mapping[str, Any]) -> None:
    """Print what a run found, for people."""
    table = Table(title=f"{result['tasks']} tasks over {result['passages']} passages", box=box.SIMPLE)
    for column in ("questions", "", "recall@5", "first right", "nothing found", "the same, unanswerable"):
        table.add_column(column, justify="left" if column in ("questions", "") else "right")
    for row in sorted(result["rows"], key=lambda row: str(row["questions"])):
        counts = f"{row['questions']} ({row['answerable']} + {row['unanswerable']})"
        numbers = (row[name] for name in ("recall", "first", "nothing_found", "nothing_found_unanswerable"))
        table.add_row(counts, row["system"], *(f"{number:.3f}" for number in numbers))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
