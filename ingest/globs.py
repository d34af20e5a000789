"""Path globs: ``*`` and ``?`` stay inside one folder, ``**`` crosses folders, ``[...]`` is a set."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

MAGIC = re.compile(r"[*?[]")


@lru_cache(maxsize=512)
def compile_glob(pattern: str) -> re.Pattern[str]:
    """The regular expression that fully matches the relative paths the glob means."""
    regex, position = [], 0
    while position < len(pattern):
        rest = pattern[position:]
        if rest.startswith("**/"):
            regex.append("(?:.*/)?")
            position += 3
        elif rest.startswith("**"):
            regex.append(".*")
            position += 2
        elif (end := _set_end(rest)) > 0:
            members = rest[1:end].replace("\\", r"\\").replace("[", r"\[")
            regex.append("[" + ("^/" + members[1:] if members[0] in "!^" else members) + "]")
            position += end + 1
        else:
            regex.append({"*": "[^/]*", "?": "[^/]"}.get(rest[0]) or re.escape(rest[0]))
            position += 1
    return re.compile("".join(regex), re.DOTALL)


def _set_end(rest: str) -> int:
    """Where the set that opens ``rest`` closes; -1 if there is none and ``[`` means itself."""
    if not rest.startswith("["):
        return -1
    end = rest.find("]", 3 if rest[1:2] in ("!", "^") else 2)
    body = rest[1:end].lstrip("!^")
    if end < 0 or "/" in body:
        return -1
    try:
        re.compile(f"[{body.replace('[', chr(92) + '[')}]")
    except re.error:
        return -1
    return end


def any_glob(patterns: Iterable[str]) -> Callable[[str], bool]:
    """A test of relative paths; a pattern without a slash is tried on the name alone, at any depth."""
    compiled = [compile_glob(p if "/" in p else f"**/{p}") for p in patterns]
    return lambda path: any(regex.fullmatch(path) for regex in compiled)
