"""How much of a text is found again in what was read from its PDF; each between 0 and 1."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from rapidfuzz.distance import LCSseq

from benchmarks.html.scores import token_f1, words
from benchmarks.pdf.source import Text

_MARK = re.compile(r"^(?:#{1,6} |[-*] |\d+\. |\| |\|(?: --- \|)+)", re.M)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def score(found: str, text: Text) -> dict[str, float]:
    """Words, their order, headings with levels, list items, rows of tables, lines of code."""
    expected = " ".join(piece.words() for piece in text.pieces)
    plain = _plain(found)
    headings = Counter((p.level, _norm(p.text)) for p in text.pieces if p.kind == "heading")
    items = Counter(_norm(item) for p in text.pieces for item in p.items)
    rows = Counter(tuple(map(_norm, row)) for p in text.pieces for row in p.rows)
    lines = found.split("\n")
    scores = {
        "words": token_f1(plain, expected),
        "order": _order(plain, expected),
        "headings": _f1(_headings(lines), headings),
        "items": _f1(_items(lines), items),
        "rows": _f1(_rows(lines), rows),
        "code": _share_of_lines(lines, [p.text for p in text.pieces if p.kind == "code"]),
    }
    absent = {"items": not items, "rows": not rows, "code": not any(p.kind == "code" for p in text.pieces)}
    return {name: value for name, value in scores.items() if not absent.get(name)}


def _plain(markdown: str) -> str:
    return _LINK.sub(r"\1", _MARK.sub("", markdown)).replace("\\", "")


def _norm(text: str) -> str:
    return " ".join(words(text))


def _order(found: str, expected: str) -> float:
    """The longest common subsequence of words over the words expected."""
    theirs = words(expected)
    return LCSseq.similarity(words(found), theirs) / len(theirs) if theirs else 1.0


def _f1(found: Counter[object], expected: Counter[object]) -> float:
    total = found.total() + expected.total()
    return 2 * (found & expected).total() / total if total else 1.0


def _headings(lines: Iterable[str]) -> Counter[object]:
    matches = (re.match(r"(#{1,6}) (.+)", line) for line in lines)
    return Counter((len(match[1]), _norm(match[2])) for match in matches if match)


def _items(lines: Iterable[str]) -> Counter[object]:
    matches = (re.match(r"\s*(?:[-*]|\d+\.) (.+)", line) for line in lines)
    return Counter(_norm(_plain(match[1])) for match in matches if match)


def _rows(lines: Iterable[str]) -> Counter[object]:
    rows = (
        re.split(r"(?<!\\)\|", line.strip().strip("|"))
        for line in lines
        if line.startswith("|") and "| --- |" not in line
    )
    return Counter(tuple(_norm(_plain(cell)) for cell in row) for row in rows)


def _share_of_lines(lines: Iterable[str], code: Iterable[str]) -> float:
    """Lines of code that are there as they were, indentation included."""
    known = Counter(line.rstrip() for line in lines)
    wanted = Counter(line.rstrip() for text in code for line in text.split("\n") if line.strip())
    return (known & wanted).total() / wanted.total() if wanted else 1.0
