"""A settled tree as markdown: blocks apart by an empty line, nested ones indented or quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ingest.convert.html import callouts
from ingest.convert.html.code import LANGUAGE
from ingest.convert.html.inline import BREAK, Inline, at_start
from ingest.convert.html.tables import is_data_table, table_rows
from ingest.convert.html.tree import BLOCKS, HEADINGS, LISTS, Element, tag_of

_MOST_PADDED = 1_000_000
_PARAGRAPH_BREAK = re.compile(r"(?: {2}\n){2,}")


class Writer:
    """Writes blocks; links are resolved against the page's address where it is known."""

    def __init__(self, base: str | None) -> None:
        self.base = base

    def write(self, elements: Iterable[Element]) -> str:
        return "\n\n".join(block for element in elements for block in self.blocks(element))

    def blocks(self, parent: Element) -> list[str]:
        """The blocks that an element's content is made of."""
        found: list[str] = []
        run = Inline(self.base)
        run.text(parent.text)
        for child in parent:
            tag = tag_of(child)
            if tag == "x-math" and child.get("display") and tag_of(parent) not in HEADINGS:
                run = self._end(run, found)
                found.append(f"$$\n{child.get('tex', '').strip()}\n$$")
            elif tag in BLOCKS:
                run = self._end(run, found)
                found += self.block(child, tag)
            else:
                run.element(child)
            run.text(child.tail)
        self._end(run, found)
        return found

    def _end(self, run: Inline, found: list[str]) -> Inline:
        """Close a run of text: two line breaks in it begin a new paragraph."""
        if run.pieces:
            for part in _PARAGRAPH_BREAK.split("".join(run.pieces)):
                text = part.strip(" \n")
                if text:
                    found.append(at_start(text))
        return Inline(self.base)

    def block(self, element: Element, tag: str) -> list[str]:
        """The blocks that one block element becomes."""
        if tag in HEADINGS:
            return self._heading(element, int(tag[1]))
        if tag == "pre":
            return [fenced(element.text or "", element.get(LANGUAGE, ""))]
        if tag in LISTS or tag == "dir":
            return self._list(element)
        if tag == "table":
            return self._table(element)
        if tag == "hr":
            return ["---"]
        if tag == "blockquote":
            return _quoted(self.blocks(element))
        if tag == "x-callout":
            title = element.get(callouts.TITLE, "")
            head = f"[!{element.get(callouts.KIND)}]{element.get(callouts.FOLD, '')} {title}".rstrip()
            return ["\n".join(["> " + head, *_quoted(self.blocks(element))])]
        return self.blocks(element)

    def _heading(self, element: Element, level: int) -> list[str]:
        inner = self.blocks(element)
        text = " ".join(part.replace(BREAK, " ").replace("\n", " ") for part in inner if part)
        text = re.sub(r"^\\(?=[#>+-])", "", text)
        if not any(map(str.isalnum, text)):
            return [part for part in inner if "](" in part]
        return [f"{'#' * level} {text}"]

    def _list(self, element: Element) -> list[str]:
        ordered = element.tag == "ol"
        start = element.get("start", "1")
        number = int(start) if re.fullmatch(r"\d{1,8}", start) else 1
        items: list[str] = []
        for child in element:
            tag = tag_of(child)
            if not tag or tag == "x-gone":
                continue
            parts = self.blocks(child) if tag not in LISTS else self._list(child)
            if (child.tail or "").strip():
                parts.append(at_start(" ".join((child.tail or "").split())))
            if not parts:
                continue
            if tag in LISTS:
                items.append("\n".join(_indented(part) for part in parts) if items else "\n".join(parts))
                continue
            value = child.get("value", "")
            number = int(value) if re.fullmatch(r"\d{1,8}", value) else number
            items.append(self._item(f"{number}. " if ordered else "- ", parts, child))
            number += 1
        if (element.text or "").strip():
            items.insert(0, at_start(" ".join((element.text or "").split())) + "\n")
        return ["\n".join(items)] if items else []

    def _item(self, mark: str, parts: list[str], item: Element) -> str:
        box = item.get("data-x-task")
        if box:
            mark += f"[{box}] "
        first, *rest = parts
        lines = [mark + _hanging(first)]
        for part in rest:
            nested = re.match(r"(?:- |\d+\. )", part)
            lines.append(("" if nested else "\n") + _indented(part))
        return "\n".join(lines)

    def _table(self, table: Element) -> list[str]:
        if not is_data_table(table):
            return self._layout(table)
        caption = table.find("caption")
        found = self.blocks(caption) if caption is not None else []
        rows = [[self._cell(cell) for cell in row] for row in table_rows(table)]
        rows = [row for row in rows if any(row)]
        if not rows:
            return found
        width = max(map(len, rows))
        if width * len(rows) <= _MOST_PADDED:  # a short row is read as well
            rows = [row + [""] * (width - len(row)) for row in rows]
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|" + " --- |" * width)
        return [*found, "\n".join(lines)]

    def _layout(self, table: Element) -> list[str]:
        found: list[str] = []
        for part in table.iter("caption", "td", "th"):
            if next(part.iterancestors("table"), None) is table:
                found += self.blocks(part)
        return found

    def _cell(self, cell: Element | None) -> str:
        if cell is None:
            return ""
        parts = self.blocks(cell)
        text = " ".join(
            part.replace(BREAK, "<br>").replace(
                "\n", "<br>" if part.startswith(("- ", "1. ", "```")) else " "
            )
            for part in parts
        )
        text = re.sub(r"^\\(?=[#>+-])|(?<=^\d)\\(?=\.)", "", text)
        return text.replace("|", "\\|").strip()


def fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall("^ *(`{3,})", text, re.MULTILINE)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _quoted(blocks: list[str]) -> list[str]:
    if not blocks:
        return []
    return ["\n".join(f"> {line}" if line else ">" for line in "\n\n".join(blocks).split("\n"))]


def _indented(block: str) -> str:
    return "\n".join("\t" + line if line else "" for line in block.split("\n"))


def _hanging(block: str) -> str:
    """A block behind a list mark: its further lines belong to the item."""
    first, *rest = block.split("\n")
    return "\n".join([first, *("\t" + line if line else "" for line in rest)])


def write_notes(notes: Iterable[tuple[int, Element]], writer: Writer) -> str:
    found = []
    for number, note in notes:
        parts = writer.blocks(note) or [""]
        found.append(f"[^{number}]: " + "\n\n".join([parts[0], *(_note_part(part) for part in parts[1:])]))
    return "\n\n".join(found)


def _note_part(part: str) -> str:
    return "\n".join("    " + line if line else "" for line in part.split("\n"))
