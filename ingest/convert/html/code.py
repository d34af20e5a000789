"""Code blocks: one ``pre`` with one text and its language, whatever a highlighter made of it."""

from __future__ import annotations

from ingest.convert.html.code_language import LANGUAGES, language_of, names_language
from ingest.convert.html.code_text import DIGITS, NUMBERING, TOOLS, code_text
from ingest.convert.html.tree import (
    BLOCKS,
    Element,
    alone,
    class_list,
    drop,
    elements,
    make,
    name_words,
    start_of,
    swap,
    sweep,
    tag_of,
    text_of,
    within,
    word_set,
)

LANGUAGE = "data-x-language"
_HOLDERS = frozenset(("cm-content", "monaco-editor", "codemirror-code", "react-code-lines", "ace_text-layer"))
_RAW = word_set("code-block codeblock code-snippet code-sample codesnippet")


def settle_code(root: Element) -> None:
    """Make every code block a ``pre`` that holds nothing but its text."""
    for table in elements(root, "table"):
        _unnumber(table)
    _promote(root)
    for block in elements(root, "pre", "listing", "xmp"):
        if within(block, "x-code"):
            continue  # one inside another
        language = language_of(block) or _label(block)
        text = code_text(block)
        if not text.strip():
            drop(block)
            continue
        _tidy_frame(block)
        new = make("x-code", text)
        if language:
            new.set(LANGUAGE, language)
        swap(block, new)
    for block in elements(root, "x-code"):
        block.tag = "pre"
    sweep(root)


def _promote(root: Element) -> None:
    """Editors, code without ``pre`` and plain elements that are named code blocks become ``pre``."""
    for holder in root.xpath(".//div[@class] | .//ol[@class]"):
        if _HOLDERS.isdisjoint(class_list(holder)):
            continue
        for outer in list(holder.iterancestors("pre", "code")):
            outer.tag = "div"
        holder.tag = "pre"
    for block in elements(root, "code"):
        if not within(block, "pre", "code") and block.find(".//pre") is None and _is_block(block):
            block.tag = "pre"
            _trim_text(block)
    for block in root.xpath(".//div[contains(@class, 'code')]"):
        text = "".join(block.itertext())
        if (
            "\n" in text.strip()
            and not _RAW.isdisjoint(class_list(block))
            and not within(block, "pre", "code")
        ):
            inner = {tag_of(child) for child in block.iterdescendants()}
            block.tag = "pre" if inner.isdisjoint({*BLOCKS, "code", "img"}) else block.tag


def _trim_text(block: Element) -> None:
    """The page's own indentation before a promoted block's first line."""
    block.text = (block.text or "").lstrip()


def _label(block: Element) -> str | None:
    """A language's name that stands right before the code in its frame."""
    frame = block.getparent()
    length = len(text_of(block)) + 40
    for _ in range(6):
        if frame is None or len(start_of(frame, length)) >= length:
            return None
        before = text_of(frame).removesuffix(text_of(block)).strip().lower()
        if before.partition(" ")[0] in LANGUAGES:
            return before.partition(" ")[0]
        frame = frame.getparent()
    return None


def _unnumber(table: Element) -> None:
    """A table that only sets line numbers beside code becomes the code."""
    cells = table.findall(".//td")[:2000]
    code = [
        cell
        for cell in cells
        if cell.find(".//pre") is not None
        or cell.find(".//code") is not None
        or not {"code", "blob-code"}.isdisjoint(class_list(cell))
    ]
    others = [cell for cell in cells if cell not in set(code)] if len(cells) < 2000 else []
    numbers = [
        cell
        for cell in cells
        if DIGITS.fullmatch(text_of(cell)) or not NUMBERING.isdisjoint(class_list(cell))
    ]
    hinted = bool(
        {"highlight", "highlighttable", "rouge", "lntable", "linenos", "blob", "gutter", "code", "hljs"}
        & name_words(table)
    )
    if (
        len(code) == 1
        and cells
        and len(numbers) == len(cells) - 1
        and (numbers or hinted)
        and text_of(code[0])
    ):
        block = code[0].find(".//pre")
        swap(table, block if block is not None else _as(code[0], "pre"))
    elif (
        len(cells) == 2 and len(numbers) >= 1 and cells[0] in numbers and cells[1].find(".//pre") is not None
    ):
        swap(table, cells[1].find(".//pre"))
    elif hinted and code and len(numbers) + len(code) >= len(cells) and not others:
        for cell in numbers:
            if cell not in code:
                drop(cell)
        if not within(table, "pre"):
            table.tag = "pre"


def _as(element: Element, tag: str) -> Element:
    element.tag = tag
    return element


def _is_block(code: Element) -> bool:
    """Whether a ``code`` without ``pre`` stands as a block: it has lines, and the page shows them."""
    parent = code.getparent()
    style = code.get("style", "").replace(" ", "").lower()
    lined = code.find(".//br") is not None or "\n" in "".join(code.itertext()).strip()
    if "white-space:pre" in style and "\n" in "".join(code.itertext()).strip():
        return True
    if within(code, "td", "th"):
        return False
    if "block" in class_list(code) or "display:block" in style:
        return parent is not None and parent.tag not in ("p", "li", "td", "a", "span")
    return lined and alone(code) and (code.find(".//br") is not None or bool(names_language(code)))


def _tidy_frame(block: Element) -> None:
    """Tools and language labels that stand beside a block in its frame go."""
    frame = block
    length = len(text_of(block)) + 60
    for ancestor in block.iterancestors():
        if (
            ancestor.tag not in ("div", "figure", "pre", "code-block")
            or len(start_of(ancestor, length)) >= length
        ):
            break
        frame = ancestor
    if frame is block:
        return
    inside = set(block.iterancestors()) | {block}
    for element in list(frame.iter("div", "span", "p", "button", "figcaption", "header")):
        if element in inside or any(parent is block for parent in element.iterancestors()):
            continue
        label = text_of(element)
        if (
            label
            and (
                label.lower() in LANGUAGES
                or TOOLS & name_words(element)
                or label.lower() in ("copy", "copy code", "copied", "copied!")
            )
            and element.tag not in BLOCKS - {"div", "p", "header"}
        ):
            drop(element)
    sweep(frame)
