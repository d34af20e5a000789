"""What stands around and between a page's text: navigation, sharing, sign-ups, related posts, bylines."""

from __future__ import annotations

import re

from ingest.convert.html.content import name_weight
from ingest.convert.html.phrases import SERVICE_LINE
from ingest.convert.html.tree import (
    HEADINGS,
    Element,
    alone,
    class_list,
    drop,
    elements,
    name_words,
    sweep,
    tag_of,
    text_of,
    within,
    word_set,
)
from ingest.convert.html.weigh import Weight, weigh

_ROLES = word_set(
    "navigation banner complementary contentinfo search menu menubar dialog alertdialog toolbar tablist "
    "tooltip status"
)
_CLUTTER = word_set(
    "breadcrumb breadcrumbs navbar navigation navigator topnav subnav sidenav pagination pager paginator "
    "sidebar "
    "sharing sharedaddy sharebar addthis addtoany newsletter subscribe subscription signup optin disqus "
    "cookie cookies gdpr consent onetrust popup modal lightbox overlay outbrain taboola zergnet advert "
    "advertisement "
    "advertising adsense adsbygoogle adslot sponsor sponsored promo promoted promotion skyscraper "
    "leaderboard "
    "recommended recommendations recirc upnext skiplink skip masthead permalink toc tableofcontents "
    "byline authorbox authorbio ratingbox livechat chatbot paywall donation donate"
)
_CLUTTER_NAMES = re.compile(
    r"(?:^|[\s_-])(?:share|social|author-list|post-?(?:share|meta|nav|tags|footer|author|info|categories|"
    r"comments)|"
    r"entry-(?:meta|footer|utility)|"
    r"article-(?:meta|footer|tags|info|share|header__meta)|author-(?:box|bio|info|card|profile|name|meta|"
    r"avatar|details)|about-author|"
    r"(?:comment|comments|respond)(?:s|-list|-section|-area|-form|list)?|"
    r"more-(?:stories|posts|articles|from|news)|read-(?:more|next)|also-(?:read|like)|you-may|keep-reading|"
    r"tag-?(?:s|list|cloud)|site-(?:header|footer|nav)|page-(?:footer|nav)|back-to-top|to-top|"
    r"print-?(?:link|button)|"
    r"edit-?(?:page|section|link|this)|editsection|mw-editsection|navbox|catlinks|printfooter|mw-jump|"
    r"jump-link|noprint|"
    r"follow-?(?:us|me|btn)|like-?(?:button|box)|reading-time|read-?time|view-?count|call-to-action|cta|"
    r"prev-?next|next-?prev|nav-links|ad|ads|ad-\w{1,20}|google-ad|dfp)(?=$|[\s_-])",
    re.IGNORECASE,
)
_RELATED = re.compile(
    r"(?:^|\s|__)related(?:[-_]?(?:posts?|articles?|stories|content|links|news|topics|items|reading|"
    r"products|pages|"
    r"entries|media|coverage|videos|wrap\w*|box|list|block|section|container|area|widget|grid))?(?=$|[\s_-])"
    r"|(?:posts?|articles?|stories|news)[-_]related",
    re.IGNORECASE,
)
_PLACES = (
    "div",
    "section",
    "aside",
    "ul",
    "ol",
    "p",
    "span",
    "nav",
    "header",
    "footer",
    "form",
    "table",
    "dl",
    "figure",
    "a",
    "small",
    "details",
    "center",
)
_MOST = 0.4
"""A part with more than this share of the page's own text is no clutter, whatever its name."""


def drop_frame(body: Element) -> None:
    """Before the content is chosen: what is marked as standing outside of it."""
    weights = weigh(body)
    whole = max(1.0, _prose(weights[body]))
    for element in elements(body, "nav", "footer", "aside", "dialog", "form", "menu", "search", "header"):
        if _prose(weights[element]) > _MOST * whole:
            continue
        if element.tag in ("header", "footer", "aside", "form") and _belongs(element, weights[element]):
            continue
        drop(element)
    for element in body.xpath(".//*[@role]"):
        if (
            element.get("role", "").lower() in _ROLES
            and _prose(weights.get(element, Weight())) <= _MOST * whole
        ):
            drop(element)
    sweep(body)


def _belongs(element: Element, weight: Weight) -> bool:
    """A header with the title, an aside within the text, a form around the whole."""
    if element.tag == "header":
        return within(element, "article", "main", "section") or element.find(".//h1") is not None
    if element.tag == "footer":
        return within(element, "blockquote", "figure") or (
            within(element, "article") and weight.paragraphs > 2
        )
    if element.tag == "aside":
        return (
            within(element, "article", "main")
            and weight.link_density < 0.2
            and not _is_named_clutter(element)
        )
    return weight.letters > 1000 and weight.link_density < 0.3


def drop_named(body: Element) -> None:
    """What its class or id calls clutter, unless it holds much of the page's text."""
    weights = weigh(body)
    whole = max(1.0, _prose(weights[body]))
    for element in elements(body, *_PLACES):
        if element is body or element not in weights or within(element, "pre", "code", "table", "x-callout"):
            continue
        weight = weights[element]
        if (
            _is_named_clutter(element)
            and _prose(weight) <= _MOST * whole
            and not element.xpath(".//h1[1] | .//x-ref[1]")
        ):
            phrase = tag_of(element) in ("span", "a", "small")
            if (phrase or tag_of(element) == "p") and weight.letters > 60:
                continue
            if phrase and within(element, "p", "li", "dd", *HEADINGS) and not alone(element):
                continue  # a word of a sentence
            drop(element)
    sweep(body)


def _is_named_clutter(element: Element) -> bool:
    names = " ".join(class_list(element))[:300]
    if name_words(element, ids=False) & _CLUTTER:
        return True
    if names and (_CLUTTER_NAMES.search(names) or _RELATED.search(names)):
        return True
    own_id = element.get("id", "")
    return (
        bool(own_id)
        and len(own_id) < 30
        and tag_of(element) in ("div", "section", "aside", "ul", "nav", "form")
        and bool(
            set(re.findall("[a-z]+", own_id.lower())) & _CLUTTER
            or _CLUTTER_NAMES.search(own_id.lower())
            or _RELATED.search(own_id.lower())
        )
    )


def drop_clutter(root: Element) -> None:
    """Within the content: lists of links, and short lines that only serve the page."""
    weights = weigh(root)
    for element in elements(
        root, "table", "ul", "ol", "div", "section", "fieldset", "form", "aside", "header", "footer"
    ):
        weight = weights.get(element)
        if weight is not None and element is not root and _is_clutter(element, weight):
            drop(element)
    sweep(root)
    for element in elements(root, "p", "div", "span", "a", "li", "strong", "time", "small", "em", "i"):
        if element is root or within(element, "pre", "table", "x-callout", "blockquote"):
            continue
        text = text_of(element) if len(element) < 12 else ""
        if 0 < len(text) < 90 and _stands_alone(element) and SERVICE_LINE.fullmatch(text):
            drop(element)
    sweep(root)


def _stands_alone(element: Element) -> bool:
    """Whether an element is a line of its own."""
    if tag_of(element) in ("p", "div", *HEADINGS):
        return True
    parent = element.getparent()
    return parent is not None and alone(element) and tag_of(parent) in ("p", "div", "section", "article")


def _is_clutter(element: Element, weight: Weight) -> bool:
    if within(element, "pre", "figure", "table", "x-callout", "li") or not weight.letters:
        return False
    if (
        element.find(".//pre") is not None
        or element.find(".//x-math") is not None
        or element.find(".//h1") is not None
    ):
        return False
    if (
        tag_of(element) in ("ul", "ol", "div", "section")
        and weight.links >= 3
        and _is_contents(element, weight)
    ):
        return True
    listed = tag_of(element) in ("ul", "ol") or (weight.items and weight.items * 30 > weight.letters * 0.9)
    if weight.commas >= 10:
        return False
    named = name_weight(element)
    if named < 0 and weight.link_density > 0.3:
        return True
    if tag_of(element) == "table":
        return False
    density = weight.link_density
    if listed:
        return weight.links > 2 and density > 0.85 and tag_of(element) != "ol" and _is_plain_list(element)
    if weight.images and weight.letters < 200:
        return False
    return density > 0.7 and weight.links > 3 if named < 25 else density > 0.9 and weight.links > 3


def _is_contents(element: Element, weight: Weight) -> bool:
    """A table of contents: hardly anything but links within the page."""
    inner = sum(link.get("href", "").startswith("#") for link in element.iter("a"))
    return (
        inner == weight.links and sum(len(text_of(link)) for link in element.iter("a")) > 0.8 * weight.letters
    )


def _is_plain_list(items: Element) -> bool:
    """A list of bare links that no sentence leads up to."""
    before = items.getprevious()
    if before is not None and (
        tag_of(before) in HEADINGS or text_of(before).endswith(":") or tag_of(before) == "p"
    ):
        return False
    return all(len(text_of(item)) < 60 for item in list(items)[:50])


def _prose(weight: Weight) -> float:
    return weight.letters - weight.linked
