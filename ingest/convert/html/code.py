"""Code blocks: one ``pre`` with one text and its language, whatever a highlighter made of it."""

from __future__ import annotations

import re

from ingest.convert.html.tree import (
    BLOCKS,
    Element,
    class_list,
    drop,
    elements,
    make,
    name_words,
    swap,
    sweep,
    tag_of,
    text_of,
    within,
    word_set,
)

LANGUAGE = "data-x-language"
_NAMED = re.compile(
    r"(?:language|lang|highlight-source|highlight-text|highlight|brush|code|syntax|prism|hljs|shj-lang|"
    r"sourcecode)"
    r"[-:_ ]\s*([a-z0-9+#._-]{1,30})"
)
_LANGUAGES = word_set(
    "abap actionscript ada apache apex applescript arduino asm assembly astro awk bash bat batch bibtex c "
    "c# c++ caml clj clojure cmake cobol coffeescript common-lisp console cpp crystal cs csharp css csv cuda "
    "cypher cython d dart delphi diff django docker dockerfile dot elisp elixir elm erlang erb f# fish "
    "fortran "
    "fsharp gdscript gherkin git glsl go golang gradle graphql groovy haml handlebars haskell haxe hcl hlsl "
    "html http ini java javascript jinja jinja2 js json json5 jsonc jsx julia kotlin kt latex lean lean4 "
    "less "
    "lisp llvm lua make makefile markdown markup mathematica matlab md mdx mermaid mips nasm nginx nim nix "
    "objc objective-c objectivec ocaml octave pascal patch perl php plain plaintext postgres postgresql "
    "powershell prolog properties protobuf ps1 pug puppet purescript py py3 pycon python python3 qml r "
    "racket "
    "rb reason regex rs rst ruby rust sas sass scala scheme scss sh shell shell-session sml solidity sparql "
    "sql sshconfig stata svelte swift systemd systemverilog tcl terraform tex text toml ts tsx twig txt "
    "typescript vb vbnet verilog vhdl vim vue wasm wgsl x86asm xml xquery xslt yaml yml zig zsh"
)
_NO_LANGUAGE = frozenset(
    (
        "none",
        "plain",
        "plaintext",
        "text",
        "txt",
        "auto",
        "undefined",
        "default",
        "nohighlight",
        "block",
        "wrapper",
        "snippet",
        "toolbar",
        "blocks",
    )
)
_NUMBERING = word_set(
    "lineno linenos linenodiv linenumber linenumbers lnt ln lnlinks gutter rouge-gutter blob-num "
    "hljs-ln-numbers "
    "line-number line-numbers line-numbers-rows react-syntax-highlighter-line-number cm-gutters gutters "
    "code-line-number codeline-number ln-num line-num token-line-number"
)
_TOOLS = word_set("copy clipboard toolbar copybtn tooltip buttons copied")
_LINES = word_set(
    "line token-line code-line cm-line view-line cl codeline react-code-line ec-line hljs-ln-line"
)
_HOLDERS = ("cm-content", "monaco-editor", "codemirror-code", "react-code-lines", "ace_text-layer")
_DIGITS = re.compile(r"[\s\d.:|]*")
_LOOK_UP = 4  # ancestors that may name the language


def settle_code(root: Element) -> None:
    """Make every code block a ``pre`` that holds nothing but its text."""
    for table in elements(root, "table"):
        _unnumber(table)
    for holder in root.xpath(".//div[@class] | .//ol[@class]"):
        if not _HOLDERS_SET.isdisjoint(class_list(holder)) and not within(holder, "pre"):
            holder.tag = "pre"
    for block in elements(root, "code"):
        if not within(block, "pre") and _is_block(block):
            block.tag = "pre"
    for block in elements(root, "pre", "listing", "xmp"):
        if within(block, "x-code"):
            continue  # one inside another
        language = _language(block)
        text = _text(block)
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


_HOLDERS_SET = frozenset(_HOLDERS)


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
        if _DIGITS.fullmatch(text_of(cell)) or not _NUMBERING.isdisjoint(class_list(cell))
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
    if "block" in class_list(code) or "display:block" in style:
        return parent is not None and parent.tag not in ("p", "li", "td", "a", "span")
    alone = parent is not None and text_of(parent) == text_of(code)
    return (
        lined
        and alone
        and (code.find(".//br") is not None or bool(_NAMED.search(code.get("class", "").lower())))
    )


def _language(block: Element) -> str | None:
    inner = [element for element in block.iter("code", "pre", "span", "div") if element.attrib][:8]
    around: list[Element] = []
    for ancestor in block.iterancestors():
        if (
            ancestor.tag not in ("div", "figure", "pre", "code-block", "span", "td", "tr", "tbody", "table")
            or len(around) == _LOOK_UP
        ):
            break
        around.append(ancestor)
    for element in [block, *inner, *around]:
        for name in (
            "data-lang",
            "data-language",
            "data-code-language",
            "language",
            "lang",
            "data-programming-language",
        ):
            value = element.get(name, "").strip().lower()
            if (
                value
                and (name != "lang" or value in _LANGUAGES - {"md", "cs", "sh", "go"})
                and re.fullmatch(r"[\w+#.-]{1,30}", value)
            ):
                return None if value in _NO_LANGUAGE else value
        if found := _by_class(element):
            return None if found in _NO_LANGUAGE else found
    return None


def _by_class(element: Element) -> str | None:
    names = element.get("class", "").lower()[:500]
    match = _NAMED.search(names)
    if match is not None and (
        match[1] in _LANGUAGES
        or names.startswith(("language-", "lang-"))
        or " language-" in names
        or " lang-" in names
    ):
        return match[1]
    words = names.split()
    if {"hljs", "highlight", "sourcecode", "code", "prettyprint", "chroma", "shiki", "hl"} & set(words):
        return next((word for word in words if word in _LANGUAGES), None)
    return None


def _text(block: Element) -> str:
    """The code alone: line numbers and tools dropped, a line for every element that stands for one."""
    for element in elements(block, *_PARTS):
        if _is_extra(element):
            drop(element)
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


_PARTS = (
    "span",
    "div",
    "td",
    "a",
    "button",
    "style",
    "svg",
    "i",
    "ol",
    "ul",
    "pre",
    "label",
    "input",
    "textarea",
)


def _is_extra(element: Element) -> bool:
    if element.tag in ("button", "style", "svg", "input", "textarea", "label"):
        return True
    classes = class_list(element)
    if not _NUMBERING.isdisjoint(classes) and _DIGITS.fullmatch(text_of(element)):
        return True
    style = element.get("style", "").replace(" ", "").lower()
    if "user-select:none" in style and _DIGITS.fullmatch(text_of(element)):
        return True
    return bool(_TOOLS & name_words(element, ids=False)) and len(text_of(element)) < 40


def _collect(element: Element, pieces: list[str]) -> None:
    """The text below an element, with line breaks where its rows end."""
    if element.text:
        pieces.append(element.text)
    children = list(element)
    rows = sum(_is_row(child) for child in children)
    for child in children:
        row = rows and _is_row(child)
        if row and pieces and not _ends_line(pieces):
            pieces.append("\n")
        if child.tag == "br":
            pieces.append("\n")
        elif tag_of(child):
            start = len(pieces)
            _collect(child, pieces)
            if row and (len(pieces) == start or not _ends_line(pieces)):
                pieces.append("\n")
        tail = child.tail or ""
        if row and rows > 1 and not tail.strip():
            tail = tail.lstrip("\n \t") if "\n" in tail else tail  # the break of the row itself
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


def _tidy_frame(block: Element) -> None:
    """Tools and language labels that stand beside a block in its frame go."""
    frame = block
    for ancestor in block.iterancestors():
        if (
            ancestor.tag not in ("div", "figure", "pre", "code-block")
            or len(text_of(ancestor)) > len(text_of(block)) + 60
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
                label.lower() in _LANGUAGES
                or _TOOLS & name_words(element)
                or label.lower() in ("copy", "copy code", "copied", "copied!")
            )
            and element.tag not in BLOCKS - {"div", "p", "header"}
        ):
            drop(element)
    sweep(frame)
