"""``python -m generate``: ask a question, measure the engine."""

from __future__ import annotations

import argparse
import json
import sys
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from configs.cli import Command, Context, run_main
from configs.errors import ExitCode, InputError
from generate.bench import command as bench
from retrieve.filters import Filter, parse_filter
from retrieve.store import open_store
from retrieve.visibility import filter_fields, private_fields

if TYPE_CHECKING:
    from generate.answer import Answer, Answerer


def _configure_ask(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", help="put -- before it if it begins with a dash")
    parser.add_argument(
        "--after",
        action="append",
        default=[],
        metavar="QUESTION",
        help="a question asked before, for a follow-up such as 'and when?'; repeatable, oldest first",
    )
    parser.add_argument("--filter", metavar="JSON", help="a Qdrant filter that every passage must pass")
    parser.add_argument("--tenant", help="see only this tenant's documents")
    parser.add_argument(
        "--access", action="append", metavar="LABEL", help="an access label you hold; repeatable"
    )


def ask(context: Context) -> int:
    """Answer one question, streamed for people, whole with --json."""
    args = context.args
    if not args.question.strip():
        raise InputError("the question is empty; ask something")
    _warn_of_an_empty_store(context)
    wanted = _filter(args.filter, context)
    if not args.json:
        context.note("loading the models ...")
    from generate.answer import open_answerer  # torch takes seconds, and --help needs none of it

    answerer = open_answerer(context.settings)
    try:
        seen = {"filter": wanted, "tenant": args.tenant, "access": args.access}
        options: dict[str, Any] = {"earlier": args.after, **seen}
        if args.json:
            context.emit(answerer.ask(args.question, **options).to_json())
        else:
            _show(context, answerer, options)
    finally:
        answerer.close()
    return ExitCode.OK


def _warn_of_an_empty_store(context: Context) -> None:
    store = open_store(context.settings)
    try:
        if not store.info().chunks:
            home = context.settings.home
            context.note(f"the store in {home} is empty; fill it with: python -m ingest PATH...")
    finally:
        store.close()


def _filter(text: str | None, context: Context) -> Filter | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(f"--filter is not JSON: {error}") from None
    store = open_store(context.settings)
    try:
        return parse_filter(value, filter_fields(store, private_fields(context.settings)))
    finally:
        store.close()


def _show(context: Context, answerer: Answerer, options: dict[str, Any]) -> None:
    from generate.answer import Delta, Finished, Found

    for event in answerer.stream(context.args.question, **options):
        if isinstance(event, Found):
            count = len(event.retrieval.passages)
            found = f"found {count} passage{'' if count == 1 else 's'}"
            context.note("\n".join([found, *event.retrieval.plan.remarks(), ""]))
        elif isinstance(event, Delta):
            print(event.text, end="", file=context.out, flush=True)
        elif isinstance(event, Finished):
            print(file=context.out)
            _show_proof(context, event.answer)


def _show_proof(context: Context, answer: Answer) -> None:
    if answer.citations:
        context.say("\nSources")
    marker_of = attrgetter("marker")
    for marker, citations in groupby(sorted(answer.citations, key=marker_of), key=marker_of):
        quotes = list(citations)
        context.say(f"  [{marker}] {' > '.join((quotes[0].document, *quotes[0].section))}")
        for quote in quotes:
            context.say(f"      {quote.start}-{quote.end}: “{' '.join(quote.quote.split())}”")
    if not answer.abstained:
        stats = answer.stats
        rate = f" at {stats.tokens_per_s:.1f}/s" if stats.tokens > 1 else ""  # one token has no rate
        context.say(
            f"\nfirst words after {stats.ttft_s:.1f} s, {stats.tokens} tokens written{rate}; "
            f"{stats.cached_prompt_tokens} of {stats.prompt_tokens} prompt tokens were cached"
        )


COMMANDS = (
    Command(
        "ask",
        "answer a question from your documents, with citations",
        ask,
        _configure_ask,
        model=True,
        epilog='example:\n  python -m generate ask "When does the lease end?" --tenant acme',
    ),
    Command(
        "bench",
        "measure how fast the engine decodes, beside its peers, on the same prompts",
        bench.bench,
        bench.configure,
        model=True,
        epilog=bench.EPILOG,
    ),
)


def main() -> int:
    """Run a command of this package."""
    return run_main("generate", "Answers questions from ingested documents, and measures how fast.", COMMANDS)


if __name__ == "__main__":
    sys.exit(main())
