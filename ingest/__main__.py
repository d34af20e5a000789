"""``python -m ingest``: files to chunks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from configs.cli import Command, Context, run_main
from configs.errors import ExitCode, InputError
from configs.settings import Settings
from ingest.dump import FORMATS, dump, refuse_among_originals
from ingest.export import export
from ingest.fields.statistics import field_statistics
from ingest.given import expand
from ingest.journal import check_place, read_report, write_report
from ingest.ledger import read_ledger
from ingest.manage import describe, remove
from ingest.pipeline import Sync
from ingest.progress import Stages
from ingest.reembed import reembed
from ingest.report import Report, counted, detail_lines, failure_lines, failures_json
from ingest.sources import absolute
from ingest.web.sites import visit_sites
from retrieve.embed import load_embedder
from retrieve.store import open_store

DESCRIPTION = (
    "Turns files and folders into chunks that can be searched, and keeps the store in line with them."
)
EPILOG = """\
examples:
  python -m ingest ./docs                        add what is new, update what changed, remove what is gone
  python -m ingest ./docs notes.md '../wiki/**/*.html'
  git ls-files docs | python -m ingest -         paths from a list
  python -m ingest https://example.org/docs/     pages below an address, or of a sitemap
  python -m ingest ./docs --watch                and then whenever something changes
  python -m ingest ./docs --convert-only --out converted
  python -m ingest status
  python -m ingest report
  python -m ingest export --out copy --format parquet
  python -m ingest remove ./docs/old
  python -m ingest reembed --set models.embed=NAME
"""


def sync(context: Context) -> int:
    """The default command."""
    args = context.args
    if args.convert_only != (args.out is not None):
        raise InputError("--convert-only and --out DIR go together")
    if args.convert_only and args.watch:
        raise InputError("--watch keeps a store in line: it does not go with --convert-only")
    if (args.watch or args.convert_only) and (args.report is not None or args.engine != "local"):
        raise InputError("--report and --engine are for one sync: without --watch and --convert-only")
    if args.report is not None:
        check_place(Path(args.report))
    settings = _labelled(context.settings, args)
    paths = expand(args.paths, sys.stdin.buffer.read)
    if args.watch:
        return _watch(context, paths, settings)
    with Stages(context.console, quiet=args.json) as stages:
        visit_sites(paths, settings, stages, context.note)
        if args.convert_only:
            return _export(context, paths, settings, stages)
        run = Sync(settings, open_store(settings), stages, prune=args.prune, engine=args.engine)
        try:
            run.run(paths)
        except KeyboardInterrupt:
            context.note("interrupted: what was published stays; run it again to finish the rest")
            return ExitCode.INTERRUPTED
    if args.report is not None:
        write_report(Path(args.report), run.report)
    if args.json:
        context.emit(run.report.to_json())
    for line in run.report.lines():
        context.say(line)
    return ExitCode.PARTIAL if run.report.failed else ExitCode.OK


def _watch(context: Context, paths: Sequence[str], settings: Settings) -> int:
    from ingest.watch import Watch

    args = context.args
    json, syncs = args.json, 0
    noted: set[str] = set()
    embedder = load_embedder(settings)  # its model is read when it is first needed

    def note(line: str) -> None:
        if line not in noted:
            noted.add(line)
            context.note(line)

    def sync_once(visits: bool) -> Report:
        nonlocal syncs
        syncs += 1
        with Stages(context.console, quiet=json or syncs > 1) as stages:
            if visits:
                visit_sites(paths, settings, stages, note)
            store, prune, engine = open_store(settings), args.prune, args.engine
            run = Sync(settings, store, stages, prune=prune, engine=engine, embedder=embedder)
            return run.run(paths)

    def say(report: Report, text: str) -> None:
        context.emit(report.to_json()) if json else context.say(text)

    return Watch(paths, settings, sync_once, say, context.note).run()


def _export(context: Context, paths: Sequence[str], settings: Settings, stages: Stages) -> int:
    out = context.args.out
    report = export(paths, out, settings, stages)
    documents, seconds = len(report.documents), report.seconds
    if context.args.json:
        failed = failures_json(report.failed)
        context.emit({"documents": documents, "failed": failed, "seconds": round(seconds, 3)})
    for line in (
        f"{counted(documents, 'document')} in {out} ({seconds:.1f} s)",
        *failure_lines(report.failed),
    ):
        context.say(line)
    return ExitCode.PARTIAL if report.failed else ExitCode.OK


def _labelled(settings: Settings, args: argparse.Namespace) -> Settings:
    labels = {
        **({"tenant": args.tenant} if args.tenant is not None else {}),
        **({"access": args.access} if args.access else {}),
    }
    return settings.model_copy(update={"ingest": settings.ingest.model_copy(update=labels)})


def status(context: Context) -> int:
    """What the store holds."""
    args, store = context.args, open_store(context.settings)
    if args.paths and args.fields:
        raise InputError("--fields is of all documents: without paths")
    found = describe(store, args.paths)
    statistics = field_statistics(store, read_ledger(store)) if args.fields else {}
    if args.fields:
        found["statistics"] = {name: told.to_json() for name, told in statistics.items()}
    if args.json:
        context.emit(found)
    context.say(f"{counted(found['documents'], 'document')}, {counted(found['chunks'], 'chunk')}")
    for one in found.get("found", ()):
        context.say(f"  {one['path']}: {counted(one['chunks'], 'chunk')}, ingested {one['ingested']}")
    for root in found.get("roots", ()):
        size = f"{counted(root['documents'], 'document')}, {counted(root['chunks'], 'chunk')}"
        context.say(f"  {root['path']}: {size}, newest ingested {root['ingested']}")
    for name, told in statistics.items():
        context.say(told.line(name, found["documents"]))
    if found.get("fields") and not statistics:
        context.say("fields: " + ", ".join(f"{name} ({kind})" for name, kind in found["fields"].items()))
    if found["failed"]:
        context.say(f"{len(found['failed'])} failed:")
    for failure in found["failed"]:
        context.say(f"  {failure['path']}: {failure['error']}")
    return ExitCode.OK


def take_out(context: Context) -> int:
    """Remove documents."""
    report = remove(context.args.paths, context.settings, open_store(context.settings))
    if context.args.json:
        context.emit({"deleted": report.deleted, "failed": failures_json(report.failed)})
    context.say(f"{counted(report.deleted, 'document')} removed ({report.seconds:.1f} s)")
    for line in failure_lines(report.failed):
        context.say(line)
    return ExitCode.PARTIAL if report.failed else ExitCode.OK


def tell(context: Context) -> int:
    """The last run that did something."""
    details = read_report(context.settings.home)
    if context.args.json:
        context.emit(details or {})
    for line in detail_lines(details) if details else ["no report of a run is kept here yet"]:
        context.say(line)
    return ExitCode.OK


def take_copy(context: Context) -> int:
    """Write what is stored to files."""
    args, store = context.args, open_store(context.settings)
    with Stages(context.console, quiet=args.json) as stages:
        stages.stage("writing", store.info().documents, "documents")

        def advance(path: str) -> None:
            stages.show(path)
            stages.advance()

        ledger = read_ledger(store)
        refuse_among_originals(absolute(args.out), args.format, ledger)
        written = dump(store, absolute(args.out), args.format, advance)
    if args.json:
        context.emit({"documents": written})
    context.say(f"{counted(written, 'document')} in {args.out}")
    if left := len(ledger.documents) - written:
        context.note(f"{counted(left, 'document')} without text left out")
    return ExitCode.OK


def embed_anew(context: Context) -> int:
    """Embed the stored chunks with another model."""
    with Stages(context.console, quiet=context.args.json) as stages:
        done = reembed(context.settings, open_store(context.settings), stages)
    if context.args.json:
        context.emit(asdict(done))
    context.say(
        f"{counted(done.chunks, 'chunk')} embedded with {done.embedder} instead of {done.before} "
        f"({done.seconds:.1f} s)"
    )
    if done.recut:
        context.note(f"{done.embedder} reads text in other pieces: the next ingest cuts all documents anew")
    return ExitCode.OK


def _sync_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="file, folder, glob, URL, or - for a list on stdin"
    )
    parser.add_argument("--tenant", metavar="NAME", help="tenant label of what this run ingests")
    parser.add_argument(
        "--access", action="append", metavar="LABEL", help="access label of what this run ingests; repeatable"
    )
    parser.add_argument(
        "--prune",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="remove documents whose files are gone (the default), or keep them",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="who converts and embeds: this machine, or a Ray cluster",
    )
    parser.add_argument("--report", metavar="FILE", help="write what the run did to FILE, as JSON")
    parser.add_argument("--convert-only", action="store_true", help="write markdown to --out; touch no store")
    parser.add_argument("--out", metavar="DIR", help="where --convert-only writes")
    parser.add_argument("--watch", action="store_true", help="sync again whenever files change, until Ctrl-C")


def _status_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="only what is at and below these, in full")
    parser.add_argument("--fields", action="store_true", help="the fields, with their values and ranges")


def _dump_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="DIR", required=True, help="folder to write into")
    parser.add_argument("--format", choices=FORMATS, default="markdown", help="markdown: a file a document")


def _remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file, folder or URL that was ingested")


COMMANDS = (
    Command("sync", "bring the store in line with files", sync, _sync_arguments, epilog=EPILOG),
    Command("status", "what the store holds", status, _status_arguments),
    Command("reembed", "embed what is stored with the model that models.embed names", embed_anew),
    Command("report", "what the last run did: times, failures, where fields came from", tell),
    Command("export", "write the stored documents and their metadata to files", take_copy, _dump_arguments),
    Command("remove", "take documents out of the store", take_out, _remove_arguments),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_main("ingest", DESCRIPTION, COMMANDS, default="sync", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
