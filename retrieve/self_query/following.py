"""What stands after a mention and speaks for it: the field's name, a kind of documents, a verb."""

from __future__ import annotations

import re

from retrieve.self_query import weights
from retrieve.self_query.leading import fits
from retrieve.self_query.lexicon import field_words, plain_words
from retrieve.self_query.mentions import Mention
from retrieve.self_query.question import Question
from retrieve.self_query.text import fold, same_root

REACH = 4
"""Words after a mention in which its field may be named."""
REACH_DOCUMENTS = 3
REACH_NAMES = 8
"""Words of names that may stand between documents and the last of those who made them."""
_WITHIN = re.compile(r"(?<![^\W_])(?:in|from|per|of|see|according to|going by|based on|as stated in)\s+$")
"""In front of the documents that a fact stands in: "how high is it in Osei's report"."""
_COPULAS = frozenset(["was", "is", "were", "are", "as", "in", "the", "a", "an", "being"])
_DOES = frozenset(["does", "do", "did", "has", "have", "is", "are"])
_DID = frozenset(["did", "made"])
_RELATIVES = frozenset(["that", "which"])
_HAVE = frozenset(["have", "got"])
_HAS = frozenset(["hat", "haben", "hatte"])
_ANYTHING = frozenset(["anything", "something", "any"])
_SAYING = frozenset(["say", "write", "report"])
_WORK = _SAYING | {"review", "sign", "edit"}


def named_after(question: Question, mention: Mention) -> float:
    """Whether the field is named right after the mention: "the mining sector", "high priority"."""
    for passed in range(REACH):
        position = mention.last + 1 + passed
        if not question.is_joined(position - 1, position):
            return 0.0
        word = question.norm(position)
        if named := mention.field.named_by(word):
            best = weights.NAMED if named == 1 else weights.NAMED_LIKE_AFTER
            return best + weights.NAMED_FARTHER * passed
        if word not in _COPULAS and passed:
            return 0.0  # but "Acme was the defendant"
    return 0.0


def documents_after(question: Question, mention: Mention, kinds: frozenset[int]) -> float:
    """ "TechWire articles", "GBR's coverage", "opinion pieces".

    Args:
        kinds: places of words that name kinds of documents in this collection ("desserts").
    """
    owning, role = is_owning(question, mention), mention.field.role
    if _is_kind(question, mention):
        return weights.DOCUMENTS_AFTER
    for distance in range(REACH_DOCUMENTS):
        position = mention.last + 1 + distance
        word = question.norm(position)
        if not word or any(mark in question.gap(position - 1, position) for mark in ",.;:?!()"):
            break
        if word in field_words().documents or word in mention.field.telling or (owning and position in kinds):
            if owning and role == "agent":
                within = word in plain_words().papers and question.before(mention.first, _WITHIN)
                return weights.AGENTS_MATTER if question.asks_how and not within else weights.AGENTS_DOCUMENTS
            named = weights.DOCUMENTS_AFTER_AGENT if role == "agent" else weights.DOCUMENTS_AFTER
            return (weights.OWNED_DOCUMENTS if owning else named) + weights.DOCUMENTS_FARTHER * distance
        if word in plain_words().passed or word in plain_words().auxiliaries:
            break
    return weights.OWNS_ELSE if owning and role in ("agent", "source") else 0.0


def _is_kind(question: Question, mention: Mention) -> bool:
    """ "Concerts from the mobile van", "bulletins aired last week": the kind of documents in the plural."""
    if mention.how != "exact" or not mention.field.kinds & field_words().kinds_of_documents:
        return False
    last = question.words[mention.last].norm
    if not last.endswith("s") or question.asks or any(fold(v).endswith(last) for v in mention.values):
        return False
    following = question.norm(mention.last + 1)
    joined = question.is_joined(mention.last, mention.last + 1)
    known = plain_words()
    return (
        not joined
        or following in known.passed | known.connectors | known.comparing
        or bool(field_words().groups_of(following) or following.endswith("ed"))
    )


def is_owning(question: Question, mention: Mention) -> bool:
    """Whether the mention is a genitive: "Osei's"."""
    end = question.words[mention.last].end
    return question.folded.startswith(("'", "s'"), end)


def made(question: Question, mention: Mention) -> float:
    """ "TechWire reported", "What did Osei write", "Was schrieb Brandt"."""
    field, role = mention.field, mention.field.role
    if field.kinds & field_words().receiving:
        return 0.0
    after = mention.last + 1
    after += question.norm(after) in plain_words().adverbs
    verb = question.norm(after)
    if role == "agent" and verb and any(same_root(verb, own) for own in field.telling):
        return weights.MADE  # "whatever Osei owns"
    if role == "agent" and (_has_anything(question, mention) or _is_clause(question, mention, verb)):
        return weights.MADE
    groups = (
        _verbs_after(question, mention, verb)
        or _verbs_before(question, mention)
        or _verb_at_end(question, mention)
    )
    if not groups:
        return 0.0
    if role == "agent":
        told = not question.asks_how and fits(groups, field)  # "How did Osei make his fortune?"
        return weights.MADE if told else weights.MADE_OTHERWISE
    return weights.SOURCE_SAYS if role == "source" or groups & _SAYING else weights.SUBJECT_SAYS


def _has_anything(question: Question, mention: Mention) -> bool:
    """ "Does Osei offer anything on", "has Brandt got something about", "does Brandt have a report on"."""
    first = next((at for at, word in enumerate(question.words) if word.norm in _DOES), len(question.words))
    after = {question.norm(mention.last + steps) for steps in (2, 3)}
    verb, article = question.norm(mention.last + 1), question.norm(mention.last + 2)
    has = verb in _HAVE and article in plain_words().articles
    documents = has and question.norm(mention.last + 3) in field_words().documents
    return first < mention.first and bool(documents or after & _ANYTHING)


def _is_clause(question: Question, mention: Mention, verb: str) -> bool:
    """ "Everything that Brandt signed", "the papers Brandt and Osei signed": it tells of the documents."""
    if not (field_words().groups_of(verb) or verb in _DID):
        return False
    at = mention.first - 1
    while mention.first - at < REACH_NAMES and (
        question.norm(at) in plain_words().connectors or (at >= 0 and question.words[at].is_name)
    ):
        at -= 1
    at -= question.norm(at) in _RELATIVES
    return question.norm(at) in field_words().documents


def _verbs_after(question: Question, mention: Mention, verb: str) -> frozenset[str]:
    joined = question.is_joined(mention.last, mention.last + 1)
    return field_words().groups_of(verb) if joined else frozenset()


def _verbs_before(question: Question, mention: Mention) -> frozenset[str]:
    first = mention.first - 1
    first -= question.norm(first) in plain_words().articles
    earlier = question.norm(first)
    if earlier in field_words().documents:
        return frozenset()
    return field_words().groups_of(earlier) & {"write", "say"}


def _verb_at_end(question: Question, mention: Mention) -> frozenset[str]:
    """ "Was hat Brandt zu den Pumpen geschrieben?"."""
    earlier = {question.norm(mention.first - steps) for steps in range(1, REACH)}
    if not earlier & _HAS:
        return frozenset()
    return field_words().groups_of(question.words[-1].norm) & _WORK
