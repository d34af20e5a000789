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
    drop_all,
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

_CODE_TABLES = word_set("highlight highlighttable rouge lntable linenos blob gutter hljs")


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
        drop_all(gutter for gutter in holder.itersiblings() if not NUMBERING.isdisjoint(class_list(gutter)))
        drop_all(
            gutter
            for gutter in holder.itersiblings(preceding=True)
            if not NUMBERING.isdisjoint(class_list(gutter))
        )
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
    cells = table.findall(".//td")
    numbers = {cell for cell in cells if _counts_lines(cell)}
    code = [cell for cell in cells if cell not in numbers]
    named = not _CODE_TABLES.isdisjoint(name_words(table))
    if not code or not (numbers or named):
        return
    inner = next(code[0].iter("pre", "code"), None)
    if len(code) == 1 and (inner is not None or named):
        block = next(code[0].iter("pre"), code[0])
        if language := language_of(inner if inner is not None else table):
            block.set("data-lang", language)
        block.tag = "pre"
        swap(table, block)
    elif len(numbers) >= len(code) and all("code" in cell.get("class", "") for cell in code):
        drop_all(numbers)
        table.tag = "pre"


def _counts_lines(cell: Element) -> bool:
    text = text_of(cell)
    return not NUMBERING.isdisjoint(class_list(cell)) or (bool(text) and bool(DIGITS.fullmatch(text)))


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
