"""How much speaks for a mention being a condition, and not what the question is about.

"Articles by Ada Lovelace" names documents by their author; "What did Ada Lovelace invent?" does not,
though an author of that name exists. Nothing but the words around the mention tells the two apart, so
evidence is added up: what the match is worth by itself (`worth`), what stands before (`leading`) and
after it (`following`), and what the sentence makes of it.
"""

from __future__ import annotations

import re

from retrieve.self_query import weights
from retrieve.self_query.following import documents_after, is_owning, made, named_after
from retrieve.self_query.leading import asked_for, cue, documents_before, named_before, opposed
from retrieve.self_query.lexicon import field_words, plain_words
from retrieve.self_query.mentions import Mention
from retrieve.self_query.negation import is_negated_after, negator_before
from retrieve.self_query.question import Question
from retrieve.self_query.weights import ENOUGH
from retrieve.self_query.worth import worth

PLACES = 6
"""Sums are rounded, so that 0.7 + 0.3 is enough in whatever order it is added up."""
_ABOUT = re.compile(
    r"(?<![^\W_])(?:about|regarding|concerning|on|mentions?|mentioning|over|uber|sur|sobre)\s*(?:the )?$"
)


def support(question: Question, mention: Mention, kinds: frozenset[int] = frozenset()) -> float:
    """The evidence for a mention being a condition; `ENOUGH` and more means yes.

    Args:
        kinds: places of words that name kinds of documents in this collection ("desserts").
    """
    here = question.at(mention.first, mention.last)
    if all(word.norm in plain_words().empty for word in here) or (len(here) == 1 and len(here[0].norm) == 1):
        return _of_empty(question, mention)
    return round(worth(question, mention) + _around(question, mention, kinds), PLACES)


def _of_empty(question: Question, mention: Mention) -> float:
    """Of function words and letters, which need their field beside them: "class A", and no "a flat"."""
    named = max(named_before(question, mention), named_after(question, mention))
    if all(word.is_name and len(word.norm) > 1 for word in question.at(mention.first, mention.last)):
        documents = documents_after(question, mention, frozenset())
        named = max(named, documents + weights.CAPITALS_BONUS, _alone(question, mention))
    return ENOUGH if named >= weights.NAMED_ENOUGH and mention.how == "exact" else 0.0


def _around(question: Question, mention: Mention, kinds: frozenset[int]) -> float:
    agent = mention.field.role == "agent"
    named = max(named_before(question, mention), named_after(question, mention), opposed(question, mention))
    if agent:
        named *= weights.NAMED_AGENT
    told = max(
        cue(question, mention),
        documents_after(question, mention, kinds),
        documents_before(question, mention),
        made(question, mention),
        asked_for(question, mention),
    )
    negator = negator_before(question, mention.first, mention.field)
    if negator is not None:
        wished = named or question.norm(negator) in plain_words().wishing
        if question.asks_why and mention.field.role == "about" and not wished:
            return weights.FACT_NEGATED
        told = max(told, weights.NEGATED_AGENT if agent else weights.NEGATED)
    if is_negated_after(question, mention.first, mention.last):
        told = max(told, weights.NEGATED_AFTER)
    alone = _alone(question, mention)
    if named:
        alone = max(alone, 0.0)  # "Osei was the editor"
    total = named + told + alone
    if max(named, told) < weights.LITTLE_TOLD and alone < weights.LITTLE_ALONE:
        total += _against(question, mention)
    return total


def _alone(question: Question, mention: Mention) -> float:
    """Mentions that stand by themselves between commas, or begin a list of keywords."""
    left = question.gap(mention.first - 1, mention.first).rstrip()
    right = question.gap(mention.last, mention.last + 1).lstrip()
    opens, closes = mention.first == 0 and not left, mention.last + 1 == len(question.words) and not right
    if (opens or left.endswith(tuple(",:;-(/"))) and (closes or right.startswith(tuple(",:;-)/"))):
        return weights.ALONE_AGENT if mention.field.role == "agent" and not mention.common else weights.ALONE
    if question.asks:
        return 0.0
    if mention.first <= question.opening:
        return _first(question, mention)
    return weights.KEYWORD_SOURCE if _closes(question, mention) else weights.KEYWORD


def _closes(question: Question, mention: Mention) -> bool:
    """ "Water damage Lakeside 2022": the source at the end of keywords, and nothing said of it."""
    if mention.field.role != "source" or mention.how != "exact" or mention.common:
        return False
    last, earlier = mention.last + 1 == len(question.words), question.norm(mention.first - 1)
    right = question.gap(mention.last, mention.last + 1).lstrip()
    follows = right.startswith((",", ";", ":", ")", "?")) or question.norm(mention.last + 1).isdigit()
    known = plain_words()
    silent = known.passed | known.connectors | known.comparing | known.matters | known.auxiliaries
    return bool(last or follows) and earlier not in silent | {"against", "versus", "vs"}


def _first(question: Question, mention: Mention) -> float:
    """Mentions that a request or a list of keywords begins with."""
    role, following = mention.field.role, question.norm(mention.last + 1)
    if role in ("agent", "source") and following in plain_words().subject_verbs:
        return weights.FIRST_SUBJECT
    if role == "agent":
        whole = not mention.common and not is_owning(question, mention)
        return weights.FIRST_AGENT if whole else weights.FIRST_OWNING_AGENT
    if not mention.common:
        return weights.FIRST_SOURCE if role == "source" else weights.FIRST
    joined = question.is_joined(mention.last, mention.last + 1)
    if following and not _may_follow(following) and joined:
        return weights.FIRST_IN_PHRASE  # "open source tools"
    return weights.FIRST_COMMON


def _may_follow(word: str) -> bool:
    """Whether a word may follow a common word that is a value: "open tickets", "drafts created"."""
    known = plain_words()
    if word in known.passed or word in field_words().documents or word in known.comparing:
        return True
    plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss")
    return plural or word.endswith("ed")


def _against(question: Question, mention: Mention) -> float:
    """What makes a subject of a mention that little speaks for."""
    field, known, total = mention.field, field_words(), 0.0
    if field.role in ("agent", "source"):
        if question.before(mention.first, _ABOUT):
            total += weights.ABOUT
        joined = question.is_joined(mention.last, mention.last + 1)
        if joined and question.norm(mention.last + 1) in plain_words().subject_verbs:
            total += weights.SUBJECT
    if field.kinds & known.qualities:
        total += weights.QUALITY
    if question.asks and (mention.common or not field.kinds & known.entities):
        total += weights.ASKED_HOW if question.asks_how else weights.ASKED
    small = not any(word.is_name for word in question.at(mention.first, mention.last))
    if (
        mention.how == "exact"
        and field.kinds & (known.places | known.qualities)
        and mention.is_capital
        and question.is_cased
        and small
    ):
        total += weights.SMALL_LETTERS  # "a roast turkey" is not from Turkey
    return total
