"""A page as HTML that fits a model's context: whole, or in pieces that are cut between elements.

>>> page = lxml.html.document_fromstring("<ul><li>one</li><li>two</li></ul>")
>>> cut(page, 9, lambda texts: [1 for text in texts])
['<html><body><ul><li>one</li></ul></body></html>', '<html><body><ul><li>two</li></ul></body></html>']
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

import lxml.html

Measure = Callable[[Sequence[str]], Sequence[int]]
"""The tokens of each of several texts."""
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)


class UncuttableError(Exception):
    """A page that makes no pieces for a model; the message says why."""


@dataclass
class _Node:
    """An element as text: its tags, and what lies between them."""

    name: str
    opening: str
    closing: str
    parts: list[str | _Node] = field(default_factory=list)
    tokens: int = 0


def cut(page: lxml.html.HtmlElement, budget: int, measure: Measure, *, limit: int | None = None) -> list[str]:
    """The page in pieces of at most ``budget`` tokens each, every one of them within the elements around it.

    Elements stay whole where they fit; one that does not is cut between those inside it, and a text
    that does not fit between its words. Pieces measure a little less than they count here, since tags
    and texts are counted apart.

    Raises:
        UncuttableError: the page has more than ``limit`` tokens, or elements lie so deep in one another
            that tags alone would take more than half of a piece.
    """
    root = _node(page)
    _count(root, measure)
    if limit is not None and root.tokens > limit:
        raise UncuttableError(f"its {root.tokens:,} tokens are more than {limit:,}")
    packer = _Packer(budget, measure)
    packer.put(root)
    return packer.finish()


def _node(element: lxml.html.HtmlElement) -> _Node:
    """Elements lie at most 256 deep here (libxml2's limit), which recursion bears."""
    name = element.tag if isinstance(element.tag, str) else "span"
    attributes = "".join(f' {key}="{escape(value)}"' for key, value in element.attrib.items())
    node = _Node(name, f"<{name}{attributes}>", "" if name in _VOID else f"</{name}>")
    if element.text:
        node.parts.append(escape(element.text, quote=False))
    for child in element:
        node.parts.append(_node(child))
        if child.tail:
            node.parts.append(escape(child.tail, quote=False))
    return node


def _write(node: _Node, out: list[str]) -> None:
    out.append(node.opening)
    for part in node.parts:
        if isinstance(part, str):
            out.append(part)
        else:
            _write(part, out)
    out.append(node.closing)


def _count(root: _Node, measure: Measure) -> None:
    """Measure all tags and texts at once, and add them up from the leaves."""
    texts: list[str] = []
    _write(root, texts)
    counts = iter(measure(texts))

    def add(node: _Node) -> int:
        node.tokens = next(counts)
        for part in node.parts:
            node.tokens += next(counts) if isinstance(part, str) else add(part)
        node.tokens += next(counts)
        return node.tokens

    add(root)


class _Packer:
    """Fills pieces in the order of the page; those who lie around a cut are closed and opened again."""

    def __init__(self, budget: int, measure: Measure) -> None:
        self._budget, self._measure = budget, measure
        self._pieces: list[str] = []
        self._parts: list[str] = []
        self._used = 0
        self._filled = False
        """Whether the piece holds more than opened tags."""
        self._path: list[_Node] = []
        self._path_tokens = 0

    def put(self, node: _Node) -> None:
        if node.tokens > self._budget - self._path_tokens:
            self._enter(node)
            for part in node.parts:
                if isinstance(part, str):
                    self._put_text(part)
                else:
                    self.put(part)
            self._leave()
            return
        texts: list[str] = []
        _write(node, texts)
        self._append("".join(texts), node.tokens)

    def finish(self) -> list[str]:
        self._flush()
        return self._pieces

    def _append(self, text: str, tokens: int) -> None:
        if self._used + tokens > self._budget and self._filled:
            self._flush()
        self._parts.append(text)
        self._used += tokens
        self._filled = True

    def _put_text(self, text: str) -> None:
        if not text.strip():
            self._parts.append(text)
            self._used += 1
            return
        (tokens,) = self._measure([text])
        room = self._budget - self._path_tokens
        if tokens <= room:
            self._append(text, tokens)
            return
        for part in _cut_text(text, max(1, len(text) * room // (2 * tokens))):
            (tokens,) = self._measure([part])
            self._append(part, tokens)

    def _enter(self, node: _Node) -> None:
        # Attributes of what is cut open are left out: they would be repeated in every piece.
        opening, closing = f"<{node.name}>", node.closing
        tokens = sum(self._measure([opening, closing]))
        if self._path_tokens + tokens > self._budget // 2:
            raise UncuttableError("its elements lie too deep in one another to be cut")
        self._path.append(_Node(node.name, opening, closing, tokens=tokens))
        self._path_tokens += tokens
        self._parts.append(opening)
        self._used += tokens

    def _leave(self) -> None:
        node = self._path.pop()
        self._parts.append(node.closing)
        self._path_tokens -= node.tokens

    def _flush(self) -> None:
        if self._filled:
            closing = (node.closing for node in reversed(self._path))
            self._pieces.append("".join((*self._parts, *closing)))
        self._parts = [node.opening for node in self._path]
        self._used = self._path_tokens
        self._filled = False


def _cut_text(text: str, size: int) -> list[str]:
    """Stretches of at most ``size`` characters, cut after white space where there is any."""
    found: list[str] = []
    start = 0
    while len(text) - start > size:
        space = max(text.rfind(sign, start, start + size) for sign in " \n\t")
        end = space + 1 if space >= start else start + size
        found.append(text[start:end])
        start = end
    return [*found, text[start:]]
