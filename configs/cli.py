"""The frame every command shares: arguments, settings, streams, errors and exit codes.

What a package adds is a list of `Command`; this module knows nothing about what they do.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import IO, Any

from rich.console import Console
from rich.markup import escape

from configs.errors import DraftlineError, ExitCode
from configs.settings import Settings, load_settings, profile_names

# Set before any library is imported that would phone home or advertise.
QUIET_ENV = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "RAGAS_DO_NOT_TRACK": "true",
    "UNSTRUCTURED_DISABLE_NOTICE": "1",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "LANGCHAIN_TRACING_V2": "false",
}

# Set before torch is imported, too. A thread of OpenMP waits busily for the others, by default for
# milliseconds; on a machine with other work it then holds up the very thread it waits for, and a step
# of the engine can take 30 times as long. These turns are microseconds, enough for an idle machine.
CALM_ENV = {"GOMP_SPINCOUNT": "4000"}


@dataclass(frozen=True)
class Context:
    """What a command gets: its arguments, the settings, and where to write."""

    args: argparse.Namespace
    settings: Settings
    out: IO[str]
    """The real stdout. With --json, ``print`` and libraries write to stderr instead."""
    console: Console
    """For people: progress and notes, on stderr."""

    def emit(self, value: Any) -> None:
        """Write one line of JSON to stdout."""
        print(json.dumps(value, ensure_ascii=False, default=str), file=self.out, flush=True)

    def say(self, text: str = "") -> None:
        """Write a line for people to stdout; nothing with --json."""
        if not self.args.json:
            print(text, file=self.out, flush=True)

    def note(self, text: str) -> None:
        """Write a line for people to stderr."""
        self.console.print(escape(text), highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Command:
    """One command of a package: ``python -m PACKAGE NAME ...``."""

    name: str
    help: str
    run: Callable[[Context], int]
    configure: Callable[[argparse.ArgumentParser], object] = lambda parser: None
    model: bool = False
    """Whether it takes --model (the answering model)."""
    epilog: str = ""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise DraftlineError(f"{message} (see {self.prog} --help)")


def run_main(
    package: str,
    description: str,
    commands: Sequence[Command],
    default: str | None = None,
    argv: Sequence[str] | None = None,
) -> int:
    """Parse, run one command, and turn every ending into an exit code.

    The first word is a command if it is one of the package's command names; otherwise the
    ``default`` command gets all words. ``--`` before a word makes it a literal.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for key, value in (QUIET_ENV | CALM_ENV).items():
        os.environ.setdefault(key, value)
    _accept_any_text("--json" in arguments)
    out, verbose = sys.stdout, "-v" in arguments or "--verbose" in arguments
    console = Console(stderr=True)
    try:
        args = _parse(package, description, commands, default, arguments)
        logging.basicConfig(level=logging.INFO if args.verbose else logging.WARNING, stream=sys.stderr)
        logging.getLogger("httpx").setLevel(logging.WARNING)
        settings = load_settings(args.profile, _overrides(args))
        with _stdout_for_json(args.json), _termination():
            return int(args.command.run(Context(args, settings, out, console)))
    except DraftlineError as error:
        _complain(console, str(error), verbose)
        return int(error.exit_code)
    except KeyboardInterrupt:
        console.print("interrupted", highlight=False)
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing more to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            where = f" while writing {error.filename}" if error.filename else ""
            _complain(console, f"the disk is full{where}; free some space and run the command again", verbose)
        else:
            _complain(console, f"a bug in Draftline: {type(error).__name__}: {error}", verbose=True)
        return int(ExitCode.CANNOT_RUN)


def _parse(
    package: str, description: str, commands: Sequence[Command], default: str | None, arguments: list[str]
) -> argparse.Namespace:
    arguments = _command_first(arguments, [command.name for command in commands], default)
    # The console script names itself here, so that help and errors show what was typed.
    prog = sys.argv[0] if sys.argv[0].startswith("draftline ") else f"python -m {package}"
    parser = _Parser(
        prog=prog,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"draftline {version('draftline')}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in commands:
        is_default = command.name == default
        sub = subparsers.add_parser(
            command.name,
            help=command.help + (" (the default command)" if is_default else ""),
            description=f"{description}\n\n{command.name}: {command.help}" if is_default else command.help,
            epilog=_epilog(command, commands, prog) if is_default else command.epilog or None,
            prog=prog if is_default else f"{prog} {command.name}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        _add_common(sub, command)
        command.configure(sub)
        sub.set_defaults(command=command)
    return parser.parse_args(arguments)


def _epilog(default: Command, commands: Sequence[Command], prog: str) -> str:
    """What follows the default command's options: its examples, and the other commands."""
    others = [command for command in commands if command is not default]
    width = max((len(command.name) for command in others), default=0)
    listed = [f"  {command.name:{width}}  {command.help}" for command in others]
    if listed:
        listed = [f"other commands ({prog} COMMAND --help):", *listed]
    return "\n".join(filter(None, [default.epilog, "\n".join(listed)]))


def _command_first(arguments: list[str], names: Sequence[str], default: str | None) -> list[str]:
    """The arguments with the command's name in front, or the default's where none is named.

    Options that every command has may stand before the name; after the first word that is neither,
    and after ``--``, nothing is a name.
    """
    index = 0
    while index < len(arguments):
        word = arguments[index]
        if word in names:
            return [word, *arguments[:index], *arguments[index + 1 :]]
        if word in ("--profile", "--set", "--model"):
            index += 2
        elif word in ("-v", "--verbose", "--json") or word.startswith(("--profile=", "--set=", "--model=")):
            index += 1
        else:
            break
    if default is None or arguments[:1] == ["--version"]:
        return arguments
    return [default, *arguments]


def _add_common(parser: argparse.ArgumentParser, command: Command) -> None:
    group = parser.add_argument_group("every command")
    group.add_argument("--profile", metavar="NAME", help=f"settings profile: {', '.join(profile_names())}")
    group.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one setting, e.g. --set answer.max_tokens=300; repeatable",
    )
    group.add_argument("--json", action="store_true", help="JSON on stdout and nothing else there")
    group.add_argument("-v", "--verbose", action="store_true", help="log what happens; tracebacks on errors")
    group.add_argument("--version", action="version", version=f"draftline {version('draftline')}")
    if command.model:
        group.add_argument(
            "--model", metavar="NAME", help="answering model: a name from models.yaml or a folder"
        )


def _overrides(args: argparse.Namespace) -> list[str]:
    model = getattr(args, "model", None)
    return [*args.overrides, *([f"models.answer={model}"] if model else [])]


@contextlib.contextmanager
def _stdout_for_json(json_only: bool) -> Iterator[None]:
    with contextlib.redirect_stdout(sys.stderr) if json_only else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _termination() -> Iterator[None]:
    """SIGTERM ends what is inside as Ctrl-C does, unless our caller deals with it otherwise."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _accept_any_text(json_only: bool) -> None:
    """Let no character end a command: JSON is UTF-8 whatever the locale, the rest is escaped.

    A path that is not valid UTF-8 has lone surrogates; escaped, they are JSON's own escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if json_only and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def _complain(console: Console, message: str, verbose: bool) -> None:
    if verbose:
        traceback.print_exc(file=sys.stderr)
    line = " ".join(message.split())
    console.print(f"[bold red]error:[/] {escape(line)}", highlight=False, soft_wrap=True)
