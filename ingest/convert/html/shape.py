"""The tree's shape as markdown can have it: blocks never inside phrases, headings without their anchors."""

from __future__ import annotations

import re

from ingest.convert.html.tree import (
    BLOCKS,
    HEADINGS,
    PHRASES,
    Element,
    class_list,
    drop,
    elements,
    make,
    start_of,
    sweep,
    tag_of,
    text_of,
    unwrap,
    word_set,
)

_ANCHOR_TEXT = re.compile(
    r"[#¶§🔗🔖⚓︎️\s]*|permalink|link to (?:this )?(?:heading|section|header)|direct link.*|anchor|copy link.*",
    re.IGNORECASE,
)
_ANCHOR_CLASSES = word_set(
    "anchor headerlink header-anchor heading-anchor permalink hash-link anchorjs-link anchor-link "
    "octicon-link heading-link"
)

_DEEPEST = 24


def settle_shape(root: Element) -> None:
    _flatten(root)
    _anchors(root)
    _captions(root)
    _tasks(root)
    _paragraphs(root)
    _lift_blocks(root)
    sweep(root)


def _flatten(root: Element) -> None:
    """Phrases in phrases beyond what anyone writes are left out; their text stays."""
    depths: dict[Element, int] = {}
    deep = []
    for element in root.iter(*PHRASES):
        depths[element] = depths.get(element.getparent(), 0) + 1
        if depths[element] > _DEEPEST:
            deep.append(element)
    unwrap(root, (element for element in deep if element.tag not in ("img", "br", "x-math", "x-ref")))


def _anchors(root: Element) -> None:
    """Links of a heading to itself are not part of its text."""
    for heading in elements(root, *HEADINGS):
        unwrap(heading, elements(heading, "strong", "b"))
        for link in elements(heading, "a", "button"):
            href = link.get("href", "")
            text = text_of(link)
            classes = not _ANCHOR_CLASSES.isdisjoint(class_list(link))
            if (
                _ANCHOR_TEXT.fullmatch(text)
                and link.find(".//img") is None
                and ("#" in href or not href or classes)
            ) or (classes and text != text_of(heading) and "#" in href and len(text) < 3):
                drop(link)
            elif "#" in href and text == text_of(heading):
                link.attrib.pop("href", None)
    for link in elements(root, "a"):
        if not _ANCHOR_CLASSES.isdisjoint(class_list(link)) and _ANCHOR_TEXT.fullmatch(start_of(link, 40)):
            drop(link)
    sweep(root)


def _captions(root: Element) -> None:
    """A figure's caption is a paragraph of its own."""
    for caption in elements(root, "figcaption"):
        if not any(tag_of(child) in BLOCKS for child in caption):
            caption.tag = "p"


def _paragraphs(root: Element) -> None:
    """Spans that a component stands in for paragraphs with."""
    for element in root.xpath(".//span[@data-as='p' or @role='paragraph'] | .//div[@role='paragraph']"):
        element.tag = "p"


def _tasks(root: Element) -> None:
    """Items with a box to tick say whether it is ticked; of most, `clean` has seen the box."""
    for item in root.xpath(".//li[contains(@class, 'task-list-item')]"):
        if item.get("data-x-task"):
            continue
        state = item.get("data-task", "")
        item.set("data-x-task", "x" if state.strip() == "x" or "checked" in class_list(item) else " ")


def _lift_blocks(root: Element) -> None:
    """A phrase around blocks becomes a plain block; a link around blocks goes to its heading or picture."""
    for block in elements(root, *BLOCKS):
        parent = block.getparent()
        while parent is not None and parent is not root and tag_of(parent) and tag_of(parent) not in BLOCKS:
            if parent.tag == "a" and parent.get("href"):
                _link_inside(parent)
            if tag_of(parent) in PHRASES or "-" in tag_of(parent) or tag_of(parent) not in BLOCKS:
                parent.tag = "div"
            parent = parent.getparent()


def _link_inside(link: Element) -> None:
    href = link.get("href", "")
    if href.startswith("#"):
        return
    target = next(link.iter(*HEADINGS), None)
    if target is None:
        target = next(
            (
                part
                for part in link.iter("p", "div", "figure", "span")
                if part is not link
                and not any(tag_of(child) in BLOCKS for child in part)
                and (text_of(part) or part.find(".//img") is not None)
            ),
            None,
        )
    if target is None or target.find(".//a") is not None:
        return
    inner = make("a", target.text, href=href)
    target.text = None
    for child in list(target):
        inner.append(child)
    target.append(inner)
