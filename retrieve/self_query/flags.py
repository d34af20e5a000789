"""Yes and no, and what is missing: conditions on bools, and on fields without a value."""

from __future__ import annotations

import re
from collections.abc import Sequence

from retrieve.filters import IsEmpty, MatchValue
from retrieve.self_query.catalog import Field
from retrieve.self_query.lexicon import common_words, field_words, plain_words
from retrieve.self_query.moments import points_to
from retrieve.self_query.negation import negator_before
from retrieve.self_query.plan import Finding
from retrieve.self_query.question import Question
from retrieve.self_query.text import root, same_root

_PREFIXES = ("un", "non", "in", "de", "dis")
_AGENT_ENDINGS = ("or", "er", "ee", "ory", "ist")
_ASSIGNED = re.compile(
    r"not (?:(?:yet )?(?:assigned|given|allocated|linked) to (?:a|an|any)|(?:about|for|on) any) "
)
_HAVING = re.compile(r"(?:don|doesn|didn)'?t (?:yet )?(?:have|belong to)(?![^\W_])")
_TO_COME = re.compile(
    r"(?<![^\W_])(?:(?:yet|still|waiting|left|due|have|has) to be|awaiting|never(?: been)?|not yet(?: been)?"
    r"|still (?:haven't|hasn't|have not|has not|not)(?: been)?)\s+(?P<verb>[^\W\d_]+)"
)
_BLANK = re.compile(
    r"(?<![^\W_])(?P<name>[^\W\d_]+)"
    r"(?:\s+(?:box|field|column|date|is|was|were|are|still|been|being|left)){1,4}"
    r"\s+(?:blank|empty|missing|not (?:given|stated|known))(?![^\W_])"
)
_NO = re.compile(r"\s*[:=]\s*(?:no|false|nein|non)(?![^\W_])")
_DO = frozenset(["don", "doesn", "didn"])
SURE = 0.8
APART = 4
"""Words among which a name of several may be scattered."""


def bool_findings(question: Question, fields: Sequence[Field], taken: set[int]) -> list[Finding]:
    """Conditions on bools that a question names: "spicy", "not restated", "no garden"."""
    found = []
    for field in fields:
        own = [word for word in field.words if word not in field_words().bool_words]
        place = _said(question, own, field, taken) if own else None
        if place is not None:
            first, last, value = place
            found.append(_finding(question, field, first, last, value))
            taken.update(range(first, last + 1))
    return found


def _finding(question: Question, field: Field, first: int, last: int, value: bool) -> Finding:
    negator = negator_before(question, first, field)
    if negator is None and (parted := _parted_by_not(question, first, field)):
        last, value = parted, not value
    if negator is None and _NO.match(question.folded, question.words[last].end):
        value = not value  # "incident: no"
    truth = value if negator is None else not value
    span = (question.words[first if negator is None else negator].start, question.words[last].end)
    reason = f"{field.name} is {str(truth).lower()}: “{question.text[slice(*span)]}”"
    return Finding(MatchValue(field.name, truth), (span,), SURE, reason)


def _parted_by_not(question: Question, first: int, field: Field) -> int | None:
    """The last word of a name that a negation parts: "fraud is not suspected" for ``fraud_suspected``."""
    following = [question.norm(at) for at in range(first + 1, first + 1 + APART)]
    if "not" not in following:
        return None
    rest = range(following.index("not") + 1, len(following))
    return next((first + 1 + at for at in rest if following[at] in field.words), None)


def _said(
    question: Question, own: Sequence[str], field: Field, taken: set[int]
) -> tuple[int, int, bool] | None:
    """First and last word of the first place that says yes or no to a field, and which."""
    for position in range(len(question.words)):
        if position in taken:
            continue
        value = _named(question, position, own, field)
        if value is None:
            continue
        length = len(own) if value and _is_name(question, position, own) else 1
        last = min(position + length, len(question.words)) - 1
        if _said_of_documents(question, position, last, taken):
            return position, last, value
    return None


def _named(question: Question, position: int, own: Sequence[str], field: Field) -> bool | None:
    """Whether a word says yes or no to a field; None: it does not speak of it."""
    word = question.words[position].norm
    if _is_name(question, position, own):
        return True
    opposites, translated = field_words().opposites, field_words().translated
    if len(own) == 1 and word in translated.get(own[0], ()):
        return True
    if any(word in opposites[name] for name in own if name in opposites):
        return False
    for prefix in _PREFIXES:
        bare = word.removeprefix(prefix)
        if bare != word and any(bare == name or (len(bare) > 4 and root(bare) == root(name)) for name in own):
            return False
    return True if word in field.aliases else None


def _is_name(question: Question, position: int, own: Sequence[str]) -> bool:
    here = [word.norm for word in question.words[position : position + len(own)]]
    if len(here) == len(own) and all(same_root(a, b) for a, b in zip(here, own, strict=True)):
        return True
    if len(own) < 2 or here[0] not in own or here[0] in common_words():
        return False
    # "dog friendly" says nothing of ``family_friendly``
    earlier = question.norm(position - 1) if question.is_joined(position - 1, position) else ""
    return here[0] == own[0] or not earlier or earlier in plain_words().empty | plain_words().states


def _said_of_documents(question: Question, first: int, last: int, taken: set[int]) -> bool:
    """A common word ("open", "public") has to stand before a kind of document, or after "is" or "not"."""
    common = question.norm(first) in common_words()
    before = first - 1 - (question.norm(first - 1) in plain_words().articles)
    following, earlier = question.norm(last + 1), question.norm(before)
    if following in field_words().documents or earlier in plain_words().states:
        asked = question.asks and earlier in ("is", "are") and common
        if not asked:
            return True
    if last > first or last + 1 in taken or first - 1 in taken:
        return True
    return not (common or question.asks)


def empty_findings(question: Question, fields: Sequence[Field], taken: set[int]) -> list[Finding]:
    """Conditions for a missing value: "unassigned", "without an author", "no reviewer"."""
    found: list[Finding] = []
    lacking = _lacking_words(question)
    for field in fields:
        if field.type == "bool":
            continue
        place = _missing(question, field, taken, lacking) or _not_yet(question, field, taken)
        if place is not None:
            first, last = place
            span = (question.words[first].start, question.words[last].end)
            reason = f"{field.name} is missing: “{question.text[slice(*span)]}”"
            found.append(Finding(IsEmpty(field.name), (span,), SURE, reason))
            taken.update(range(first, last + 1))
    return found


def _lacking_words(question: Question) -> list[int]:
    """Places of the words that may say that something is missing."""
    known = plain_words().lacking.words
    return [
        position
        for position, word in enumerate(question.words)
        if (word.norm in known and (word.norm not in _DO or _HAVING.match(question.folded, word.start)))
        or word.norm.startswith("un")
        or (word.norm == "not" and _ASSIGNED.match(question.folded, word.start))
    ]


def _missing(
    question: Question, field: Field, taken: set[int], lacking: Sequence[int]
) -> tuple[int, int] | None:
    """First and last word of the first place that says that a field has no value."""
    for position in lacking:
        if position in taken:
            continue
        word = question.words[position].norm
        bare = word.removeprefix("un")
        if bare != word:
            if len(bare) > 4 and any(same_root(bare, own) for own in field.telling):
                return position, position
            continue
        last = position + 1
        while question.norm(last) in plain_words().lacking.passed:
            last += 1
        dated = field.type == "datetime" and question.norm(last + 1) == "date"
        if dated and last + 1 not in taken and points_to(question.norm(last), field):
            return position, last + 1  # "no decision date" of ``decided_on``
        named = last < len(question.words) and last not in taken and _names(question.norm(last), field)
        if named and not (last + 1 in taken and question.is_joined(last, last + 1)):
            return position, last
    return None


def _not_yet(question: Question, field: Field, taken: set[int]) -> tuple[int, int] | None:
    """ "Yet to be closed", "never repeated", "the crew left blank": first and last word."""
    to_come = _TO_COME.finditer(question.folded) if field.type == "datetime" else ()
    for match in (*to_come, *_BLANK.finditer(question.folded)):
        first, last = question.first_from(match.start()), question.first_past(match.end()) - 1
        other = field.type != "datetime" and " date " in match[0]  # "the review date is blank"
        if taken.isdisjoint(range(first, last + 1)) and _names(match[1], field) and not other:
            return first, last
    return None


def _names(word: str, field: Field) -> bool:
    if any(same_root(word, own) for own in field.telling):
        return True
    # "signatory" for ``signedBy``: the person of the field's verb
    return (
        field.role == "agent"
        and word.endswith(_AGENT_ENDINGS)
        and any(len(own) > 3 and word.startswith(own[:4]) for own in field.words)
    )
