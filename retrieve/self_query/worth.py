"""What a match is worth by itself: how it was found, how it is written, and what its field holds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from retrieve.self_query import weights
from retrieve.self_query.lexicon import field_words
from retrieve.self_query.mentions import Mention
from retrieve.self_query.question import Question
from retrieve.self_query.text import stems

MANY = 3
"""A part that fits more values than this says little."""
_ID = re.compile(r"(?=.*[^\W\d])[\w./-]{3,40}")
_SIGNED = re.compile(r"(?<![^\W_])(?:thanks|thank you|regards|cheers|best|greetings|yours)[^.?!]{0,12}$")


def worth(question: Question, mention: Mention) -> float:
    """The evidence that lies in the match itself."""
    if _is_signature(question, mention):
        return weights.SIGNATURE
    total = _matched(question, mention) + _written(question, mention) + weights.ROLE[mention.field.role]
    if mention.field.role == "about" and mention.field.kinds & field_words().entities:
        total += weights.ENTITY + weights.ENTITY_CAPITAL * _looks_like_name(question, mention)
    return total


def _looks_like_name(question: Question, mention: Mention) -> bool:
    return any(word.is_name and word.start > 0 for word in question.at(mention.first, mention.last))


def _is_signature(question: Question, mention: Mention) -> bool:
    end = question.words[mention.last].end
    closing = len(question.text) - end < 10 and not question.folded[end:].strip(" .!")
    return closing and question.before(mention.first, _SIGNED) is not None


def _matched(question: Question, mention: Mention) -> float:
    """How it was found."""
    whole, phrase = mention.how in ("exact", "alias"), mention.length > 1
    if mention.common:
        named = _looks_like_name(question, mention) and question.is_mixed
        part = weights.COMMON_NAME if named else weights.COMMON_PART
        total = weights.COMMON_WHOLE if whole else part
        total += weights.COMMON_PHRASE if whole and phrase else 0.0
    else:
        total = weights.MATCHED[mention.how] + weights.TYPO * mention.typo + weights.PHRASE * phrase
        digits = any(c.isdigit() for word in question.at(mention.first, mention.last) for c in word.norm)
        total += weights.DIGITS * (digits and mention.how == "exact")
    if mention.how == "alias":
        total += weights.OWNERS_ALIAS
    if mention.field.role == "title" and mention.how == "exact" and _is_id(mention.values):
        total += weights.TITLE_IS_ID
    if mention.how == "initials" and len(question.words[mention.first].capitals) > 2:
        total += weights.CAPITAL_INITIALS
    if mention.how == "part" and mention.field.role == "about" and _is_head(question, mention):
        total += weights.HEAD
    if len(mention.values) > MANY:
        total += weights.MANY_VALUES
    return total


def _is_id(values: Sequence[str]) -> bool:
    return all(_ID.fullmatch(value) and any(c.isdigit() for c in value) for value in values)


def _is_head(question: Question, mention: Mention) -> bool:
    """Whether all that is meant ends in the mention's last word."""
    last = question.words[mention.last].stem
    return not mention.common and all(stems(value)[-1:] == (last,) for value in mention.values)


def _written(question: Question, mention: Mention) -> float:
    """How it is written: capitals, quotation marks, hyphens."""
    here = question.at(mention.first, mention.last)
    total = 0.0
    if mention.how == "part":
        capital = any(value[:1].isupper() for value in mention.values)
        if capital and not any(word.is_name for word in here):
            care = "cased" if question.is_cased else mention.field.role
            total += weights.PART_WITHOUT_CAPITAL.get(care, 0.0)
        if all(word.norm in field_words().documents for word in here):
            total += weights.PART_IS_DOCUMENT
    if question.is_within_quotes(mention.first, mention.last):
        total += weights.INSIDE_QUOTES
    joints = question.folded[here[0].start : here[-1].end]
    if mention.how == "exact" and mention.length > 1 and any(mark in joints for mark in "-_/"):
        total += weights.IDENTIFIER
    return total
