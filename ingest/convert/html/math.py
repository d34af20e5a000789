"""Formulas: whatever a page renders them with becomes one ``x-math`` with their TeX."""

from __future__ import annotations

import re
from itertools import islice
from urllib.parse import parse_qs, unquote, urlsplit

from lxml import etree

from ingest.convert.html.mathml import to_tex
from ingest.convert.html.tree import (
    Element,
    alone,
    drop,
    elements,
    make,
    name_words,
    swap,
    sweep,
    tag_of,
    text_of,
    word_set,
    words,
)

_TEX_ATTRIBUTES = (
    "data-tex",
    "data-latex",
    "data-math",
    "data-entry",
    "data-expr",
    "data-equation",
    "alttext",
)
_RENDERED = words("MathJax_Preview MathJax MathJax_Display MathJax_SVG MathJax_SVG_Display MathJax_CHTML")
_RENDERERS = (
    "katex",
    "temml",
    "math-inline",
    "math-block",
    "math-display",
    "hurmet-tex",
    "mwe-math-element",
    "ltx_Math",
)
_DELIMITED = re.compile(
    r"\$\$(?P<double>[^$]{1,4000}?)\$\$|\\\[(?P<square>.{1,4000}?)\\\]|\\\((?P<round>.{1,2000}?)\\\)"
    r"|(?<![\\$\w])\$(?P<single>[^\s$](?:[^$\n]{0,400}?[^\s\\$])?)\$(?![\w$])",
    re.DOTALL,
)
_LIBRARY = re.compile(r"mathjax|katex|tex-mml|temml|asciimath", re.IGNORECASE)
_LOOKS_LIKE_TEX = re.compile(r"\\[a-zA-Z]{2,}|[_^]\{")
_TEX_CLASSES = word_set("tex latex math mathtex equation ee_img tex-image")
_NO_MATH = ("pre", "code", "script", "style", "textarea", "x-math", "math", "kbd", "samp", "svg", "title")


def settle_math(root: Element) -> None:
    """Replace formulas by ``x-math`` elements: attribute ``tex``, and ``display`` where they stand alone."""
    page = root.getroottree().getroot()
    typeset = any(
        _LIBRARY.search(script.get("src", "") + (script.text or "")[:2000]) for script in page.iter("script")
    )
    _scripts(root)
    for name in _RENDERERS:
        for element in root.xpath(f".//*[contains(concat(' ', @class, ' '), ' {name} ')]"):
            if _held(element, root):
                _rendered(element)
    for element in elements(root, "mjx-container", "math"):
        if _held(element, root):
            _rendered(element)
    for image in elements(root, "img"):
        _image(image)
    sweep(root)
    _raw(root, typeset)


def _held(element: Element, root: Element) -> bool:
    """Whether an element is still below the root and in no formula."""
    if element is root:
        return False
    for ancestor in element.iterancestors():
        if ancestor.tag == "x-math":
            return False
        if ancestor is root:
            return True
    return False


def _put(element: Element, tex: str, display: bool) -> None:
    tex = tex.replace("\xa0", " ").strip()
    if tex.startswith("$$") and tex.endswith("$$") and len(tex) > 4:
        tex, display = tex[2:-2].strip(), True
    for opening, closing in (("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")):
        if tex.startswith(opening) and tex.endswith(closing) and len(tex) > len(opening + closing):
            tex = tex[len(opening) : -len(closing)].strip()
    if not tex:
        drop(element)
        return
    new = make("x-math", None, tex=tex)
    if display:
        new.set("display", "1")
    swap(element, new)


def _scripts(root: Element) -> None:
    """MathJax 2 keeps the source in scripts, beside what it rendered from them."""
    for script in root.xpath(".//script[starts-with(@type, 'math/')]"):
        before = script.getprevious()
        while before is not None and not (before.tail or "").strip():
            classes = str(before.get("class", "")).split()
            if not set(classes) & set(_RENDERED):
                break
            rendered, before = before, before.getprevious()
            drop(rendered)
        kind = script.get("type", "")
        source = (script.text or "").strip().removeprefix("% <![CDATA[").removesuffix("%]]>").strip()
        if "tex" in kind:
            _put(script, source, "display" in kind)
        elif "mml" in kind and source:
            tree = etree.fromstring(source.encode(), etree.HTMLParser(encoding="utf-8"))
            _put(script, to_tex(tree), 'display="block"' in source)
    for name in _RENDERED:
        for left in root.xpath(f".//*[contains(concat(' ', @class, ' '), ' {name} ')]"):
            if (
                left.find(".//math") is None
                and left.get("data-mathml") is None
                and left.tag != "mjx-container"
            ):
                drop(left)
            elif (source := left.get("data-mathml")) is not None:
                tree = etree.fromstring(source.encode(), etree.HTMLParser(encoding="utf-8"))
                _put(left, to_tex(tree), 'display="block"' in source)


def _rendered(element: Element) -> None:
    tex = _source(element)
    if tex is None:
        return
    _put(element, tex, _displayed(element))


def _source(element: Element) -> str | None:
    """The TeX of a rendered formula, from what the renderer left of it; None where there is no formula."""
    for holder in [element, *element.iter("math", "script", "x-math", "span", "mjx-container")][:40]:
        for name in ("tex", *_TEX_ATTRIBUTES) if holder.tag == "x-math" else _TEX_ATTRIBUTES:
            if value := holder.get(name, "").strip():
                return str(value)
    for note in element.iter("annotation"):
        if "tex" in note.get("encoding", "").lower() and (note.text or "").strip():
            return str(note.text)
    math = element if element.tag == "math" else next(element.iter("math"), None)
    if math is not None:
        return to_tex(math)
    if element.tag == "mjx-container":
        return to_tex(element)
    image = element.find(".//img")
    if image is not None and image.get("alt", "").strip():
        return str(image.get("alt"))
    return (
        None
        if element.tag != "span" or not text_of(element) or "katex" not in class_words(element)
        else text_of(element)
    )


def class_words(element: Element) -> set[str]:
    return set(str(element.get("class", "")).split())


def _displayed(element: Element) -> bool:
    holders = [element, *islice(element.iter("math", "mjx-container"), 1)]
    parent = element.getparent()
    if parent is not None and tag_of(parent) in ("span", "div", "p") and alone(element):
        holders.append(parent)
    for holder in holders:
        words = {*class_words(holder)}
        if holder.get("display") in ("block", "true") or words & {
            "katex-display",
            "math-block",
            "math-display",
            "ltx_equation",
        }:
            return True
        if holder.tag == "p" and "hurmet-tex" in words:
            return True
    return False


def _image(image: Element) -> None:
    """Formulas as pictures: their TeX stands in the alternative text or in the address."""
    alt, address = image.get("alt", "").strip(), image.get("src", "")
    parent = image.getparent()
    apart = (
        parent is not None
        and parent.tag in ("p", "div", "center", "figure")
        and image.getprevious() is None
        and image.getnext() is None
        and alone(image)
    )
    if alt and _LOOKS_LIKE_TEX.search(alt) and "](" not in alt:
        _put(image, alt, apart)
        return
    if (
        alt
        and len(alt) < 300
        and name_words(image, ids=False) & _TEX_CLASSES
        and alt.lower() not in _TEX_CLASSES
    ):
        _put(image, alt, apart)
        return
    if address.startswith(("http://", "https://", "//", "/")) and (tex := _in_address(address)):
        _put(image, tex, apart)


def _in_address(address: str) -> str | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if "chart" in parts.path and "cht=tx" in parts.query:
        return next(iter(parse_qs(parts.query).get("chl", [])), None)
    if "latex" in parts.netloc + parts.path and parts.query:
        return unquote(parts.query.removeprefix("latex=").removeprefix("tex="))
    last = unquote(parts.path.rpartition("/")[2])
    return last if _LOOKS_LIKE_TEX.match(last) else None


def _raw(root: Element, typeset: bool) -> None:
    """Delimited TeX in the text, which a script would typeset in the reader's browser."""
    for element in list(root.iter()):
        if not tag_of(element) or tag_of(element) in _NO_MATH:
            continue
        if element.text and ("$" in element.text or "\\" in element.text) and not _in_code(element):
            made = _split(element.text, typeset)
            if made:
                element.text = made[0]
                for position, new in enumerate(made[1]):
                    element.insert(position, new)
    for element in list(root.iter()):
        tail = element.tail
        if (
            tail
            and ("$" in tail or "\\" in tail)
            and element is not root
            and not _in_code(element.getparent())
        ):
            made = _split(tail, typeset)
            if made:
                element.tail = made[0]
                for new in reversed(made[1]):
                    element.addnext(new)


def _in_code(element: Element | None) -> bool:
    while element is not None:
        if element.tag in _NO_MATH:
            return True
        element = element.getparent()
    return False


def _split(text: str, typeset: bool) -> tuple[str, list[Element]] | None:
    """The text before the first formula, and the formulas with the text behind each as their tail."""
    first, end = "", 0
    made: list[Element] = []
    for match in _DELIMITED.finditer(text):
        tex = next(group for group in match.groups() if group is not None)
        single = match["single"] is not None
        if not typeset and (single or (match["double"] is not None and not _LOOKS_LIKE_TEX.search(tex))):
            continue
        before = text[end : match.start()]
        if made:
            made[-1].tail = before
        else:
            first = before
        new = make("x-math", None, tex=tex.strip())
        if (match["double"] is not None or match["square"] is not None) and not (
            before + text[match.end() :]
        ).strip():
            new.set("display", "1")
        made.append(new)
        end = match.end()
    if not made:
        return None
    made[-1].tail = text[end:]
    return first, made
