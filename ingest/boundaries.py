"""Where a text may be cut: at its own parts, at empty lines, at sentences, at words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import pairwise

from ingest.blocks import Kind

Range = tuple[int, int]
"""Start and end in a body, in code points."""

WORD = re.compile(r"\s+")
_EMPTY_LINE, _LINE = re.compile(r"\n[^\S\n]*\n\s*"), re.compile(r"\n")
_SENTENCE = re.compile(r"""(?<=[.!?…])["'”’)\]*_`]*\s+|(?<=[。！？])""")
_FOOTNOTE = re.compile(r"\n(?=\[\^[^\]\s]{1,100}\]:)")
_DEFINITION = re.compile(r"\n[^\S\n]*\n(?=[^\s)\]}])")
"""In code: an empty line before one that is not indented."""
_CELL = re.compile(r"(?<!\\)\|[^\S\n]*")

BOUNDARIES: Mapping[Kind, tuple[re.Pattern[str], ...]] = {
    "heading": (_SENTENCE, _LINE, WORD),
    "prose": (_EMPTY_LINE, _FOOTNOTE, _SENTENCE, _LINE, WORD),
    "list": (_EMPTY_LINE, _SENTENCE, _LINE, WORD),
    "quote": (_EMPTY_LINE, _SENTENCE, _LINE, WORD),
    "code": (_DEFINITION, _EMPTY_LINE, _LINE, WORD),
    "table": (_LINE, _CELL, _SENTENCE, WORD),
    "lines": (_EMPTY_LINE, _LINE, _SENTENCE, WORD),
}
"""By the kind of a block, the best first."""


def split_after(boundary: re.Pattern[str], body: str, span: Range) -> list[Range]:
    """The span in pieces that end where a boundary does."""
    cuts = [span[0], *(match.end() for match in boundary.finditer(body, *span)), span[1]]
    return [(a, b) for a, b in pairwise(cuts) if a < b]


def split_at(marks: Sequence[int], span: Range) -> list[Range]:
    """The span in pieces that begin at the marks, which are sorted."""
    first, last = bisect_left(marks, span[0]), bisect_left(marks, span[1])
    cuts = [span[0], *marks[first:last], span[1]]
    return [(a, b) for a, b in pairwise(cuts) if a < b]
