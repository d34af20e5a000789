"""Which part of a page is its content.

Paragraphs give points to what holds them, less the further up, and links take points away (Readability,
arc90 labs, 2009; the weights as in Mozilla's version). A marked ``article`` or ``main`` around the winner is
taken where it holds little else.
"""

from __future__ import annotations

import re

from ingest.convert.html.tree import BLOCKS, HEADINGS, Element, name_words, tag_of, within, word_set
from ingest.convert.html.weigh import Weight, weigh

_GOOD = word_set("article body content entry hentry main page post text blog story prose markdown")
_BAD = word_set(
    "hidden hid banner combx comment comments com contact footer foot footnote gdpr masthead media meta "
    "outbrain promo "
    "related scroll share shoutbox sidebar skyscraper sponsor shopping tags widget nav menu teaser"
)
_SCORED = ("p", "td", "pre", "section", "h2", "h3", "h4", "h5", "h6", "blockquote", "dd")
_START = {
    "div": 5, "article": 5, "main": 5, "section": 0, "pre": 3, "td": 3, "blockquote": 3, "address": -3,
    "ol": -3, "ul": -3, "dl": -3, "dd": -3, "dt": -3, "li": -3, "form": -3, "th": -5,
    "h1": -5, "h2": -5, "h3": -5, "h4": -5, "h5": -5, "h6": -5,
}  # fmt: skip
_SHORTEST = 25
_LEVELS = 5
_MARKED = """.//article | .//main | .//*[@role='main' or @role='article']
    | .//*[@itemprop='articleBody' or @itemprop='text']"""
_TEXT_NAME = re.compile(
    r"(?:^|[\s_-])(?:article|post|entry|story|blog|news|page)[_-]{0,2}(?:content|body|text)(?=$|\s)",
    re.IGNORECASE,
)
_LEAST_NAMED = 200
_PICTURES = word_set("image images figure photo picture gallery media hero")


def main_content(body: Element) -> list[Element]:
    """The elements, in document order, that hold the content of a page; at least one."""
    weights = weigh(body)
    points = _points(body, weights)
    if not points:
        return [body]
    final = {element: value * (1 - weights[element].link_density) for element, value in points.items()}
    top = max(final, key=lambda element: final[element])
    top = _common(top, final)
    top = _climb(top, final)
    marked = _marked(body, top, weights)
    parts = _siblings(top, final, weights) if marked is None else [marked]
    return _named(parts, weights) or parts


def _points(body: Element, weights: dict[Element, Weight]) -> dict[Element, float]:
    points: dict[Element, float] = {}
    for element in body.iter():
        tag = tag_of(element)
        if not (tag in _SCORED or (tag == "div" and _is_paragraph(element))):
            continue
        weight = weights[element]
        if weight.letters < _SHORTEST or within(element, "x-callout"):
            continue
        value = 1 + weight.commas + min(weight.letters // 100, 3)
        for level, ancestor in enumerate(element.iterancestors()):
            if level == _LEVELS:
                break
            if ancestor not in points:
                points[ancestor] = _start(ancestor)
            points[ancestor] += value / (1 if level == 0 else 2 if level == 1 else level * 3)
            if ancestor is body:
                break
    return points


def _is_paragraph(element: Element) -> bool:
    return not any(tag_of(child) in BLOCKS for child in element) and not (
        len(element) and element.find(".//div") is not None
    )


def _start(element: Element) -> float:
    return _START.get(tag_of(element), 0) + name_weight(element)


def name_weight(element: Element) -> int:
    """What class and id say: 25 for or against."""
    value = 0
    for attribute in ("class", "id"):
        words = set(re.findall("[a-z]+", element.get(attribute, "").lower()))
        words |= name_words(element, ids=attribute == "id") if attribute == "class" else set()
        value -= 25 * bool(words & _BAD)
        value += 25 * bool(words & _GOOD)
    return value


def _common(top: Element, final: dict[Element, float]) -> Element:
    """What holds the winner and at least three that come near it."""
    near = [
        element
        for element in sorted(final, key=lambda e: -final[e])[:6]
        if element is not top and final[element] >= 0.75 * final[top]
    ]
    if len(near) < 3:
        return top
    above = [set(element.iterancestors()) for element in near]
    for ancestor in top.iterancestors():
        if tag_of(ancestor) in ("body", "html"):
            break
        if sum(ancestor in held for held in above) >= 3:
            return ancestor
    return top


def _climb(top: Element, final: dict[Element, float]) -> Element:
    """Further up while that gains points, or while nothing else is there."""
    last = final.get(top, 0.0)
    least = last / 3
    parent = top.getparent()
    while parent is not None and tag_of(parent) != "body" and parent in final:
        value = final[parent]
        if value < least:
            break
        if value > last:
            top = parent
            break
        last = value
        parent = parent.getparent()
    parent = top.getparent()
    while parent is not None and tag_of(parent) not in ("body", "html") and _only_child(top):
        top, parent = parent, parent.getparent()
    return top


def _only_child(element: Element) -> bool:
    return element.getprevious() is None and element.getnext() is None


def _marked(body: Element, top: Element, weights: dict[Element, Weight]) -> Element | None:
    """The widest marked element around the winner, or the one inside it, with mostly the same text."""
    found = None
    core = _prose(weights[top])
    around = set(top.iterancestors()) | {top}
    for element in body.xpath(_MARKED):
        if element in around:
            if core >= 0.5 * _prose(weights[element]):
                found = found if found is not None else element
        elif top in set(element.iterancestors()) and _prose(weights[element]) >= 0.8 * core:
            found = found if found is not None else element
    if found is not None:
        return _one_article(found, weights)
    longest = max(body.iter("article"), key=lambda article: _prose(weights[article]), default=None)
    return longest if longest is not None and _prose(weights[longest]) > 1.5 * core else None


def _named(parts: list[Element], weights: dict[Element, Weight]) -> list[Element]:
    """The one element that is named as the text itself, with the title before it; else nothing."""
    named = [
        element
        for part in parts
        for element in part.iter("div", "section", "article")
        if _TEXT_NAME.search(element.get("class", "")) and not within(element, "x-callout")
    ]
    held = set(named)
    outer = [element for element in named if held.isdisjoint(element.iterancestors())]
    if len(outer) != 1 or outer[0] in parts:
        return []
    text = outer[0]
    if weights[text].letters < _LEAST_NAMED or _prose(weights[text]) < 0.15 * sum(
        _prose(weights[part]) for part in parts
    ):
        return []
    title = next(
        (title for part in parts for title in part.iter("h1") if text not in title.iterancestors()), None
    )
    inside = next(text.iter("h1"), None) is not None
    return [text] if title is None or inside else [title, text]


def _one_article(marked: Element, weights: dict[Element, Weight]) -> Element:
    """Of several articles beside each other, the one that has most of the text."""
    inside = [article for article in marked.iter("article") if article is not marked]
    if len(inside) > 1:
        longest = max(inside, key=lambda article: _prose(weights[article]))
        if _prose(weights[longest]) > 0.5 * _prose(weights[marked]):
            return longest
    return marked


def _prose(weight: Weight) -> float:
    return weight.letters - weight.linked


def _siblings(top: Element, final: dict[Element, float], weights: dict[Element, Weight]) -> list[Element]:
    """The winner with those beside it that read like parts of the same text, and what is between them."""
    parent = top.getparent()
    if parent is None or tag_of(top) == "body":
        return [top]
    threshold = max(10.0, final.get(top, 0.0) * 0.2)
    children = [child for child in parent if tag_of(child)]
    taken = [
        place
        for place, child in enumerate(children)
        if child is top or _reads_on(child, top, threshold, final, weights[child])
    ]
    first, last = taken[0], taken[-1]
    while first and tag_of(children[first - 1]) in HEADINGS:
        first -= 1
    return [
        child
        for place, child in enumerate(children[first : last + 1], first)
        if place in set(taken) or weights[child].link_density < 0.3
    ]


def _reads_on(
    sibling: Element, top: Element, threshold: float, final: dict[Element, float], weight: Weight
) -> bool:
    if tag_of(top) in ("article", "main"):
        return False
    if weight.images and weight.letters < 200 and tag_of(sibling) in ("figure", "img", "div"):
        beside = sibling.getnext() is top or sibling.getprevious() is top
        if beside and (tag_of(sibling) != "div" or _PICTURES & name_words(sibling)):
            return True
    same = bool(sibling.get("class")) and sibling.get("class") == top.get("class")
    if sibling in final and final[sibling] + (threshold if same else 0.0) >= threshold:
        return True
    if tag_of(sibling) != "p" or not weight.letters:
        return False
    if weight.letters > 80:
        return weight.link_density < 0.25
    return not weight.linked and "." in (sibling.text or "")
