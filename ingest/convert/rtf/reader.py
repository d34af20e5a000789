"""What RTF's words mean: text with its form, paragraphs with their kind, tables, fields and notes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ingest.convert.build import Form
from ingest.convert.rtf.blocks import Blocks
from ingest.convert.rtf.tokens import Token, code_page, tokens

MAX_DEPTH = 5_000
MAX_COLLECTED = 1_000
"""Pieces of text that say something of the text and do not belong to it."""
MAX_TOKENS = 20_000_000
_HYPERLINK = re.compile(r'\s*HYPERLINK\s+"([^"]{1,2000})"', re.IGNORECASE)
_MONOSPACED = re.compile(r"courier|consolas|\bmono(?:space)?\b|menlo|monaco|fixedsys", re.IGNORECASE)
_UNSEEN = re.compile(
    r"colortbl|header[lrf]?|footer[lrf]?|pict|shppict|nonshppict|object|themedata|datastore|colorschememapping"
    r"|latentstyles|listtable|listoverridetable|rsidtbl|generator|xmlnstbl|mmathPr|filetbl|revtbl|annotation"
    r"|atnid|atnauthor|fldtype|private|bkmkstart|bkmkend|pnseclvl|userprops|docvar|wgrffmtfilter|falt|panose"
    r"|a?ftnsepc?|upr|tc|xe|do|background"
)
"""Groups that hold nothing to read."""
_INFO = {"title": "title", "author": "author", "keywords": "tags", "creatim": "date", "revtim": "updated"}
_SYMBOLS = {
    "tab": "\t",
    "emdash": "—",
    "endash": "–",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "bullet": "•",
    "emspace": " ",
    "enspace": " ",
    "~": "\xa0",
    "_": "-",
    "\t": "\t",
    "\\": "\\",
    "{": "{",
    "}": "}",
}
_FORMS = {"b": "strong", "i": "em", "strike": "del", "super": "sup", "sub": "sub"}


@dataclass(frozen=True)
class State:
    """What a group inherits and may change."""

    place: str = "text"
    """Where text goes: ``text``, ``skip``, ``fonts``, ``styles``, ``info``, ``instruction``, ``marker``, or a
    field of the metadata."""
    form: Form = ()
    font: int = 0
    hidden: bool = False
    skip: int = 1
    """Characters behind a Unicode one that stand for it in old programs."""


class Reader:
    """Reads a whole file into one tree."""

    def __init__(self, data: bytes) -> None:
        self.fields: dict[str, Any] = {}
        self.skipped: dict[str, int] = {}
        self.cut_short = False
        self._tokens = tokens(data)
        self._blocks = Blocks()
        self._state, self._stack = State(), list[State]()
        self._charset: dict[int, str] = {}
        self._monospaced: set[int] = set()
        self._page = "cp1252"
        self._bytes = bytearray()
        self._ignored = 0
        self._star = False
        self._collected: list[str] = []
        self._style, self._moment = 0, dict[str, int]()
        self._links: list[tuple[int, str]] = []

    @property
    def notes(self) -> list[Any]:
        return self._blocks.notes

    def read(self) -> Any:
        for count, token in enumerate(self._tokens):
            if count > MAX_TOKENS or (token.word == "{" and len(self._stack) > MAX_DEPTH):
                self.cut_short = True
                break
            if token.word == "}" and not self._stack:
                break
            self._token(token)
            if token.word == "}" and not self._stack:
                break
        else:
            self.cut_short = True
        self._flush()
        return self._blocks.close()

    def _token(self, token: Token) -> None:
        if token.text:
            self._raw(token.text)
            return
        self._flush()
        if token.word == "{":
            self._stack.append(self._state)
            self._star = False
        elif token.word == "}":
            self._end()
        elif token.word == "*":
            self._star = True
        else:
            star, self._star = self._star, False
            self._word(token.word, token.number, star)

    def _raw(self, text: bytes) -> None:
        """Bytes of a code page; several may make one character, so they are decoded together."""
        if self._ignored:
            cut = min(self._ignored, len(text))
            self._ignored -= cut
            text = text[cut:]
        self._bytes += text

    def _flush(self) -> None:
        if self._bytes:
            codec = self._charset.get(self._state.font, self._page)
            text = self._bytes.decode(codec, "replace")
            self._bytes.clear()
            self._text(text)

    def _text(self, text: str) -> None:
        place = self._state.place
        if place == "text":
            if not self._state.hidden:
                form = ("code",) if self._state.font in self._monospaced else self._state.form
                self._blocks.text(text, form)
        elif place != "skip" and len(self._collected) < MAX_COLLECTED:
            self._collected.append(text)

    def _word(self, word: str, number: int | None, star: bool) -> None:
        state = self._state
        if word == "u" and number is not None:
            self._unicode(number)
        elif word in _SYMBOLS:
            self._text(_SYMBOLS[word])
        elif _UNSEEN.fullmatch(word) or (star and word not in ("fldinst", "listtext", "pntext")):
            if word in ("pict", "shppict", "object") and state.place == "text":
                what = "embedded objects" if word == "object" else "pictures"
                self.skipped[what] = self.skipped.get(what, 0) + 1
            self._state = replace(state, place="skip")
        elif state.place == "skip":
            return
        elif (handler := self._handlers().get(word)) is not None:
            handler(number)
        elif word in _FORMS:
            on = number != 0
            kept = tuple(tag for tag in state.form if tag != _FORMS[word])
            self._state = replace(state, form=tuple(sorted((*kept, _FORMS[word]))) if on else kept)
        elif word in _INFO and state.place == "info":
            self._state = replace(state, place=_INFO[word])
            self._collected, self._moment = [], {}
        elif word in ("yr", "mo", "dy", "hr", "min") and number is not None:
            self._moment[word] = number
        elif state.place == "text":
            self._blocks.word(word, number)

    def _handlers(self) -> dict[str, Callable[[int | None], None]]:
        return {
            "ansicpg": self._set_page,
            "uc": lambda n: self._set(skip=max(0, min(n if n is not None else 1, 10))),
            "plain": lambda n: self._set(form=(), hidden=False),
            "nosupersub": lambda n: self._set(
                form=tuple(t for t in self._state.form if t not in ("sup", "sub"))
            ),
            "v": lambda n: self._set(hidden=n != 0),
            "f": self._font,
            "fcharset": self._font_charset,
            "s": self._paragraph_style,
            "fonttbl": lambda n: self._set(place="fonts"),
            "stylesheet": lambda n: self._set(place="styles"),
            "info": lambda n: self._set(place="info"),
            "fldinst": lambda n: self._collect("instruction"),
            "fldrslt": lambda n: self._set(place="text"),
            "listtext": lambda n: self._collect("marker"),
            "pntext": lambda n: self._collect("marker"),
            "footnote": lambda n: self._blocks.begin_note(len(self._stack)),
        }

    def _set(self, **changes: Any) -> None:
        self._state = replace(self._state, **changes)

    def _collect(self, place: str) -> None:
        self._collected = []
        self._set(place=place)

    def _set_page(self, number: int | None) -> None:
        self._page = code_page(number, None)

    def _font(self, number: int | None) -> None:
        self._set(font=number or 0)
        if self._state.place == "fonts":
            self._collected = []

    def _font_charset(self, number: int | None) -> None:
        if number not in (0, 1, None):
            self._charset[self._state.font] = code_page(None, number)

    def _paragraph_style(self, number: int | None) -> None:
        if self._state.place == "styles":
            self._style, self._collected = number or 0, []
        elif self._state.place == "text":
            self._blocks.word("s", number)

    def _unicode(self, number: int) -> None:
        """A UTF-16 unit; halves of a pair are joined when the text is tidied."""
        self._text(chr(number % 65_536))
        self._ignored = self._state.skip

    def _end(self) -> None:
        ended, font, text = self._state.place, self._state.font, "".join(self._collected)
        self._ignored = 0
        if not self._stack:
            return
        depth = len(self._stack)
        self._state = self._stack.pop()
        outer = self._state.place
        if ended == "fonts":
            if _MONOSPACED.search(text):
                self._monospaced.add(font)
            self._collected = []
        elif ended == "styles":
            if text.strip():
                self._blocks.styles[self._style] = text.strip(" ;").lower()
            self._style, self._collected = 0, []
        elif ended == "instruction" and outer != "instruction":
            found = _HYPERLINK.match(text)
            self._links.append((depth - 1, found[1] if found else ""))
            self._blocks.href = found[1] if found else self._blocks.href
        elif ended == "marker" and outer != "marker":
            self._blocks.marker = text.strip()
        elif ended in _INFO.values() and outer == "info":
            self.fields[ended] = _moment(self._moment) if ended in ("date", "updated") else text.strip()
        while self._links and self._links[-1][0] >= depth:
            self._links.pop()
            self._blocks.href = self._links[-1][1] if self._links else ""
        self._blocks.end_note(depth)


def _moment(parts: dict[str, int]) -> datetime | None:
    try:
        return datetime(
            parts["yr"],
            parts.get("mo", 1),
            parts.get("dy", 1),
            parts.get("hr", 0),
            parts.get("min", 0),
            tzinfo=UTC,
        )
    except (KeyError, ValueError, OverflowError):
        return None
