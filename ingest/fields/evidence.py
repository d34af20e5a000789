"""Whether a text says what a model read out of it: the quote must stand there, and the value in the quote."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.fields.spelling import Spelling, UnfitError
from ingest.fields.values import FieldSpec, as_text, fit
from retrieve.schema import Scalar
from retrieve.self_query.text import stems

LONGEST_QUOTE = 300
WINDOW = 8
"""Words of a quote that may be one date, number or language together."""
BOOL_WORDS = 3
"""Of a quote for a truth value, which no word of it states by itself."""
WHOLE_WORDS, ENDED_WORDS = 5, 3
"""A quote with more words, and one that ends as a sentence with more than the second, is no value."""

_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Letters of scripts that set no spaces between words."""
_DAY = re.compile(r"\d{4}\s?年\s?\d{1,2}\s?月\s?\d{1,2}\s?日")
_EDGES = " \t.,;:!?()[]{}\"'*_`“”‘’«»"


def occurs(quote: str, text: str) -> bool:
    """Whether a text has these words, one after the other; white space counts alike."""
    plain = " ".join(quote.split())
    return 0 < len(plain) <= LONGEST_QUOTE and _whole(plain, " ".join(text.split()))


def states(quote: str, value: Scalar, spec: FieldSpec, spelling: Spelling) -> bool:
    """Whether a quote contains a value: as a run of its words, or as a date, number or language that is it.

    Args:
        value: as the field holds it.
    """
    if spec.type == "bool":
        return len(quote.split()) >= BOOL_WORDS
    if spec.type in (None, "keyword"):
        text = as_text(value)
        return text in quote if _UNSPACED.search(text) else _has_run(stems(quote), stems(text))
    return any(found == value for found in values_in(quote, spec, spelling))


def is_sentence(value: str, quote: str) -> bool:
    """Whether a value is all of a quote that says more than a value does."""
    words, ended = stems(quote), quote.rstrip().endswith((".", "!", "?", "。"))
    return len(words) > (ENDED_WORDS if ended else WHOLE_WORDS) and stems(value) == words


def values_in(quote: str, spec: FieldSpec, spelling: Spelling) -> Iterator[Scalar]:
    """The dates, numbers or languages of a quote; none that is a part of another ("5" of "5 million")."""
    words = _DAY.sub(lambda match: f" {''.join(match[0].split())} ", quote[:LONGEST_QUOTE]).split()
    taken: list[tuple[int, int]] = []
    for size in range(min(WINDOW, len(words)), 0, -1):
        for first in range(len(words) - size + 1):
            if any(start <= first and first + size <= end for start, end in taken):
                continue
            try:
                found = fit(" ".join(words[first : first + size]).strip(_EDGES), spec, spelling)
            except UnfitError:
                continue
            taken.append((first, first + size))
            yield found


def _whole(part: str, text: str) -> bool:
    """Whether a part stands in a text and cuts no word and no number."""
    left = r"(?<!\w)" if part[0].isalnum() and not _UNSPACED.match(part[0]) else ""
    left += r"(?<!\d[.,])(?<!\W[-−])" if part[0].isdigit() else ""
    right = r"(?!\w)" if part[-1].isalnum() and not _UNSPACED.match(part[-1]) else ""
    right += r"(?![.,]\d)" if part[-1].isdigit() else ""
    return re.search(f"{left}{re.escape(part)}{right}", text) is not None


def _has_run(words: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    size = len(wanted)
    return bool(wanted) and any(words[at : at + size] == wanted for at in range(len(words) - size + 1))
