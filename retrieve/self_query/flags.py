"""Yes and no, and what is missing: conditions on bools, and on fields without a value."""

from __future__ import annotations

import re
from collections.abc import Sequence

from retrieve.filters import IsEmpty, MatchValue
from retrieve.self_query.catalog import Field
from retrieve.self_query.lexicon import DOCUMENTS
from retrieve.self_query.negation import negator_before
from retrieve.self_query.plan import Finding
from retrieve.self_query.question import Question
from retrieve.self_query.text import common_words, root, same_root

_OPPOSITES = {
    "paywalled": "free", "paid": "free unpaid", "remote": "onsite office", "public": "private internal", "furnished": "unfurnished",
    "available": "sold unavailable taken", "resolved": "unresolved ongoing", "archived": "current live",
}  # fmt: skip
_PREFIXES = ("un", "non", "in", "de", "dis")
_LACKING = frozenset(["without", "no", "nobody", "missing", "lacks", "lacking", "lack", "sans", "ohne", "sin", "kein", "keine"])
_ASSIGNED = re.compile(r"not (?:yet )?(?:assigned|given|allocated) to (?:a|an|any) ")
_SKIPPED = frozenset(
    ["assigned", "allocated", "yet", "to", "a", "an", "any", "the", "is", "has", "are", "was", "been", "listed", "named", "given", "known", "set", "its", "of"]
)


def bool_findings(question: Question, fields: Sequence[Field], taken: set[int]) -> list[Finding]:
    """Conditions on bools that a question names: "spicy", "not restated", "no garden"."""
    found = []
    for field in fields:
        own = [
            word
            for word in field.words
            if word not in ("is", "has", "was", "are", "with", "can", "allows", "allow", "allowed")
        ]
        if not own:
            continue
        for position, word in enumerate(question.words):
            if position in taken:
                continue
            value = _named(question, position, own, field)
            if value is None:
                continue
            last = position + (len(own) - 1 if value and _sequence(question, position, own) else 0)
            if not _said_of_documents(question, position, last, taken):
                continue
            negator = negator_before(question, position, field)
            truth = value if negator is None else not value
            start = question.words[position].start if negator is None else question.words[negator].start
            place = (start, question.words[last].end)
            text = question.text[slice(*place)]
            found.append(
                Finding(
                    MatchValue(field.name, truth),
                    (place,),
                    0.8,
                    f"{field.name} is {str(truth).lower()}: “{text}”",
                )
            )
            taken.update(range(position, last + 1))
            break
    return found


def _named(question: Question, position: int, own: Sequence[str], field: Field) -> bool | None:
    """Whether a word says yes or no to a field; None: it does not speak of it."""
    word = question.words[position].norm
    if _sequence(question, position, own):
        return True
    if any(word == other for name in own for other in _OPPOSITES.get(name, "").split()):
        return False
    for prefix in _PREFIXES:
        bare = word.removeprefix(prefix)
        if bare != word and any(bare == name or (len(bare) > 4 and root(bare) == root(name)) for name in own):
            return False
    for alias in field.aliases:
        if word == alias:
            return True
    return None


def _sequence(question: Question, position: int, own: Sequence[str]) -> bool:
    here = [word.norm for word in question.words[position : position + len(own)]]
    if len(here) == len(own) and all(same_root(a, b) for a, b in zip(here, own, strict=True)):
        return True
    telling = [name for name in own if name not in common_words()]
    return len(own) > 1 and any(question.words[position].norm == name for name in telling)


def _said_of_documents(question: Question, first: int, last: int, taken: set[int]) -> bool:
    """A common word ("open", "public") has to stand before a kind of document, or after "is" or "not"."""
    word = question.words[first].norm
    following = question.words[last + 1].norm if last + 1 < len(question.words) else ""
    earlier = question.words[first - 1].norm if first else ""
    if following in DOCUMENTS or earlier in (
        "not",
        "non",
        "no",
        "without",
        "are",
        "were",
        "with",
        "is",
        "been",
        "be",
        "and",
        "only",
    ):
        if not (question.asks and earlier in ("is", "are") and word in common_words()):
            return True
    if last > first or last + 1 in taken or first - 1 in taken:
        return True
    return not (word in common_words() or question.asks)


def empty_findings(question: Question, fields: Sequence[Field], taken: set[int]) -> list[Finding]:
    """Conditions for a missing value: "unassigned", "without an author", "no reviewer"."""
    found = []
    for field in fields:
        if field.type == "bool":
            continue
        place = _lacking(question, field, taken)
        if place is not None:
            first, last = place
            span = (question.words[first].start, question.words[last].end)
            text = question.text[slice(*span)]
            found.append(Finding(IsEmpty(field.name), (span,), 0.8, f"{field.name} is missing: “{text}”"))
            taken.update(range(first, last + 1))
    return found


def _lacking(question: Question, field: Field, taken: set[int]) -> tuple[int, int] | None:
    for position, word in enumerate(question.words):
        if position in taken:
            continue
        bare = word.norm.removeprefix("un")
        if bare != word.norm and len(bare) > 4 and any(same_root(bare, own) for own in field.telling):
            return position, position
        if word.norm not in _LACKING and not _ASSIGNED.match(question.folded, word.start):
            continue
        last = position + 1
        while last < len(question.words) and question.words[last].norm in _SKIPPED:
            last += 1
        if last >= len(question.words) or last in taken:
            continue
        named = any(same_root(question.words[last].norm, own) for own in field.telling) or (
            field.role == "agent" and _is_agent_word(question.words[last].norm, field)
        )
        following = last + 1
        if named and not (following in taken and question.is_joined(last, following)):
            return position, last
    return None


def _is_agent_word(word: str, field: Field) -> bool:
    """ "signatory" for ``signedBy``: the person of the field's verb."""
    return any(
        len(own) > 3 and word.startswith(own[:4]) and word.endswith(("or", "er", "ee", "ory", "ist"))
        for own in field.words
    )
