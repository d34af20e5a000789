"""RTF as words of control, groups and text, one after the other."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?"
    rb"|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|[\r\n\x00]+|([^\\{}\r\n\x00]+)|\\"
)
_CODE_PAGES = {
    0: "cp1252",
    2: "cp1252",
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    134: "cp936",
    136: "cp950",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
}
"""Code page by the number of a font's character set."""


class Token(NamedTuple):
    """A piece of RTF; exactly one of the first three says something."""

    word: str = ""
    """A control word or symbol, ``{`` or ``}``."""
    text: bytes = b""
    """Bytes in the font's code page."""
    number: int | None = None
    """The word's parameter."""


def tokens(data: bytes) -> Iterator[Token]:
    """All tokens; the bytes behind ``\\bin`` are left out."""
    position = 0
    while match := _TOKEN.match(data, position):
        position = match.end()
        word, number, byte, symbol, brace, text = match.groups()
        if word:
            value = int(number) if number else None
            if word == b"bin":
                position += max(0, min(value or 0, len(data)))
            yield Token(word.decode(), b"", value)
        elif byte:
            yield Token("", bytes.fromhex(byte.decode()))
        elif symbol or brace:
            yield Token((symbol or brace).decode("latin-1"))
        elif text:
            yield Token("", text)


def code_page(number: int | None, charset: int | None) -> str:
    """The codec of a font's character set, or else of the document."""
    name = _CODE_PAGES.get(charset, "") if charset not in (None, 0, 1) else ""
    try:
        return codecs.lookup(name or f"cp{number or 1252}").name
    except LookupError:
        return "cp1252"
