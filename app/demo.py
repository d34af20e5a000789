"""``python -m app.demo``: from nothing to a cited answer, showing each command that it runs."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence

from rich.console import Console

QUESTION = "What happens when a second ingest starts while one is running?"


def stages(question: str) -> list[tuple[str, list[str]]]:
    """Headings and the ``python -m`` words of each stage, in order."""
    return [
        ("Fetch the models", ["configs", "fetch"]),
        ("Read the handbook in ./docs", ["ingest", "./docs"]),
        (f"Ask: {question}", ["generate", "ask", "--", question]),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run all stages; the first that fails ends the demo with its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    question = " ".join(words).strip() or QUESTION
    console = Console(highlight=False, markup=False, soft_wrap=True)
    started = time.monotonic()
    try:
        for heading, command in stages(question):
            code = _stage(console, heading, command)
            if code:
                console.print(
                    f"\nThe demo ends here: that command failed (exit code {code}).", style="bold red"
                )
                return code
    except KeyboardInterrupt:
        console.print("\nInterrupted.", style="bold red")
        return 130
    console.print(f"\nDone in {time.monotonic() - started:.1f} s.", style="bold")
    console.print(_next_steps())
    return 0


def _stage(console: Console, heading: str, command: list[str]) -> int:
    console.print(f"\n== {heading}", style="bold")
    console.print(f"$ python -m {shlex.join(command)}", style="dim")
    started = time.monotonic()
    code = subprocess.run([sys.executable, "-m", *command], check=False).returncode
    console.print(f"({time.monotonic() - started:.1f} s)", style="dim")
    # A child that a signal ended has a negative code; a shell would say 128 + the signal.
    return code if code >= 0 else 128 - code


def _next_steps() -> str:
    python = shlex.quote(sys.executable)
    return f"""
What next:
  {python} -m app                        chat in the browser
  {python} -m ingest PATH                read a folder of your own
  {python} -m generate ask "QUESTION"    ask about it
"""


if __name__ == "__main__":
    sys.exit(main())
