"""Questions and values as words: folded, stemmed, each with its place in the text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from retrieve.self_query.lexicon import common_words, plain_words

_WORD = re.compile(r"[^\W\d_]+[+#]*|\d+|[&@]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Word:
    """A word of a text: ``text[start:end]``."""

    raw: str
    start: int
    end: int
    norm: str
    """Folded: lower case, no diacritics."""
    stem: str
    """Without the endings of plurals."""

    @property
    def is_name(self) -> bool:
        """Whether it is written like a name: with a capital somewhere."""
        return self.raw != self.raw.lower()

    @property
    def capitals(self) -> str:
        """The folded letters of an abbreviation: ``dpa`` of DPA and of DPAs; else nothing."""
        if self.raw.isupper():
            return self.norm
        return self.norm[:-1] if self.raw.endswith("s") and self.raw[:-1].isupper() else ""


def clean(text: str) -> str:
    """A text in the form whose offsets the house uses: composed characters, no lone surrogates."""
    return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())


def fold(text: str) -> str:
    """Lower case without diacritics, character by character: offsets stay."""
    return text.lower().replace("`", "'") if text.isascii() else "".join(map(_fold_character, text))


_LETTERS = dict(zip("ıøØłŁđĐðÐæÆœŒßþÞ", "ioollddddaaoostt", strict=True))


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    if character in "’‘`´":
        return "'"
    if character in "–—−‑":
        return "-"
    if character in _LETTERS:
        return _LETTERS[character]
    base = unicodedata.normalize("NFKD", character)[0].lower()
    return base if len(base) == 1 else character


def words(text: str) -> list[Word]:
    """The words of a text; what joins or ends them (hyphens, dots, underscores) is left out."""
    folded = fold(text)
    found = []
    for match in _WORD.finditer(folded):
        norm = match[0]
        if norm == "&":
            norm = "and"
        if norm == "s" and folded[max(0, match.start() - 1) : match.start()] == "'":
            continue  # the s of a genitive
        raw = text[match.start() : match.end()]
        plural = len(raw) > 1 and raw[-1] == "s" and raw[:-1].isupper()  # "10-Qs"
        found.append(Word(raw, *match.span(), norm, norm[:-1] if plural else stem(norm)))
    return found


def name_words(name: str) -> list[str]:
    """The words of a field's name, folded: ``publishedAt``, ``published_at`` and ``published at`` alike."""
    return [word.norm for word in words(_CAMEL.sub(" ", name).replace(".", " "))]


@lru_cache(maxsize=16384)
def stem(norm: str) -> str:
    """A folded word without the ending of a plural; words that merely end alike may share a stem."""
    if len(norm) > 4 and norm.endswith("ies"):
        return norm[:-3] + "y"
    if len(norm) > 4 and norm.endswith(("sses", "shes", "ches", "xes", "zes")):
        return norm[:-2]
    if len(norm) > 3 and norm.endswith("s") and not norm.endswith(("ss", "us", "is")):
        return norm[:-1]
    return norm


def stems(text: str) -> tuple[str, ...]:
    """The stems of a text's words, without a leading article."""
    found = [word.stem for word in words(text)]
    return tuple(found[1:] if len(found) > 1 and found[0] in plain_words().articles else found)


_ENDINGS = ("ation", "ment", "ing", "ers", "ors", "er", "or", "ed", "ee", "al", "es", "e", "s")


@lru_cache(maxsize=16384)
def root(norm: str) -> str:
    """A word cut to what its forms share: ``publish`` for published, publishing, publisher."""
    for ending in _ENDINGS:
        if norm.endswith(ending) and len(norm) - len(ending) >= 3:
            found = norm[: -len(ending)]
            doubled = len(found) > 4 and found[-1] == found[-2] and found[-1] not in "s"
            return found[:-1] if doubled else found  # labelled, label
    return norm


def same_root(a: str, b: str) -> bool:
    """Whether two folded words are forms of one."""
    if a == b or stem(a) == stem(b):
        return True
    if min(len(a), len(b)) < 4:
        return False
    # Words that languages share: import and importieren.
    return root(a) == root(b) or (min(len(a), len(b)) >= 6 and (a.startswith(b) or b.startswith(a)))


def is_common(items: Sequence[Word]) -> bool:
    """Whether all of these are common words, numbers or single letters."""
    known = common_words()
    return all(item.norm in known or item.stem in known or item.norm.isdigit() for item in items) or (
        len(items) == 1 and len(items[0].norm) == 1
    )
