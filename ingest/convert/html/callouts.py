"""Notes, warnings and tips set apart: one ``x-callout`` with kind, title and content."""

from __future__ import annotations

import re

from ingest.convert.html.tree import (
    Element,
    class_list,
    drop,
    elements,
    make,
    name_words,
    swap,
    sweep,
    text_of,
    within,
    word_set,
)

KIND, TITLE, FOLD = "data-x-kind", "data-x-title", "data-x-fold"
_KINDS = word_set(
    "note info tip hint important warning caution danger error attention success question faq help example "
    "quote cite abstract summary tldr todo bug failure fail missing check done seealso primary secondary "
    "light dark"
)
_SAME = {
    "primary": "info",
    "secondary": "note",
    "light": "note",
    "dark": "note",
    "seealso": "info",
}
_FRAMES = word_set(
    "admonition callout alert markdown-alert theme-admonition custom-block notice admonitionblock hint "
    "admonition-block starlight-aside docs-alert bd-callout custom-container"
)
_TITLES = word_set("title heading header summary label")
_FRAME_KIND = re.compile(
    r"(?:^|[\s_-])(?:admonition|callout|alert|notice|hint|aside|block|container|is|"
    r"bd-callout)-{1,2}([a-z]+)(?=$|[\s_-])"
)
_LONGEST_TITLE = 150


def settle_callouts(root: Element) -> None:
    """Replace the callouts of the usual systems; a nested one stays in its outer one."""
    for element in elements(root, "div", "aside", "section", "blockquote", "details"):
        kind = _kind(element)
        if kind is None or within(element, "pre", "table") or not text_of(element):
            continue
        title = _title(element)
        new = make("x-callout")
        new.set(KIND, kind)
        if title is not None:
            text = text_of(title)
            if 0 < len(text) <= _LONGEST_TITLE:
                new.set(TITLE, text)
                drop(title)
        if fold := _fold(element):
            new.set(FOLD, fold)
        swap(element, new)
        element.tail = None
        element.tag = "div"
        _show(element)
        new.append(element)
    sweep(root)


def _kind(element: Element) -> str | None:
    named = element.get("data-callout") or element.get("data-admonition")
    if named:
        return str(named).strip().lower()[:30] or None
    classes = class_list(element)
    frames = [
        name
        for name in classes
        if name in _FRAMES or re.match(r"(?:theme-)?admonition|callout|markdown-alert", name)
    ]
    if not frames and element.get("role") != "note":
        return None
    if frames and any(
        part.partition("__")[2] or part.endswith(("-content", "-title", "-body", "-icon", "-heading"))
        for part in frames
    ):
        return None  # a part of one
    for match in _FRAME_KIND.finditer(" ".join(classes)):
        if match[1] in _KINDS:
            return _SAME.get(match[1], match[1])
    for name in classes:
        if (name in _KINDS and name != "hint") or (name == "hint" and len(classes) > 1 and False):
            return _SAME.get(name, name)
    if "dismissible" in " ".join(classes) or element.get("role") == "alert":
        return None
    if {"admonition", "callout", "hint"} & set(classes):
        return "note"
    return None


def _title(element: Element) -> Element | None:
    """A short part near the top that is named as the title, or a summary."""
    for part in list(
        element.iter("p", "div", "span", "strong", "summary", "h1", "h2", "h3", "h4", "h5", "h6")
    )[:12]:
        if part is element:
            continue
        if part.tag == "summary" or (
            _TITLES & name_words(part, ids=False) and not {"content", "body"} & name_words(part, ids=False)
        ):
            return part
    return None


def _fold(element: Element) -> str:
    if element.tag == "details":
        return "" if element.get("open") is not None else "-"
    fold = element.get("data-callout-fold", "")
    return fold if fold in ("+", "-") else ""


def _show(element: Element) -> None:
    """What is only folded away is shown."""
    for part in [element, *list(element.iterchildren("div"))]:
        part.attrib.pop("style", None)
        part.attrib.pop("hidden", None)
