"""What a reader of a page never sees is taken out, and what scripts would have put in place is."""

from __future__ import annotations

import re

import lxml.html
from lxml import etree

from ingest.convert.html.tree import (
    Element,
    class_list,
    drop,
    elements,
    name_words,
    styled_away,
    sweep,
    tag_of,
    text_of,
    unwrap,
    within,
    word_set,
    words,
)

_NEVER_TEXT = words(
    "script style template noscript link meta base param object embed applet canvas map area "
    "audio frame frameset noframes select option datalist textarea progress meter svg"
)
_HIDING = word_set(
    "hidden sr-only visually-hidden visuallyhidden screen-reader-text screen-reader-only screenreader-only "
    "sr-text u-visually-hidden a11y-hidden assistive-text invisible d-none is-hidden hide print-only "
    "visible-print printonly element-invisible offscreen"
)
_SHOWN_LATER = re.compile(
    r":(?:block|flex|grid|inline\S*|table|contents|visible)$|^d-\w+-(?:block|flex|inline)$"
)
_STREAMED = re.compile(r"[SB]:[0-9a-f]+")
_SKELETON = word_set("skeleton loading loader placeholder shimmer spinner")
_LEAST_VISIBLE = 0.2
"""Where less than this share of the words is shown, a script would show the rest."""
_LONG = 40  # words


def disown(root: Element) -> None:
    """Names that the passes give to elements and attributes mean nothing where a page brings them itself."""
    for element in list(root.iter()):
        if tag_of(element).startswith("x-"):
            element.tag = "span"
        for name in [name for name in element.attrib if name.startswith("data-x-")]:
            del element.attrib[name]


def place_streamed(root: Element) -> None:
    """Parts that React streamed at the end of a page go where its script would put them."""
    places = {name: found for found in elements(root, "template") if (name := found.get("id"))}
    for part in root.xpath(".//div[@hidden and starts-with(@id, 'S:')]"):
        name = part.get("id", "")
        place = places.get("B" + name[1:])
        if _STREAMED.fullmatch(name) and place is not None and place not in part.iterancestors():
            for skeleton in list(place.itersiblings("div")):
                if _SKELETON & name_words(skeleton):
                    drop(skeleton)
            part.attrib.pop("hidden", None)
            part.attrib.pop("id", None)
            part.tail = None
            place.addnext(part)
    for shadow in root.xpath(".//template[@shadowrootmode or @shadowroot]"):
        shadow.tag = "div"


def reveal_noscript_images(root: Element) -> None:
    """An image that stands in ``noscript`` replaces the placeholder before it."""
    for element in elements(root, "noscript"):
        inner = element.find(".//img")
        if inner is None and element.text and "<img" in element.text:
            try:
                inner = lxml.html.fragment_fromstring(element.text, create_parent="div").find(".//img")
            except etree.LxmlError:
                inner = None
        if inner is None:
            continue
        before = element.getprevious()
        held = None if before is None else before if before.tag == "img" else before.find(".//img")
        inner.tail = None
        if held is not None and not (before is not None and text_of(before)):
            for name, value in inner.attrib.items():
                held.set(name, value)
        elif not within(element, "head"):
            element.addprevious(inner)


def drop_never_text(root: Element) -> None:
    """Scripts, styles and the like; buttons unless they stand in a sentence."""
    for element in elements(root, "video"):
        _video(element)
    etree.strip_elements(root, *_NEVER_TEXT, with_tail=False)
    etree.strip_tags(root, "track")  # libxml2 takes what follows for their content
    in_sentences = []
    for element in elements(root, "button", "input", "x-video"):
        item = element.getparent() if element.get("type") == "checkbox" else None
        if item is not None and (
            item.tag == "li" or (item.tag in ("p", "label") and item.getparent().tag == "li")
        ):
            item = item if item.tag == "li" else item.getparent()
            item.set("data-x-task", " " if element.get("checked") is None else "x")
        sentence = next(element.iterancestors("p", "li", "td", "dd"), None)
        if element.tag == "button" and sentence is not None and text_of(element) != text_of(sentence):
            in_sentences.append(element)
        else:
            drop(element)
    unwrap(root, in_sentences)
    sweep(root)


def _video(element: Element) -> None:
    for child in list(element):
        drop(child)
    element.text = None
    element.tag = "x-video"


def drop_hidden(root: Element) -> None:
    """Elements that the page itself hides, unless that would leave hardly anything."""
    hidden = [element for element in root.iter() if tag_of(element) and _hides(element)]
    outer = [element for element in hidden if not any(map(_hides, element.iterancestors()))]
    lengths = [len(text_of(element).split()) for element in outer]
    total = len(text_of(root).split())
    mostly_hidden = total - sum(lengths) < _LEAST_VISIBLE * total
    for element, length in zip(outer, lengths, strict=True):
        if not (mostly_hidden and length >= _LONG):
            drop(element)
    sweep(root)


def _hides(element: Element) -> bool:
    if styled_away(element):
        return True
    if element.get("aria-hidden") == "true" and element.tag not in ("img", "body"):
        return True
    classes = class_list(element)
    return not _HIDING.isdisjoint(classes) and not any(map(_SHOWN_LATER.search, classes))
