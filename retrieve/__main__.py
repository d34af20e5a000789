"""``python -m retrieve``: ask the store for passages."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.cli import Command, Context, run_main
from configs.errors import DraftlineError, ExitCode, InputError

if TYPE_CHECKING:
    from retrieve.filters import Filter
    from retrieve.retriever import Retrieval, Retriever

EXCERPT = 600
EPILOG = """examples:
  python -m retrieve "Who may hold the write lock?"
  python -m retrieve "release notes" --filter '{"must": [{"key": "author", "match": {"value": "Ann"}}]}'
  python -m retrieve --batch questions.jsonl > passages.jsonl"""


def main() -> int:
    """Run the command line; returns the exit code."""
    query = Command("query", "find passages for a question", _query, _configure, epilog=EPILOG)
    return run_main("retrieve", "Find the passages that answer a question.", [query], default="query")


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", nargs="?", help="what you want to know")
    parser.add_argument("--filter", metavar="JSON", help="a condition on metadata, in Qdrant's JSON form")
    parser.add_argument("--tenant", metavar="NAME", help="only documents with this tenant label")
    parser.add_argument(
        "--access", metavar="LABEL", action="append", help="an access label you have; repeatable"
    )
    parser.add_argument("--top-k", type=int, metavar="N", help="how many passages at most")
    parser.add_argument(
        "--batch", metavar="FILE", help='JSON lines of {"id", "question"} ("-": stdin); answers as JSON lines'
    )


def _query(context: Context) -> int:
    args = context.args
    if (args.question is None) == (args.batch is None):
        raise InputError("give a question, or --batch FILE with one a line")
    retriever, where = _open(context)
    if args.batch is not None:
        return _run_batch(context, retriever, where)
    found = _retrieve(context, retriever, args.question, where)
    if args.json:
        context.emit({"id": None, **found.to_json()})
    else:
        _show(context, found)
    return ExitCode.OK


def _open(context: Context) -> tuple[Retriever, Filter | None]:
    from retrieve.filters import parse_filter
    from retrieve.retriever import open_retriever
    from retrieve.store import open_store

    info = open_store(context.settings).info()
    if not info.chunks:
        context.note("the store is empty; fill it with: python -m ingest PATH...")
    where = None
    if context.args.filter is not None:
        try:
            condition = json.loads(context.args.filter)
        except ValueError as error:
            raise InputError(f"--filter is not JSON: {error}") from None
        where = parse_filter(condition, info.fields)
    retriever: Retriever = open_retriever(context.settings)
    return retriever, where


def _retrieve(context: Context, retriever: Retriever, question: str, where: Filter | None) -> Retrieval:
    args = context.args
    return retriever.retrieve(
        question, filter=where, tenant=args.tenant, access=args.access, top_k=args.top_k
    )


def _run_batch(context: Context, retriever: Retriever, where: Filter | None) -> int:
    failed = False
    for line in _lines(context.args.batch):
        name: Any = None
        try:
            name, question = _read(line)
            answer = _retrieve(context, retriever, question, where).to_json()
        except InputError as error:
            failed = True
            answer = {"error": str(error)}
            if name is None:
                name = _id_of(line)
        context.emit({"id": name, **answer})
    return ExitCode.PARTIAL if failed else ExitCode.OK


def _lines(file: str) -> Iterator[str]:
    if file == "-":
        yield from (line for line in sys.stdin if line.strip())
        return
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as lines:
            yield from (line for line in lines if line.strip())
    except OSError as error:
        raise DraftlineError(f"cannot read --batch {file}: {error.strerror}") from None


def _read(line: str) -> tuple[Any, str]:
    try:
        item = json.loads(line)
    except ValueError as error:
        raise InputError(f"not JSON: {error}") from None
    if not isinstance(item, dict) or not isinstance(item.get("question"), str):
        raise InputError('a line is an object with "id" and "question", and the question is text')
    return item.get("id"), item["question"]


def _id_of(line: str) -> Any:
    try:
        item = json.loads(line)
    except ValueError:
        return None
    return item.get("id") if isinstance(item, dict) else None


def _show(context: Context, found: Retrieval) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(file=context.out, highlight=False, soft_wrap=True)
    for number, passage in enumerate(found.passages, 1):
        place = " > ".join((passage.document, *passage.section))
        figures = f"score {passage.score:.4f}, relevance {passage.relevance:.2f}"
        console.print(f"[bold]{number}. {escape(place)}[/]  [dim]{figures}[/]")
        text = " ".join(passage.text.split())
        console.print(escape(text if len(text) <= EXCERPT else text[:EXCERPT] + " ..."))
        console.print()
    if not found.passages:
        console.print("No passage in the store is about this.")
    plan = found.plan
    console.print(f"[dim]query: {escape(plan['semantic_query'])}[/]")
    if plan["filter"]:
        console.print(f"[dim]filter: {escape(json.dumps(plan['filter'], ensure_ascii=False))}[/]")
    console.print(f"[dim]{escape(plan['explanation'])}[/]")


if __name__ == "__main__":
    sys.exit(main())
