"""Ignore files: which paths a ``.gitignore`` or ``.draftlineignore`` leaves out, exactly as git decides it.

Patterns come from anywhere, so matching one takes time that grows with the square of a path's length
at most: what a star takes is settled once, never tried again.
"""

from __future__ import annotations

import os
import re
import stat
import string
from collections.abc import Sequence
from dataclasses import dataclass

OWN = ".draftlineignore"
GIT = ".gitignore"
_MOST_BYTES = 256_000
_MOST_LETTERS = 1000
_SPECIAL = "*?[\\"
_CLASSES = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "blank": " \t",
    "cntrl": "".join(map(chr, [*range(32), 127])),
    "digit": string.digits,
    "graph": "".join(map(chr, range(33, 127))),
    "lower": string.ascii_lowercase,
    "print": "".join(map(chr, range(32, 127))),
    "punct": string.punctuation,
    "space": " \t\n\v\f\r",
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}


@dataclass(frozen=True)
class Rule:
    """One line of an ignore file."""

    regex: re.Pattern[str]
    """Of the path below the ignore file's folder, or of the name alone; a letter stands for a byte."""
    by_name: bool
    folders_only: bool
    takes_back: bool

    def matches(self, path: str, name: str, is_folder: bool) -> bool:
        if self.folders_only and not is_folder:
            return False
        return self.regex.fullmatch(name if self.by_name else path) is not None


@dataclass(frozen=True)
class Rules:
    """The ignore rules that hold in a folder: its own, and those of the folders above."""

    folders: tuple[tuple[str, tuple[Rule, ...]], ...] = ()
    """Each folder with its rules, the outermost first; a later rule overrules an earlier one."""

    def within(self, folder: str, names: Sequence[str]) -> Rules:
        """The rules in a folder below, with what its ignore files of these names say."""
        own = tuple(rule for name in names for rule in parse_rules(_read(f"{folder}/{name}")))
        return Rules((*self.folders, (folder, own))) if own else self

    def ignores(self, path: str, is_folder: bool) -> bool:
        """Whether a path is left out (that its folder may be is for the caller to know)."""
        for folder, rules in reversed(self.folders):
            inside = _letters(path[len(folder.rstrip("/")) + 1 :])
            name = inside.rpartition("/")[2]
            for rule in reversed(rules):
                if rule.matches(inside, name, is_folder):
                    return not rule.takes_back
        return False


def rules_above(folder: str, root: str, names: Sequence[str]) -> Rules:
    """The rules that hold in ``folder`` from above: from its git repository's top, or from ``root``."""
    above = _parents(folder)
    tops = [i for i, parent in enumerate([*above, folder]) if parent == root or _is_repository(parent)]
    rules = Rules()
    for parent in above[min(tops, default=len(above)) :]:
        rules = rules.within(parent, names)
    return rules


def parse_rules(text: bytes) -> list[Rule]:
    """The rules in an ignore file's content; lines that can match nothing are left out."""
    lines = _letters(text.removeprefix(b"\xef\xbb\xbf")).split("\n")
    return [rule for line in lines if (rule := _parse(line.removesuffix("\r"))) is not None]


def _parents(folder: str) -> list[str]:
    """From ``/`` down to the folder that ``folder`` is in."""
    parts = folder.strip("/").split("/")
    return ["/" + "/".join(parts[:end]) for end in range(len(parts))]


def _is_repository(folder: str) -> bool:
    return os.path.lexists(f"{folder.rstrip('/')}/.git")


def _letters(text: str | bytes) -> str:
    """A letter a byte: git's patterns are about bytes."""
    return (os.fsencode(text) if isinstance(text, str) else text).decode("latin-1")


def _read(path: str) -> bytes:
    """An ignore file's content; nothing where there is none that can be read, or a link or pipe."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return b""
        with open(path, "rb") as file:  # noqa: PTH123 - a path in a hot loop
            return file.read(_MOST_BYTES)
    except OSError:
        return b""


def _parse(line: str) -> Rule | None:
    """A line by the rules of gitignore(5), and of git's dir.c where that is silent."""
    if line.startswith("#"):
        return None
    pattern = _without_trailing_spaces(line)
    takes_back = pattern.startswith("!")
    pattern = pattern[takes_back:]
    folders_only = pattern.endswith("/")
    pattern = pattern[: len(pattern) - folders_only]
    if not pattern or len(pattern) > _MOST_LETTERS:
        return None
    by_name = "/" not in pattern
    regex = _compile(pattern.removeprefix("/"))
    return Rule(regex, by_name, folders_only, takes_back) if regex else None


def _without_trailing_spaces(line: str) -> str:
    bare = line.rstrip(" ")
    escaped = (len(bare) - len(bare.rstrip("\\"))) % 2 == 1
    return bare + " " if escaped and len(bare) < len(line) else bare


def _compile(pattern: str) -> re.Pattern[str] | None:
    """A pattern as a regular expression; None where it can match nothing.

    Between two ``**`` lie parts with a fixed number of slashes, and between two ``*`` lie parts of a
    fixed length. The first place where such a part fits serves what follows at least as well as any
    later one, so all but the last are atomic groups.
    """
    start = next((i for i, c in enumerate(pattern) if c in _SPECIAL), len(pattern))
    parts = _parts(pattern, start)
    if parts is None:
        return None
    done = ""
    for index, (lead, stretches) in enumerate(parts):
        last = index == len(parts) - 1
        body = stretches[0]
        for number, stretch in enumerate(stretches[1:], 2):
            ends = last and number == len(stretches)
            body += f"[^/]*{stretch}" if ends else f"(?>[^/]*?{stretch})"
        done += f"{lead}{body}" if last else f"(?>{lead}{body})"
    return re.compile(done, re.DOTALL)


def _parts(pattern: str, start: int) -> list[tuple[str, list[str]]] | None:
    """What stands between the ``**`` of a pattern: how each begins, and its stretches between stars."""
    parts = [("", [re.escape(pattern[:start])])]
    at = start
    while at < len(pattern):
        letter = pattern[at]
        if letter == "*":
            end = at + 1
            while pattern[end : end + 1] == "*":
                end += 1
            # A `**` counts as a path's beginning also right after the plain text that opens a pattern.
            opens = at == start or pattern[at - 1] == "/"
            if end - at > 1 and opens and (end == len(pattern) or pattern.startswith(("/", "\\/"), end)):
                whole = pattern[end : end + 1] == "/"
                parts.append(("(?:.*?/)??" if whole else ".*?", [""]))
                at = end + whole
            else:
                parts[-1][1].append("")
                at = end
            continue
        if letter == "[":
            found = _set(pattern, at + 1)
        elif letter == "\\":
            found = (re.escape(pattern[at + 1]), at + 2) if at + 1 < len(pattern) else None
        else:
            found = ("[^/]" if letter == "?" else re.escape(letter), at + 1)
        if found is None:
            return None
        parts[-1][1][-1] += found[0]
        at = found[1]
    return parts


def _set(pattern: str, at: int) -> tuple[str, int] | None:
    """The ``[...]`` whose content begins at ``at``, as a regular expression, and where it ends."""
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    letters: set[str] = set()
    before, first = "", True
    while first or pattern[at : at + 1] != "]":
        first = False
        letter = pattern[at : at + 1]
        if letter == "\\":
            at += 1
            letter = pattern[at : at + 1]
            letters.add(letter)
        elif letter == "-" and before and pattern[at + 1 : at + 2] not in ("", "]"):
            at += 2 if pattern[at + 1] == "\\" else 1
            upper = pattern[at : at + 1]
            if not upper:
                return None
            letters.update(map(chr, range(ord(before), ord(upper) + 1)))
            letter = ""
        elif letter == "[" and pattern[at + 1 : at + 2] == ":":
            close = pattern.find("]", at + 2)
            if close < 0:
                return None
            name = pattern[at + 2 : close]
            if name.endswith(":"):
                if name[:-1] not in _CLASSES:
                    return None
                letters.update(_CLASSES[name[:-1]])
                at, letter = close, ""
            else:
                letters.add("[")
        elif letter:
            letters.add(letter)
        else:
            return None
        if at >= len(pattern):
            return None
        before = letter
        at += 1
    letters.discard("" if negated else "/")
    listed = "".join(map(re.escape, sorted(letters)))
    if negated:
        return f"[^/{listed}]", at + 1
    return (f"[{listed}]" if listed else "(?!)"), at + 1
