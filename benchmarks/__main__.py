"""``python -m benchmarks [NAME [ARGUMENTS...]]``: list the benchmarks, or run one."""

from __future__ import annotations

import ast
import os
import runpy
import sys
from pathlib import Path

from configs.cli import CALM_ENV

HERE = Path(__file__).parent


def benchmarks() -> dict[str, str]:
    """Name and first line of description of every benchmark."""
    found = {}
    for main in sorted(HERE.glob("*/__main__.py")):
        doc = ast.get_docstring(ast.parse(main.read_text(encoding="utf-8"))) or ""
        found[main.parent.name] = doc.partition("\n")[0]
    return found


def main() -> int:
    known = benchmarks()
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print("usage: python -m benchmarks NAME [ARGUMENTS...]\n")
        for name, description in known.items():
            print(f"  {name:12} {description}")
        return 0
    name = sys.argv[1]
    if name not in known:
        print(f"error: no benchmark is called {name!r}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    os.environ.update(CALM_ENV | os.environ)
    sys.argv = [f"python -m benchmarks.{name}", *sys.argv[2:]]
    runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
