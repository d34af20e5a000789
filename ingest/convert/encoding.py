"""Bytes to text, never losing a file for a wrong byte."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

NO_TEXTS = ("punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined")
"""Codecs that no document is written in; the first takes a time that grows with the square of a text."""

_WESTERN = frozenset("äöüßÄÖÜéèêëàâçñáíóúôîïûùòœæøåãõÉÈÀÂÇÑÁÍÓÚÔÎÆØÅÃÕ¿¡–—‘’‚“”„«»•…€£§©®°½·\xa0")
"""What is beyond ASCII in most texts of Western Europe; in most other code pages, some of a text's bytes
are characters that this set does not have."""


def decode(data: bytes, declared: str | None = None) -> tuple[str, str | None]:
    """Decode by byte order mark, UTF-8, the declared charset, or the best guess, in this order.

    Returns:
        The text, and a note where it is not exactly what the file declared or UTF-8.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _strictly(data[3:] if name == "utf-8" else data, name)
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        where = error.start
    codec = _known(declared)
    if codec is not None and codec != "utf-8":
        return _strictly(data, codec)
    guess = _guess(data)
    text = data.decode(guess, "replace")
    return text, f"not valid UTF-8 (byte {where}); read as {guess}{_damage(text)}"


def _strictly(data: bytes, name: str) -> tuple[str, str | None]:
    try:
        return data.decode(name), None
    except UnicodeDecodeError as error:
        text = data.decode(name, "replace")
        return text, f"not valid {name} (byte {error.start}){_damage(text)}"


def _damage(text: str) -> str:
    lost = text.count("\ufffd")
    return f", {lost} characters replaced" if lost else ""


def _known(charset: str | None) -> str | None:
    if not charset:
        return None
    try:
        name = codecs.lookup(charset).name
        if name in NO_TEXTS:
            return None
        # What pages call latin-1 is Windows-1252, and browsers read it so.
        return (
            {"iso8859-1": "cp1252", "ascii": "cp1252"}.get(name, name) if b"a".decode(name) == "a" else None
        )
    except (LookupError, UnicodeDecodeError, TypeError):
        return None


def _guess(data: bytes) -> str:
    """UTF-8 if most of what is beyond ASCII is; else what the bytes look like; else Windows-1252."""
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    beyond = sum(character > "\x7f" for character in text)
    if beyond >= 2 * wrong:
        return "utf-8"
    western = data.decode("cp1252", "replace")
    plainly = all(character in _WESTERN for character in set(western) if character > "\x7f")
    if plainly or wrong < 16:  # so few bytes tell no code page from another
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(data[:100_000]).best()
    return best.encoding if best is not None else "cp1252"
