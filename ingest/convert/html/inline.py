"""Runs of text within a block: emphasis, links, code, formulas and line breaks as markdown."""

from __future__ import annotations

import re

from ingest.convert.html.links import resolve
from ingest.convert.html.tree import Element, tag_of

BREAK = "  \n"
_STRONG, _EMPHASIS = frozenset(("strong", "b")), frozenset(("em", "i", "dfn", "var"))
_MARKS = {"del": "~~", "s": "~~", "strike": "~~", "mark": "=="}
_SPACE = re.compile(r"[ \t\n\r\f\xa0\u2002\u2003\u2009\u202f]+")
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff\ufffc]")
_SPECIAL = re.compile(
    r"\\(?=[!-/:-@\[-`{-~])|(?<!\s)\*|\*(?!\s)|(?<!\w)_(?=\w)|(?<=\w)_(?!\w)|`|"
    r"<(?=[a-zA-Z/!?][^>@]{0,200}>)|\[(?=\^|"
    r"[^\]\[]{0,200}\]\()|~~|==(?=\S)"
)
_AT_START = re.compile(r"(?:#{1,6}(?=\s|$)|[-+](?=\s|$)|>|(\d{1,9})(?=[.)](?:\s|$))|={2,}\s*$|-{2,}\s*$|~~~)")


class Inline:
    """Builds one run; white space collapses as a browser would do it."""

    def __init__(self, base: str | None) -> None:
        self.base = base
        self.pieces: list[str] = []
        self._spaced = True

    def text(self, text: str | None) -> None:
        if not text:
            return
        text = _SPACE.sub(" ", _INVISIBLE.sub("", text))
        if self._spaced:
            text = text.lstrip(" ")
        if text:
            self.pieces.append(_SPECIAL.sub(r"\\\g<0>", text))
            self._spaced = text.endswith(" ")

    def raw(self, piece: str) -> None:
        if piece:
            self.pieces.append(piece)
            self._spaced = False

    def line_break(self) -> None:
        if self.pieces and self.pieces[-1] != BREAK:
            self.pieces[-1] = self.pieces[-1].rstrip(" ")
        self.pieces.append(BREAK)
        self._spaced = True

    def element(self, element: Element) -> None:
        """One element that holds no blocks; what stands behind it is the caller's."""
        tag = tag_of(element)
        if tag == "br":
            self.line_break()
        elif tag == "x-math":
            self._math(element)
        elif tag == "x-ref":
            self.raw(f"[^{element.get('n')}]")
        elif tag in ("code", "tt") and element.find(".//img") is None:
            self._code(element)
        elif tag == "img":
            self.raw(image(element, self.base))
        elif tag == "a":
            self._link(element)
        elif tag in _STRONG or tag in _EMPHASIS or tag in _MARKS:
            self._wrapped(element, "**" if tag in _STRONG else "*" if tag in _EMPHASIS else _MARKS[tag])
        elif tag in ("sub", "sup"):
            self._raised(element, tag)
        elif tag == "q":
            self.text('"')
            self.children(element)
            self.text('"')
        elif tag and tag != "x-gone" and tag != "rp":
            self.children(element)

    def children(self, element: Element) -> None:
        self.text(element.text)
        for child in element:
            self.element(child)
            self.text(child.tail)

    def _inner(self, element: Element) -> tuple[str, str, str]:
        """The space before, the run itself and the space behind of an element's content."""
        inner = Inline(self.base)
        inner._spaced = False
        inner.children(element)
        run = "".join(inner.pieces)
        core = run.strip(" \n")
        if not core:
            return (BREAK if BREAK in run else " " if run else "", "", "")
        before, _, behind = run.partition(core)
        return (
            BREAK if "\n" in before else " " if before else "",
            core,
            BREAK if "\n" in behind else " " if behind else "",
        )

    def _space(self, space: str) -> None:
        if "\n" in space:
            self.line_break()
        else:
            self.text(space)

    def _wrapped(self, element: Element, mark: str) -> None:
        before, core, behind = self._inner(element)
        self._space(before)
        if core:
            plain = core.startswith("![") and core.endswith(")") and core.count("](") == 1
            whole = (
                core.startswith(mark)
                and core.endswith(mark)
                and len(core) > 2 * len(mark)
                and mark in core
                and core.count(mark) == 2
            )
            if plain or (whole and mark != "*") or BREAK + BREAK in core:
                self.raw(core)
            else:
                if (
                    self.pieces
                    and self.pieces[-1].endswith(mark)
                    and not self.pieces[-1].endswith("\\" + mark)
                    and mark != "=="
                ):
                    self._merge(core, mark)
                else:
                    self.raw(f"{mark}{core}{mark}")
        self._space(behind)

    def _merge(self, core: str, mark: str) -> None:
        """Two marked runs side by side would not be read as such: they are one."""
        last = self.pieces[-1]
        if last.count(mark) == 2 and last.startswith(mark):
            self.pieces[-1] = last[: -len(mark)] + core + mark
        else:
            self.raw(f" {mark}{core}{mark}")

    def _raised(self, element: Element, tag: str) -> None:
        before, core, behind = self._inner(element)
        self._space(before)
        if core.startswith(("[^", "$")) or (core.startswith("[") and "](#" in core):
            self.raw(core)
        elif core:
            self.raw(f"<{tag}>{core}</{tag}>")
        self._space(behind)

    def _link(self, element: Element) -> None:
        before, core, behind = self._inner(element)
        self._space(before)
        target = resolve(element.get("href", ""), self.base)
        if core and target and "](" in core and not core.startswith("!["):
            self.raw(core)  # a link in a link is none
        elif core and target:
            self.raw(f"[{core.replace(BREAK, ' ')}]({target})")
        elif core:
            self.raw(core)
        self._space(behind)

    def _code(self, element: Element) -> None:
        text = "".join(element.itertext())
        text = (
            _SPACE.sub(" ", _INVISIBLE.sub("", text))
            if "\n" in text.strip() or text.strip() != text
            else text.replace("\xa0", " ")
        )
        core = text.strip()
        if not core:
            self.text(text)
            return
        if text[0] == " ":
            self.text(" ")
        runs = [len(run) for run in re.findall("`+", core)]
        ticks = "`" * next(size for size in range(1, len(runs) + 2) if size not in runs)
        pad = " " if core.startswith("`") or core.endswith("`") else ""
        self.raw(f"{ticks}{pad}{core}{pad}{ticks}")
        if text[-1] == " ":
            self.text(" ")

    def _math(self, element: Element) -> None:
        tex = element.get("tex", "")
        self.raw(
            f"$${tex}$$" if element.get("display") else f"${_SPACE.sub(' ', tex) if len(tex) < 80 else tex}$"
        )

    def result(self) -> str:
        """The run as one block: its ends trimmed, nothing at its start read as a block's mark."""
        return at_start("".join(self.pieces).strip(" \n"))


def at_start(text: str) -> str:
    match = _AT_START.match(text)
    if match is None:
        return text
    return f"{match[1]}\\{text[len(match[1]) :]}" if match[1] else "\\" + text


def image(element: Element, base: str | None) -> str:
    target = resolve(element.get("src", ""), base)
    if not target:
        return ""
    alt = " ".join(element.get("alt", "").split()).replace("[", "\\[").replace("]", "\\]")
    return f"![{alt}]({target})"
