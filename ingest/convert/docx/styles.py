"""What a paragraph is by its style and numbering: a heading, an item of a list, code, a quotation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingest.convert.docx.names import W, integer, transitional, value

_DEEPEST = 20
"""Styles that a style may be based on, one on the other."""
_HEADING = re.compile(r"heading (\d)")
_LIST_STYLE = re.compile(r"list (bullet|number)(?: (\d))?")
_CODE = re.compile(
    r"(?:source|block)?\s?code(?: block)?|html preformatted|preformatted text|macro text|verbatim|listing"
)
_CODE_WORD = re.compile(
    r"(?:source|inline|verbatim)?\s?code(?: char)?|verbatim(?: char)?|html (?:code|sample|typewriter)"
)
_QUOTE = re.compile(r"(?:intense |block )?quot(?:e|ation)s?|block text")
_MONOSPACED = re.compile(
    r"courier|consolas|\bmono(?:space)?\b|menlo|monaco|lucida console|fixedsys|fira code", re.IGNORECASE
)
_PERCENT = re.compile(r"%([1-9])")
_INDENT = 360
"""Twips by which a level is indented where nothing says so."""


@dataclass(frozen=True)
class Level:
    """One level of a numbering."""

    form: str
    """``bullet``, ``decimal``, ``lowerLetter`` ..., ``none``."""
    text: str
    start: int
    indent: int | None


@dataclass(frozen=True)
class Item:
    """A paragraph's place in a list."""

    numbering: str
    level: int
    indent: int
    ordered: bool


class Styles:
    """Styles by their id and numberings by theirs, with what they inherit."""

    def __init__(self, styles: Any | None, numbering: Any | None) -> None:
        root = transitional(styles) if styles is not None else None
        found = root.iter(W + "style") if root is not None else ()
        self._styles = {style.get(W + "styleId", ""): style for style in found}
        self._default = next((key for key, style in self._styles.items() if _is_default(style)), "")
        self._levels, self._abstract = _numberings(transitional(numbering) if numbering is not None else None)
        self._counts: dict[str, dict[int, int]] = {}

    def _chain(self, identity: str | None) -> Iterator[Any]:
        """The style and those that it is based on."""
        for _ in range(_DEEPEST):
            style = self._styles.get(identity or "")
            if style is None:
                return
            yield style
            identity = value(style, "basedOn")

    def names(self, identity: str | None) -> list[str]:
        """Its name and those that it is based on, in lower case."""
        return [(value(style, "name") or "").lower() for style in self._chain(identity)]

    def heading(self, properties: Any, identity: str | None) -> int | None:
        """A heading's level from 1; 0 for the title of the document."""
        names = self.names(identity)
        if names[:1] == ["title"]:
            return 0
        stated = integer(value(properties, "outlineLvl"))
        for style, name in zip(self._chain(identity), names, strict=True):
            if match := _HEADING.fullmatch(name):
                return int(match[1]) or None
            stated = integer(value(style.find(W + "pPr"), "outlineLvl")) if stated is None else stated
        return stated + 1 if stated is not None and stated < 9 else None

    def is_contents(self, identity: str | None) -> bool:
        return any(
            re.fullmatch(r"toc \d|toc heading|table of figures", name) for name in self.names(identity)[:1]
        )

    def is_code(self, identity: str | None) -> bool:
        return any(_CODE.fullmatch(name) for name in self.names(identity)) or self._monospaced(identity)

    def is_code_word(self, properties: Any) -> bool:
        """Whether a run is set like code."""
        font = value(properties, "rFonts", "ascii")
        if font is not None:
            return bool(_MONOSPACED.search(font))
        identity = value(properties, "rStyle")
        return any(_CODE_WORD.fullmatch(name) for name in self.names(identity)) or self._monospaced(identity)

    def _monospaced(self, identity: str | None) -> bool:
        fonts = (value(style.find(W + "rPr"), "rFonts", "ascii") for style in self._chain(identity))
        return bool(_MONOSPACED.search(next((font for font in fonts if font), "")))

    def is_quote(self, identity: str | None) -> bool:
        return any(_QUOTE.fullmatch(name) for name in self.names(identity))

    def item(self, properties: Any, identity: str | None) -> Item | None:
        """The paragraph's place in a list; None where it is in none."""
        numbering, level, indent = self._numbered(properties, identity)
        name = next((m for name in self.names(identity) if (m := _LIST_STYLE.fullmatch(name))), None)
        if numbering == "0" or (numbering is None and name is None):
            return None
        known = self._levels.get(numbering or "", {}).get(level)
        if known is None and name is None:
            return None
        deep = max(level, int(name[2]) - 1 if name and name[2] else 0)
        if indent is None and known is not None:
            indent = known.indent
        ordered = known.form not in ("bullet", "none") if known else bool(name and name[1] == "number")
        return Item(numbering or f"style {name and name[0]}", level, indent or _INDENT * (deep + 1), ordered)

    def _numbered(self, properties: Any, identity: str | None) -> tuple[str | None, int, int | None]:
        """Numbering, level and indent; what says the numbering says the indent before what it is based on."""
        numbering, level, indent = None, None, None
        for source in (properties, *(style.find(W + "pPr") for style in self._chain(identity))):
            found = source.find(W + "numPr") if source is not None else None
            level = integer(value(found, "ilvl")) if level is None else level
            for side in ("left", "start"):
                indent = integer(value(source, "ind", side)) if indent is None else indent
            numbering = value(found, "numId")
            if numbering is not None:
                break
        return numbering, max(0, min(level or 0, 8)), indent

    def count(self, item: Item) -> int:
        """The number that the item has: counting goes on after other paragraphs, and anew below a parent."""
        counts = self._counts.setdefault(self._abstract.get(item.numbering, item.numbering), {})
        for deeper in [level for level in counts if level > item.level]:
            del counts[deeper]
        known = self._levels.get(item.numbering, {}).get(item.level)
        start = known.start if known else 1
        counts[item.level] = counts[item.level] + 1 if item.level in counts else start
        return counts[item.level]

    def label(self, properties: Any, identity: str | None) -> str:
        """The number of a numbered heading with all its levels: ``2.1``; empty where it has none."""
        item = self.item(properties, identity)
        levels = self._levels.get(item.numbering, {}) if item else {}
        if item is None or item.level not in levels or levels[item.level].form in ("bullet", "none"):
            return ""
        self.count(item)
        counts = self._counts[self._abstract.get(item.numbering, item.numbering)]

        def written(match: re.Match[str]) -> str:
            level = int(match[1]) - 1
            known = levels.get(level)
            return numeral(counts.get(level, known.start if known else 1), known.form if known else "decimal")

        return _PERCENT.sub(written, levels[item.level].text)[:40].strip(" .")


def numeral(number: int, form: str) -> str:
    """A number as a numbering writes it."""
    if form in ("lowerLetter", "upperLetter") and 0 < number <= 26:
        return chr((96 if form == "lowerLetter" else 64) + number)
    if form in ("lowerRoman", "upperRoman") and 0 < number < 400:
        signs = (
            (100, "c"),
            (90, "xc"),
            (50, "l"),
            (40, "xl"),
            (10, "x"),
            (9, "ix"),
            (5, "v"),
            (4, "iv"),
            (1, "i"),
        )
        text = ""
        for amount, sign in signs:
            text += sign * (number // amount)
            number %= amount
        return text if form == "lowerRoman" else text.upper()
    return str(number)


def _is_default(style: Any) -> bool:
    return style.get(W + "type") == "paragraph" and style.get(W + "default") in ("1", "true")


def _numberings(root: Any | None) -> tuple[dict[str, dict[int, Level]], dict[str, str]]:
    """Levels by numbering, and the abstract numbering whose counts each one shares."""
    if root is None:
        return {}, {}
    abstract = {
        found.get(W + "abstractNumId", ""): {
            integer(level.get(W + "ilvl")) or 0: _level(level) for level in found.iter(W + "lvl")
        }
        for found in root.iter(W + "abstractNum")
    }
    levels, shared = {}, {}
    for num in root.iter(W + "num"):
        identity, base = num.get(W + "numId", ""), value(num, "abstractNumId") or ""
        restarted = num.find(f"{W}lvlOverride/{W}startOverride") is not None
        levels[identity] = abstract.get(base, {})
        shared[identity] = f"num {identity}" if restarted else f"abstract {base}"
    return levels, shared


def _level(level: Any) -> Level:
    properties = level.find(W + "pPr")
    indent = integer(value(properties, "ind", "left") or value(properties, "ind", "start"))
    start = integer(value(level, "start"))
    form, text = value(level, "numFmt") or "decimal", value(level, "lvlText") or ""
    return Level(form, text, 1 if start is None else start, indent)
