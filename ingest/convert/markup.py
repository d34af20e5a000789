"""Pieces of markdown that converters of many formats write: tables, code, lists, plain lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MAX_COLUMNS = 64
MAX_CELL = 2_000
"""Characters of a table's cell."""

_STARTS_A_BLOCK = re.compile(r"([ ]{0,3})(#{1,6}(?=\s|$)|(?:[-+*])(?=\s)|[=-]+\s*$|`{3}|~{3}|\|)")
_NUMBERED = re.compile(r"(\s{0,3}\d{1,9})([.)])(?=\s)")
_TICKS = re.compile("`+")
_SPACE = re.compile(r"\s+")


def one_line(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def plain_block(text: str) -> str:
    """Lines of plain text as markdown: none becomes a heading or a list; quoted lines stay such."""
    return "\n".join(plain_line(line) for line in text.split("\n"))


def plain_line(line: str) -> str:
    line = line.expandtabs(4).rstrip()
    indent = len(line) - len(line.lstrip())
    line = line[indent:] if indent > 3 else line  # more would make it code
    found = _STARTS_A_BLOCK.match(line)
    if found:
        return f"{found[1]}\\{line[found.end(1) :]}"
    return _NUMBERED.sub(r"\1\\\2", line, count=1)


def heading(level: int, text: str) -> str:
    """A heading on one line; empty where there is no text."""
    text = one_line(text)
    return f"{'#' * max(1, min(level, 6))} {text}" if text else ""


def fence(code: str, language: str = "") -> str:
    """A fenced block of code; the fence is longer than any in it."""
    longest = max((len(run) for run in _TICKS.findall(code)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{code.strip(chr(10))}\n{ticks}"


def list_item(text: str, depth: int, marker: str = "-") -> str:
    """A list's item at a depth from 0; its other lines are indented to stay in it."""
    indent = "\t" * depth
    first, *rest = text.split("\n")
    inner = indent + "\t"
    return "\n".join([f"{indent}{marker} {first}", *(f"{inner}{line}" if line else "" for line in rest)])


def link(text: str, url: str) -> str:
    """An inline link; the text alone where the address is not one that a reader could follow."""
    text, url = one_line(text), url.strip()
    if not re.match(r"(?:https?|mailto|ftp):", url, re.IGNORECASE) or re.search(r"\s", url):
        return text
    if not text or text == url:
        return f"<{url}>"
    target = url.replace("(", "%28").replace(")", "%29")
    return f"[{text}]({target})"


def table(rows: Iterable[Sequence[str]]) -> str:
    """A table; the first row is its header, short rows are filled, columns that are wholly empty fall out."""
    cells = [[_cell(value) for value in row[:MAX_COLUMNS]] for row in rows]
    cells = [row for row in cells if any(row)]
    if not cells:
        return ""
    width = max(map(len, cells))
    cells = [row + [""] * (width - len(row)) for row in cells]
    kept = [column for column in range(width) if any(row[column] for row in cells)]
    head, *body = ([row[column] for column in kept] for row in cells)
    return "\n".join([_row(head), _row(["---"] * len(kept)), *map(_row, body)])


def _cell(value: str) -> str:
    text = one_line(value)
    if len(text) > MAX_CELL:
        text = text[:MAX_CELL].rstrip() + "..."
    return text.replace("\\|", "|").replace("|", "\\|")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def blocks(parts: Iterable[str]) -> str:
    """Blocks with an empty line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())
