"""What stands before a mention and speaks for it: the field's name, a preposition, a kind of documents."""

from __future__ import annotations

import re

from retrieve.self_query import weights
from retrieve.self_query.catalog import Field
from retrieve.self_query.lexicon import field_words, plain_words
from retrieve.self_query.mentions import Mention
from retrieve.self_query.question import Question
from retrieve.self_query.text import fold, same_root

REACH = 4
"""Words before a mention in which its field may be named."""
REACH_DOCUMENTS = 3

# The prepositions that tell of a role: the first group surely, the second perhaps.
_CUES = {
    "agent": re.compile(
        r"(?<![^\W_])(?:(by|von|par|por|author|authors|people like)"
        r"|(from|of|at|de|d'|du|to|for|with|mit|avec|con))\s*:?\s*"
        r"(?:either |both )?(?:the |mr\.? |mrs\.? |ms\.? |dr\.? |prof\.? )?(?P<initials>(?:[a-z]\.\s*){0,3})$"
    ),
    "source": re.compile(
        r"(?<![^\W_])(?:(in|from|according to|by|via|per|at|dans|von|aus|bei|del|outlet)"
        r"|(of|to|the|de|en|on))\s*:?\s*(?:the |der |die |le |la |el )?$"
    ),
    "about": re.compile(
        r"(?<![^\W_])(?:(with|without|using|containing|including|featuring|offering|has|have|having|needs?"
        r"|tagged|labell?ed|mit|ohne|avec|sans|con|sin)"
        r"|(in|for|from|of|by|at|to|on|im|auf|aus|fur|pour|para|de|en))\s*:?\s*"
        r"(?:the |a |an |our |any |der |dem |den |la |le |el )?$"
    ),
}
_TITLED = re.compile(
    r"(?<![^\W_])(?:titled|called|named|entitled|headed|title|name|file|document|page|ticket|case|id|number)"
    r"\s*:?\s*[\"'“”«]?$"
)
_TO = re.compile(r"(?<![^\W_])(?:to|an)\s+(?:both\s+|either\s+)?(?:the\s+)?$")
_STATE = re.compile(r"(?<![^\W_])(?:is|are|'s|still|been|remains?|currently|already)\s+(?:(?:in|on)\s+)?$")
_AGAINST = re.compile(r"(?<![^\W_])(?:against|versus|vs\.?|v\.?|contre|contra|gegen)\s*(?:the\s+)?$")
_LAST_WORD = re.compile(r"([^\W_]+)\s+$")
_OF = ("of", "from", "at", "de", "d'", "du")
_WITH = ("with", "mit", "avec", "con")


def named_before(question: Question, mention: Mention) -> float:
    """Whether the field is named before the mention: "status open", "tagged a or b"."""
    passed, connectors = plain_words().passed, plain_words().connectors
    for steps, at in enumerate(range(mention.first - 1, max(-1, mention.first - 1 - REACH), -1)):
        word, gap = question.norm(at), question.gap(at, at + 1)
        if any(mark in gap for mark in ".;?!") or (":" in gap and steps) or ("," in gap and not steps):
            return 0.0
        named = mention.field.named_by(word)
        if named == 1 or (named and word not in passed):
            best = weights.NAMED if named == 1 else weights.NAMED_LIKE_BEFORE
            return best + weights.NAMED_FARTHER * steps
        if word not in passed and word not in connectors:
            return 0.0
    return 0.0


def documents_before(question: Question, mention: Mention) -> float:
    """ "articles in The Verge", "something Italian", "filings of Acme"."""
    passed, connectors = plain_words().passed, plain_words().connectors
    for seen, (_, word) in enumerate(question.backwards(mention.first, ",.;:?!")):
        if seen == REACH_DOCUMENTS:
            return 0.0
        if word in field_words().documents:
            beside = mention.field.role == "agent" and seen == 0
            signed = word in plain_words().papers and not question.asks
            if beside and signed and _ends_with_name(question, mention):
                return weights.DOCUMENTS_SIGNED
            return weights.DOCUMENTS_BESIDE_AGENT if beside else weights.DOCUMENTS_BEFORE
        if word not in passed and word not in connectors:
            return 0.0
    return 0.0


def _ends_with_name(question: Question, mention: Mention) -> bool:
    """ "falcon report Dario Keller": keywords that end in a whole name."""
    ends = mention.last + 1 == len(question.words) or not question.is_joined(mention.last, mention.last + 1)
    return ends and mention.how == "exact" and mention.length > 1 and not mention.common


def opposed(question: Question, mention: Mention) -> float:
    """ "against Acme": the one who is sued, or plays away."""
    opponent = bool(mention.field.kinds & field_words().opponents)
    return weights.OPPOSED if opponent and question.before(mention.first, _AGAINST) else 0.0


def asked_for(question: Question, mention: Mention) -> float:
    """ "Which desserts ...", "which are open": the kind or state of the documents that are asked for."""
    role, earlier = mention.field.role, question.norm(mention.first - 1)
    if earlier in plain_words().choosing:
        return weights.CHOSEN_AGENT if role == "agent" and mention.field.is_list else weights.CHOSEN
    may_be_state = mention.how == "exact" and not question.asks_how
    if may_be_state and question.before(mention.first, _STATE):
        return weights.STATE if mention.common else weights.STATE_OF_NAME
    return weights.ASKED_FOR if earlier in plain_words().determining and role == "about" else 0.0


def cue(question: Question, mention: Mention) -> float:
    """A preposition that fits the field's role: "by Osei", "in The Verge", "with mushrooms"."""
    field, role = mention.field, mention.field.role
    if field.kinds & field_words().receiving:
        return weights.RECEIVER if question.before(mention.first, _TO) else 0.0
    if role == "title":
        titled = mention.how == "exact" and question.before(mention.first, _TITLED)
        return weights.TITLED if titled else 0.0
    match = question.before(mention.first, _CUES[role])
    if match is None:
        return 0.0
    if role == "agent":
        return _cue_of_agent(question, mention, match) if _has_initial(mention, match["initials"]) else 0.0
    if role == "source":
        return weights.SOURCE_CUE if match[1] else weights.WEAK_SOURCE_CUE
    return _cue_of_subject(question, mention, match)


def _has_initial(mention: Mention, initials: str) -> bool:
    """Whether the initials before a name ("by N. Petrov") are none, or one is how the value begins."""
    return not initials or any(fold(value)[:1] in initials for value in mention.values)


def _cue_of_agent(question: Question, mention: Mention, match: re.Match[str]) -> float:
    verb = _verb_before(question, mention)
    if verb is not None:
        return weights.BY_AGENT if verb else weights.BY_AGENT_WRONG_VERB
    if match[1]:
        return weights.BY_AGENT
    if match[2] in _WITH and mention.field.kinds & field_words().present:
        return weights.WITH_PRESENT
    if match[2] in _OF:
        earlier = _LAST_WORD.search(match.string, max(0, match.start(2) - 40), match.start(2))
        if earlier and earlier[1] in field_words().documents:
            return weights.DOCUMENTS_OF_AGENT
    return weights.WEAK_AGENT_CUE


def _cue_of_subject(question: Question, mention: Mention, match: re.Match[str]) -> float:
    words, known = mention.field.kinds, field_words()
    having = weights.HAVING_LISTED if mention.field.is_list else weights.HAVING
    wanted = having if match[1] else weights.WEAK_CUE
    in_language = match[2] in ("in", "auf", "en") and bool(words & known.languages)
    in_place = match[2] in ("in", "im", "en") and bool(words & known.places)
    if in_language or (in_place and not question.asks_how and mention.how != "part"):
        wanted = weights.IN_PLACE_OR_LANGUAGE
    return max(wanted, weights.FITTING_VERB) if _verb_before(question, mention) else wanted


def _verb_before(question: Question, mention: Mention) -> bool | None:
    """Whether "written by", "assigned to" and the like fit the field; None: no such verb."""
    documents = field_words().documents
    for distance in (2, 3):
        at = mention.first - distance
        between = question.norm(at + 1)
        if at < 0 or (distance == 3 and between not in plain_words().before_names):
            break
        word = question.norm(at)
        if any(same_root(word, own) for own in mention.field.words):
            return True
        groups = field_words().groups_of(word)
        if groups and word not in documents:
            noun = distance == 2 and between == "by" and word.endswith("s")  # "offers by Osei"
            other = False if mention.field.role == "agent" and not noun else None
            return fits(groups, mention.field) or other
        if distance == 2 and word.endswith("ed") and word not in documents:
            return False  # "called by Osei": not what makes a document
    return None


def fits(groups: frozenset[str], field: Field) -> bool:
    """Whether verbs of these groups tell of the field; what anybody may do tells of any person."""
    wanted, specific = verbs_of(field), field_words().specific_verbs
    anybody = not (wanted and wanted <= specific) and bool(groups - specific)
    return anybody or bool(groups & wanted)


def verbs_of(field: Field) -> frozenset[str]:
    """The groups of verbs that a field's name belongs to; authors may do whatever makes a document."""
    words = field.kinds
    found = frozenset(group for group, names in field_words().field_verbs.items() if names & words)
    return found | {"say", "write", "create"} if found & {"write", "report"} else found
