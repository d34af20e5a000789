"""The console script ``draftline``: the packages' own commands under one name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from configs.errors import ExitCode

PACKAGES = {
    "ingest": "turn files into searchable passages",
    "retrieve": "find passages for a question",
    "generate": "answer questions with citations",
    "evaluate": "score the answers and keep a history",
    "app": "open the chat in a browser",
    "configs": "show the settings, fetch models",
}
SHORT = {"ask": ("generate", "ask")}


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``draftline PACKAGE ...`` as ``python -m PACKAGE ...`` would."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(usage())
        return 0
    if words[0] == "--version":
        sys.stdout.write(f"draftline {version('draftline')}\n")
        return 0
    first, *rest = words
    package, *command = SHORT.get(first, (first,))
    if package not in PACKAGES:
        known = ", ".join([*PACKAGES, *SHORT])
        sys.stderr.write(f"error: there is no command {first!r}; there are: {known} (see draftline --help)\n")
        return 2
    # Each package's main reads sys.argv, as it does when it runs by itself.
    sys.argv = [f"draftline {package}", *command, *rest]
    try:
        return int(import_module(f"{package}.__main__").main())
    except KeyboardInterrupt:  # while the package was being imported; its main handles all others
        sys.stderr.write("interrupted\n")
        return ExitCode.INTERRUPTED


def usage() -> str:
    """What ``draftline --help`` prints."""
    rows = {"ask QUESTION": "short for `draftline generate ask QUESTION`", **PACKAGES}
    listed = "\n".join(f"  {name:<14}{text}" for name, text in rows.items())
    return f"""\
usage: draftline COMMAND ...

Answers questions about your own documents, with proof.

commands:
{listed}

first steps:
  draftline configs fetch                 get the models (once)
  draftline ingest ./docs                 read a folder; again, and only changes are read
  draftline ask "How does ingest work?"   an answer with its sources
  draftline app                           the same in a browser

`draftline COMMAND --help` tells more; `python -m COMMAND` does the same.
"""


if __name__ == "__main__":
    sys.exit(main())
