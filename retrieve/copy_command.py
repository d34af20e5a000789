"""``python -m retrieve copy``."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from configs.cli import Command, Context
from configs.errors import ExitCode, InputError

KINDS = ("edge", "server")
PLACES = {"edge": "the embedded store", "server": "the server"}
EPILOG = """examples:
  python -m retrieve copy --from edge --to server --set store.url=http://qdrant:6333
  python -m retrieve copy --from server --to edge --replace"""


def copy_command() -> Command:
    """Copy the embedded store to the server, or back."""
    return Command("copy", "copy the embedded store to a server, or back", _run, _configure, epilog=EPILOG)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="source", choices=KINDS, required=True, help="where to copy from")
    parser.add_argument("--to", dest="target", choices=KINDS, required=True, help="where to copy to")
    parser.add_argument("--replace", action="store_true", help="put the copy in place of what is there")


def _run(context: Context) -> int:
    from rich.progress import Progress

    from retrieve.copying import copy_store
    from retrieve.store import open_store

    args, settings = context.args, context.settings
    if args.source == args.target:
        raise InputError("--from and --to name the same store")
    source, target = open_store(settings, args.source), open_store(settings, args.target)
    try:
        hidden = args.json or not context.console.is_terminal
        with Progress(console=context.console, transient=True, disable=hidden) as progress:
            task = progress.add_task("copying", total=source.info().chunks)
            copied = copy_store(
                source,
                target,
                replace=args.replace,
                wait_s=settings.ingest.lock_wait_s,
                advance=lambda chunks: progress.advance(task, chunks),
            )
    finally:
        source.close()
        target.close()
    if args.json:
        context.emit({"from": args.source, "to": args.target, **asdict(copied)})
    context.say(
        f"{copied.chunks:,} chunks of {copied.documents:,} documents copied to {PLACES[args.target]} "
        f"in {copied.seconds:.1f} s; both count the same"
    )
    if not copied.ledger:
        context.note("no ledger came along: the next ingest reads and embeds all files again")
    if settings.store.kind != args.target:
        context.note(f"to use the copy, set store.kind to {args.target}")
    return ExitCode.OK
