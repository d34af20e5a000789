"""Runs ``python -m ingest`` in forked children: one start loads torch for all of them.

Reads a JSON object a line from stdin. ``{"words", "home", "out", "err"}`` starts the command and prints
its process id; ``{"wait": pid}`` waits for one and prints how it ended (negative: the signal).
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

# Slow to import, and needed by every child.
import safetensors.torch  # noqa: F401
import tokenizers  # noqa: F401

import ingest.convert.html  # noqa: F401
from ingest.__main__ import main


def start(job: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    os.environ["DRAFTLINE_HOME"] = job["home"]
    for descriptor, name in ((1, job["out"]), (2, job["err"])):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
    code = 1
    try:
        code = main(job["words"])
    except KeyboardInterrupt:  # before the command could take it
        code = 130
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def answer(value: object) -> None:
    sys.stdout.write(f"{value}\n")
    sys.stdout.flush()


def serve() -> None:
    answer("ready")
    for line in sys.stdin:
        job = json.loads(line)
        answer(wait(job["wait"]) if "wait" in job else start(job))


if __name__ == "__main__":
    serve()
