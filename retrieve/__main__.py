"""``python -m retrieve``: ask the store for passages."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from typing import TYPE_CHECKING

from configs.cli import Command, Context, run_main
from configs.errors import ExitCode, InputError
from retrieve.batch import run_batch
from retrieve.copy_command import copy_command
from retrieve.doctor.command import doctor_command
from retrieve.trace import Trace

if TYPE_CHECKING:
    from rich.console import Console

    from retrieve.filters import Filter
    from retrieve.retriever import Retrieval, Retriever
    from retrieve.self_query.plan import QueryPlan

EXCERPT = 600
EPILOG = """examples:
  python -m retrieve "Who may hold the write lock?"
  python -m retrieve "release notes" --filter '{"must": [{"key": "author", "match": {"value": "Ann"}}]}'
  python -m retrieve "And for how long?" --after "Who may hold the write lock?" --explain
  python -m retrieve --batch questions.jsonl > passages.jsonl"""


def main() -> int:
    """Run the command line; returns the exit code."""
    query = Command("query", "find passages for a question", _query, _configure, epilog=EPILOG)
    commands = [query, doctor_command(), copy_command()]
    return run_main("retrieve", "Find the passages that answer a question.", commands, default="query")


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", nargs="?", help="what you want to know")
    parser.add_argument("--filter", metavar="JSON", help="a condition on metadata, in Qdrant's JSON form")
    parser.add_argument("--tenant", metavar="NAME", help="only documents with this tenant label")
    parser.add_argument(
        "--access", metavar="LABEL", action="append", help="an access label you have; repeatable"
    )
    parser.add_argument(
        "--after",
        metavar="QUESTION",
        action="append",
        default=[],
        help="a question asked before, for a follow-up such as 'and when?'; repeatable, oldest first",
    )
    parser.add_argument("--top-k", type=int, metavar="N", help="how many passages at most")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="also show how the question was read, and what each stage found",
    )
    parser.add_argument(
        "--batch", metavar="FILE", help='JSON lines of {"id", "question"} ("-": stdin); answers as JSON lines'
    )


def _query(context: Context) -> int:
    args = context.args
    if (args.question is None) == (args.batch is None):
        raise InputError("give a question, or --batch FILE with one a line")
    retriever, where = _open(context)
    if args.batch is not None:
        if args.explain or args.after:
            raise InputError("--explain and --after are about one question; leave out --batch")
        return run_batch(
            context,
            lambda question: _retrieve(context, retriever, question, where),
            partial(retriever.prepare, filter=where, tenant=args.tenant, access=args.access),
        )
    trace = Trace() if args.explain else None
    found = _retrieve(context, retriever, args.question, where, trace)
    if args.json:
        stages = {"stages": [stage.to_json() for stage in trace.stages]} if trace is not None else {}
        context.emit({"id": None, **found.to_json(), **stages})
    else:
        _show(context, found, trace)
    return ExitCode.OK


def _open(context: Context) -> tuple[Retriever, Filter | None]:
    from retrieve.filters import parse_filter
    from retrieve.retriever import open_retriever
    from retrieve.store import open_store

    args = context.args
    retriever = open_retriever(context.settings, conversations=bool(args.after and not args.batch))
    if not open_store(context.settings).info().chunks:
        context.note("the store is empty; fill it with: python -m ingest PATH...")
    where = None
    if context.args.filter is not None:
        try:
            condition = json.loads(context.args.filter)
        except ValueError as error:
            raise InputError(f"--filter is not JSON: {error}") from None
        where = parse_filter(condition, retriever.fields())
    return retriever, where


def _retrieve(
    context: Context, retriever: Retriever, question: str, where: Filter | None, trace: Trace | None = None
) -> Retrieval:
    args = context.args
    return retriever.retrieve(
        question,
        earlier=args.after,
        filter=where,
        tenant=args.tenant,
        access=args.access,
        top_k=args.top_k,
        trace=trace,
    )


def _show(context: Context, found: Retrieval, trace: Trace | None) -> None:
    from rich.console import Console
    from rich.markup import escape

    from retrieve.explain import show_explanation

    console = Console(file=context.out, highlight=False, soft_wrap=True)
    if trace is not None:
        show_explanation(console, found, trace)
    for number, passage in enumerate(found.passages, 1):
        page = passage.page_at(passage.start)
        where = passage.document if page is None else f"{passage.document}, page {page}"
        place = " > ".join((where, *passage.section))
        figures = f"score {passage.score:.4f}, relevance {passage.relevance:.2f}"
        console.print(f"[bold]{number}. {escape(place)}[/]  [dim]{figures}[/]")
        text = " ".join(f"{passage.header}\n{passage.text}".split())
        console.print(escape(text if len(text) <= EXCERPT else text[:EXCERPT] + " ..."))
        if passage.copies:
            others = ", ".join(passage.also_in())
            console.print(f"[dim]also in {escape(others if len(others) <= EXCERPT else others[:EXCERPT])}[/]")
        console.print()
    if not found.passages:
        console.print("No passage in the store is about this.")
    if trace is None:
        _show_plan(console, found.plan)


def _show_plan(console: Console, plan: QueryPlan) -> None:
    from rich.markup import escape

    shown = plan.to_json()
    console.print(f"[dim]query: {escape(plan.semantic_query)}[/]")
    if shown["filter"]:
        console.print(f"[dim]filter: {escape(json.dumps(shown['filter'], ensure_ascii=False))}[/]")
    console.print(f"[dim]{escape(plan.explanation())}[/]")


if __name__ == "__main__":
    sys.exit(main())
