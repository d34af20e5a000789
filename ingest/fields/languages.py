"""Languages as BCP 47 tags: read from tags and names, or detected in a text."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from retrieve.self_query.text import fold

NAMED_IN = ("en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "nb", "fi", "pl", "cs", "ru", "ja", "zh")
"""Languages in which the names of languages are known, beside each language's name for itself."""
SPOKEN_BY = (
    *NAMED_IN,
    "ro",
    "hu",
    "tr",
    "el",
    "uk",
    "bg",
    "hr",
    "sk",
    "sl",
    "ko",
    "ar",
    "he",
    "fa",
    "hi",
    "id",
    "ca",
)

MIN_WORDS, MIN_LETTERS = 20, 80
"""Of a text whose language is detected."""
LOOKED_AT = 6000
"""Characters from which a sample is taken."""
SAMPLE, PIECES = 600, 3
"""Characters of the sample, and the pieces, from all over the text, that it is made of."""
SURE = 0.9

_TAG = re.compile(
    r"(?P<language>[A-Za-z]{2,3})(?:-(?P<script>[A-Za-z]{4}))?(?:-(?P<region>[A-Za-z]{2}|\d{3}))?(?:-[A-Za-z\d]{1,8})*"
)
_SUFFIX = re.compile(r"[.@][\w.@-]*$")
_PARENTHESIS = re.compile(r"\s*\([^()]*\)$")
_FENCED = re.compile(r"^(```|~~~)[^\n]*\n.*?^\1[^\n]*$", re.DOTALL | re.MULTILINE)
_MARKUP = re.compile(r"https?://\S+|\]\([^)\s]{0,500}\)|`[^`\n]{0,500}`|<[^<>\n]{0,500}>|[|#*_>\[\]=+-]+")
_LETTER = re.compile(r"[^\W\d_]")


def language_tag(text: str) -> str | None:
    """The tag of a language: ``en`` for ``eng`` and ``English``, ``pt-BR`` for ``pt_BR.UTF-8``.

    None: it is no language.
    """
    plain = _SUFFIX.sub("", " ".join(text.split())).replace("_", "-")
    if len(plain) > 60:
        return None
    match = _TAG.fullmatch(plain)
    if match is None:
        name = fold(plain)
        return _names().get(name) or _names().get(_PARENTHESIS.sub("", name))
    language = _canonical(match["language"].lower())
    if language not in _known():
        return _names().get(fold(plain))
    script, region = (match["script"] or "").title(), (match["region"] or "").upper()
    return "-".join(part for part in (language, script, region) if part)


def detect_language(text: str, *, markup: bool = True) -> str | None:
    """The language that a text is written in; None where it is short, mixed or no prose."""
    prose = text[:LOOKED_AT]
    if markup:
        prose = _MARKUP.sub(" ", _FENCED.sub("", prose))
    prose = _sample(" ".join(prose.split()))
    letters = len(_LETTER.findall(prose))
    if (
        letters < MIN_LETTERS
        or letters < len(prose) // 2
        or (prose.isascii() and prose.count(" ") < MIN_WORDS)
    ):
        return None
    language, probability = _detector()(prose)
    return language_tag(language) if probability >= SURE else None


def _sample(prose: str) -> str:
    """A long text's beginning, middle and end, from word to word: a title may be in another language."""
    if len(prose) <= SAMPLE:
        return prose
    size = SAMPLE // PIECES
    starts = (piece * (len(prose) - size) // (PIECES - 1) for piece in range(PIECES))
    pieces = (prose[start : start + size] for start in starts)
    return " ".join(piece.partition(" ")[2].rpartition(" ")[0] or piece for piece in pieces)


@lru_cache(maxsize=1)
def _detector() -> Callable[[str], tuple[str, float]]:
    """py3langid: naive Bayes over byte n-grams (Lui and Baldwin, langid.py, ACL 2012)."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    classify: Callable[[str], tuple[str, float]] = LanguageIdentifier.from_model_file(
        MODEL_FILE, norm_probs=True
    ).classify
    return classify


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    from babel import Locale

    codes = {str(code) for code in Locale("en").languages if "_" not in str(code)}
    return frozenset(codes - {"und", "mul", "mis", "zxx"})


def _canonical(code: str) -> str:
    """The code that Unicode prefers; one alias may lead to another (``twi``, ``tw``, ``ak``)."""
    seen: set[str] = set()
    while code in _aliases() and code not in seen:
        seen.add(code)
        code = _aliases()[code]
    return code


@lru_cache(maxsize=1)
def _aliases() -> dict[str, str]:
    from babel.core import get_global

    found = get_global("language_aliases").items()
    return {old: new for old, new in found if "_" not in new and "_" not in old}


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """Folded names of languages with their tags; a name that means two in different languages is left out."""
    from babel import Locale

    found: dict[str, set[str]] = {}
    for speaker in SPOKEN_BY:
        names = Locale.parse(speaker).languages
        told = names.items() if speaker in NAMED_IN else [(speaker, names.get(speaker, ""))]
        for code, name in told:
            language, mark, rest = code.partition("_")
            if name and language in _known():
                tag = _canonical(language) + mark + rest
                found.setdefault(fold(name), set()).add(tag.replace("_", "-"))
    return {name: min(codes) for name, codes in found.items() if len(codes) == 1}
