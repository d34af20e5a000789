"""``python -m generate``: ask a question."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from configs.cli import Command, Context, run_main
from configs.errors import ExitCode, InputError
from generate.answer import Answer, Answerer, Delta, Finished, Found, open_answerer
from retrieve.filters import Filter, parse_filter
from retrieve.store import open_store


def _configure_ask(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", help="put -- before it if it begins with a dash")
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
    wanted = _filter(args.filter, context)
    if not args.json:
        context.note("loading the models ...")
    answerer = open_answerer(context.settings)
    try:
        options: dict[str, Any] = {"filter": wanted, "tenant": args.tenant, "access": args.access}
        if args.json:
            context.emit(answerer.ask(args.question, **options).to_json())
        else:
            _show(context, answerer, options)
    finally:
        answerer.close()
    return ExitCode.OK


def _filter(text: str | None, context: Context) -> Filter | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(f"--filter is not JSON: {error}") from None
    store = open_store(context.settings)
    try:
        return parse_filter(value, store.info().fields)
    finally:
        store.close()


def _show(context: Context, answerer: Answerer, options: dict[str, Any]) -> None:
    for event in answerer.stream(context.args.question, **options):
        if isinstance(event, Found):
            count = len(event.retrieval.passages)
            context.note(f"found {count} passage{'' if count == 1 else 's'}\n")
        elif isinstance(event, Delta):
            print(event.text, end="", file=context.out, flush=True)
        elif isinstance(event, Finished):
            print(file=context.out)
            _show_proof(context, event.answer)


def _show_proof(context: Context, answer: Answer) -> None:
    if answer.citations:
        context.say("\nSources")
    for citation in answer.citations:
        place = " > ".join((citation.document, *citation.section))
        context.say(f"  [{citation.marker}] {place} ({citation.start}-{citation.end})")
        context.say(f"      “{' '.join(citation.quote.split())}”")
    if not answer.abstained:
        stats = answer.stats
        context.say(
            f"\n{stats.tokens} tokens at {stats.tokens_per_s:.1f}/s, first after {stats.ttft_s:.1f} s; "
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
)


def main() -> int:
    """Run a command of this package."""
    return run_main("generate", "Answers questions from ingested documents.", COMMANDS)


if __name__ == "__main__":
    sys.exit(main())
