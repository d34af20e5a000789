"""The text of a code block as it would be copied: no line numbers, a line for every row."""

from __future__ import annotations

import re

from ingest.convert.html.code_language import LANGUAGES
from ingest.convert.html.tree import (
    Element,
    class_list,
    drop,
    elements,
    name_words,
    start_of,
    sweep,
    tag_of,
    text_of,
    word_set,
    words,
)

NUMBERING = word_set(
    "lineno linenos linenodiv linenumber linenumbers lnt ln lnlinks gutter rouge-gutter blob-num "
    "hljs-ln-numbers "
    "line-number line-numbers line-numbers-rows react-syntax-highlighter-line-number cm-gutters gutters "
    "code-line-number codeline-number ln-num line-num token-line-number"
)
TOOLS = word_set("hover copy clipboard toolbar copybtn tooltip buttons copied")
_LINES = word_set(
    "line token-line code-line cm-line view-line cl codeline react-code-line ec-line hljs-ln-line"
)
DIGITS = re.compile(r"[\s\d.:|]*")
_PARTS = words("span div td a button style svg i ol ul pre label input textarea")


def code_text(block: Element) -> str:
    """The code alone: line numbers and tools dropped, a line for every element that stands for one."""
    inner = block.find(".//code")
    for element in elements(block, *_PARTS):
        label = inner is not None and inner not in element.iter() and inner not in element.iterancestors()
        if _is_extra(element) or (label and start_of(element, 20).lower() in LANGUAGES):
            drop(element)
    _drop_numbers(block)
    sweep(block)
    pieces: list[str] = []
    _collect(block, pieces)
    text = (
        "".join(pieces).replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ").replace("\u200b", "")
    )
    lines = text.split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    return "\n".join(line.rstrip() for line in lines)


def _drop_numbers(block: Element) -> None:
    """Elements that count the lines: 1, 2, 3 and so on, each before the text of its line."""
    counted: list[Element] = []
    for element in elements(block, "span", "div", "td", "a"):
        if len(element) == 0 and (element.text or "").strip() == str(len(counted) + 1):
            counted.append(element)
    rows = "".join(block.itertext()).count("\n") + len(block.findall(".//div")) // 2
    if len(counted) > 2 and len(counted) >= rows // 2 and all(_first_in_row(element) for element in counted):
        for element in counted:
            drop(element)


def _first_in_row(element: Element) -> bool:
    parent = element.getparent()
    return (
        parent is not None
        and parent[0] is element
        and not (parent.text or "").strip()
        and element.getnext() is not None
    )


def _is_extra(element: Element) -> bool:
    if element.tag in ("button", "style", "svg", "input", "textarea", "label"):
        return True
    classes = class_list(element)
    if not NUMBERING.isdisjoint(classes) and DIGITS.fullmatch(text_of(element)):
        return True
    style = element.get("style", "").replace(" ", "").lower()
    if "user-select:none" in style and DIGITS.fullmatch(text_of(element)):
        return True
    return bool(TOOLS & name_words(element, ids=False)) and len(text_of(element)) < 40


def _collect(element: Element, pieces: list[str]) -> None:
    """The text below an element, with line breaks where its rows end."""
    if element.text:
        pieces.append(element.text)
    children = list(element)
    rows = sum(_is_row(child) for child in children)
    closed = False
    for child in children:
        row = rows and _is_row(child)
        if row and pieces and not _ends_line(pieces):
            pieces.append("\n")
        if child.tag == "br":
            pieces.append("" if closed else "\n")
        elif tag_of(child):
            start = len(pieces)
            _collect(child, pieces)
            if row and (len(pieces) == start or not _ends_line(pieces)):
                pieces.append("\n")
        tail = child.tail or ""
        if row and rows > 1 and not tail.strip():
            tail = tail.lstrip("\n \t") if "\n" in tail else tail  # the break of the row itself
        closed = bool(row) and not tail
        if tail:
            pieces.append(tail)


def _ends_line(pieces: list[str]) -> bool:
    last = next((piece for piece in reversed(pieces) if piece), "\n")
    return last.endswith("\n")


def _is_row(element: Element) -> bool:
    if element.tag in ("div", "li", "tr", "p"):
        return True
    if element.tag not in ("span", "code"):
        return False
    return (
        not _LINES.isdisjoint(class_list(element))
        or element.get("data-line") is not None
        or element.get("data-line-number") is not None
        or bool(re.search(r"display\s*:\s*(?:block|flex|grid)", element.get("style", "")))
        or (element.tag == "code" and tag_of(element.getparent()) == "pre" and len(element.getparent()) > 1)
    )
