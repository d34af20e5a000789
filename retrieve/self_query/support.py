"""How much speaks for a mention being a condition, and not what the question is about.

"Articles by Ada Lovelace" names documents by their author; "What did Ada Lovelace invent?" does not,
though an author of that name exists. Nothing but the words around the mention tells the two apart, so
evidence is added up: what the match is worth by itself, and what stands before and after it.
"""

from __future__ import annotations

import re

from retrieve.self_query.catalog import Field
from retrieve.self_query.lexicon import DOCUMENTS, FIELD_VERBS, MAKING
from retrieve.self_query.mentions import Mention
from retrieve.self_query.negation import is_negated_after, negator_before
from retrieve.self_query.question import POLITE, Question
from retrieve.self_query.text import ARTICLES, same_root

ENOUGH = 1.0
"""A mention with at least this much support is a condition."""

_AUXILIARIES = frozenset(
    ["is", "are", "was", "were", "be", "been", "do", "does", "did", "has", "have", "had", "can", "could", "should", "would", "will", "may", "might", "must", "hat", "ist", "wird", "a", "ha", "est"]
)
_PLAIN_VERBS = _AUXILIARIES | frozenset(["s", "not", "get", "gets", "got", "go", "goes", "went", "become", "became"])
_FILLERS = frozenset(
    ["is", "are", "was", "were", "be", "the", "a", "an", "by", "in", "to", "of", "from", "as", "with", "for", "either", "both", "any", "only", "some", "all", "just", "on", "at", "than", "that", "which", "who", "whose", "those", "these", "ones", "someone", "anyone", "anybody", "somebody", "everyone", "people", "it", "its", "their", "your", "my", "our", "der", "die", "das", "den", "dem", "von", "mit", "le", "la", "les", "de", "des", "du", "el", "los", "las", "por", "par", "set", "under", "not", "no"]
) | ARTICLES  # fmt: skip
_SPECIFIC = frozenset(["sign", "direct", "sell", "close", "cook"])
"""Verbs that tell of one kind of person only."""
_COMPARING = frozenset(
    ["without", "shorter", "longer", "under", "over", "above", "below", "since", "before", "after", "until", "between", "more", "less", "about", "that", "which", "who"]
)
_ADVERBS = frozenset(["has", "have", "had", "also", "recently", "first", "last", "originally", "just", "once", "ever"])
_PLACES = frozenset(
    ["city", "town", "district", "neighbourhood", "neighborhood", "region", "area", "location", "place", "country", "state", "county", "venue", "site", "office", "room", "building", "campus", "origin"]
)
_FUNCTION = _FILLERS | frozenset(
    ["i", "it", "he", "she", "we", "me", "my", "no", "not", "or", "and", "if", "so", "up", "do", "go", "on", "off", "out", "be", "am", "you"]
)
_CONNECTORS = frozenset(["or", "and", "and/or", "nor", "&", "oder", "und", "et", "ou", "y", "o"])
_ENTITIES = frozenset(
    ["company", "companies", "customer", "client", "show", "series", "channel", "hotel", "restaurant", "team", "teams", "club", "museum", "school", "university", "airline", "airport", "stadium", "hospital", "account", "product", "products", "project", "module", "component", "service", "brand", "vendor", "model", "employer", "organization", "organisation", "institution", "ticker", "repo", "repository", "package", "drug", "compound", "ship", "device", "app", "system"]
)
_QUALITIES = frozenset(["headquarters", "nationality", "language", "licence", "license", "format", "medium"])
_BEFORE = {
    "agent": re.compile(
        r"(?<![^\W_])(?:(by|von|par|por|author|authors|people like)|(from|of|at|de|d'|du|to|for|with|mit|avec|con))\s*:?\s*(?:the |mr\.? |mrs\.? |ms\.? |dr\.? |prof\.? )?$"
    ),
    "source": re.compile(
        r"(?<![^\W_])(?:(in|from|according to|by|via|per|at|dans|von|aus|bei|del|outlet)|(of|to|the|de|en|on))\s*:?\s*(?:the |der |die |le |la |el )?$"
    ),
    "about": re.compile(
        r"(?<![^\W_])(?:(with|without|using|containing|including|featuring|offering|has|have|having|needs?|tagged|labell?ed|mit|ohne|avec|sans|con|sin)|(in|for|from|of|by|at|to|on|im|auf|fur|pour|para|de|en))\s*:?\s*(?:the |a |an |our |any )?$"
    ),
}
_ABOUT = re.compile(
    r"(?<![^\W_])(?:about|regarding|concerning|on|mentions?|mentioning|over|uber|sur|sobre)\s*(?:the )?$"
)
_TITLED = re.compile(
    r"(?<![^\W_])(?:titled|called|named|entitled|headed|title|name|file|document|page|ticket|case|id|number)\s*:?\s*[\"'“”«]?$"
)


def support(question: Question, mention: Mention, kinds: frozenset[int] = frozenset()) -> float:
    """The evidence for a mention being a condition; `ENOUGH` and more means yes.

    Args:
        kinds: places of words that name kinds of documents in this collection ("desserts").
    """
    here = question.words[mention.first : mention.last + 1]
    if all(word.norm in _FUNCTION for word in here) or (len(here) == 1 and len(here[0].norm) == 1):
        named = max(named_before(question, mention), named_after(question, mention))
        if all(word.is_name and len(word.norm) > 1 for word in here):
            named = max(named, _documents_after(question, mention) + 0.1, _alone(question, mention))
        return ENOUGH if named >= 0.6 and mention.how == "exact" else 0.0  # "energy class A", and no "a flat"
    return _own(mention, question) + _around(mention, question, kinds)


def _own(mention: Mention, question: Question) -> float:
    field, role = mention.field, mention.field.role
    here = question.words[mention.first : mention.last + 1]
    named_like = any(word.is_name and word.start > 0 for word in here)
    if _SIGNED.search(question.before(mention.first)) and not question.folded[here[-1].end :].strip(" .!"):
        return -1.0  # whoever signs a mail
    value = {"exact": 0.7, "alias": 0.7, "part": 0.5, "initials": 0.6}[mention.how] - 0.1 * mention.typo
    if mention.common:
        value = (
            0.2 if mention.how in ("exact", "alias") else 0.4 if named_like and question.is_mixed else -0.3
        )
        if mention.length > 1 and mention.how in ("exact", "alias"):
            value += 0.4
    elif mention.length > 1:
        value += 0.2
    if mention.how == "exact" and any(c.isdigit() for word in here for c in word.norm) and not mention.common:
        value += 0.2
    if mention.how == "alias":
        value += 0.3  # an owner's own word
    if len(mention.values) > 3:
        value -= 0.3
    if mention.how == "part":
        if not any(word.is_name for word in here) and any(value[:1].isupper() for value in mention.values):
            value -= (
                0.4 if question.is_cased else 0.2 if role == "about" else 0.0
            )  # no name is written like that
        if all(word.norm in DOCUMENTS for word in here):
            value -= 0.5
    if question.is_within_quotes(mention.first, mention.last):
        value -= 0.8
    joints = question.folded[here[0].start : here[-1].end]
    if mention.how == "exact" and mention.length > 1 and any(mark in joints for mark in "-_/"):
        value += 0.1  # an identifier
    if role == "about":
        value += 0.3
        if set(field.words) & _ENTITIES:
            value += 0.1 + 0.2 * named_like
    return value + {"agent": -0.5, "source": -0.1, "title": -0.9, "about": 0.0}[role]


def _around(mention: Mention, question: Question, kinds: frozenset[int]) -> float:
    named = max(named_before(question, mention), named_after(question, mention), _opposed(question, mention))
    if mention.field.role == "agent":
        named *= 1.4
    told = max(
        _cue(question, mention),
        _documents_after(question, mention, kinds),
        _documents_before(question, mention),
        _made(question, mention),
        _asked_for(question, mention),
    )
    if negator_before(question, mention.first, mention.field) is not None:
        told = max(told, 0.9 if mention.field.role == "agent" else 0.5)
    if is_negated_after(question, mention.first, mention.last):
        told = max(told, 0.8)
    alone = _alone(question, mention)
    against = _against(question, mention) if max(named, told) < 0.4 and alone < 0.3 else 0.0
    return named + told + alone + against


_RECEIVING = frozenset(["recipient", "recipients", "to", "cc", "addressee", "addressees"])
_TO = re.compile(r"(?<![^\W_])(?:to|an)\s+(?:both\s+|either\s+)?(?:the\s+)?$")
_STATE = re.compile(r"(?<![^\W_])(?:is|are|'s|still|been|remains?|currently|already)\s+$")
_SIGNED = re.compile(r"(?<![^\W_])(?:thanks|thank you|regards|cheers|best|greetings|yours)[^.?!]{0,12}$")
_PRESENT = frozenset(
    ["guest", "guests", "participant", "participants", "cast", "actor", "actors", "players", "attendees", "starring", "with", "featuring"]
)
_OPPONENTS = frozenset(["defendant", "respondent", "accused", "opponent", "away", "visitor", "opposing"])
_AGAINST = re.compile(r"(?<![^\W_])(?:against|versus|vs\.?|v\.?|contre|contra|gegen)\s*(?:the\s+)?$")


def _opposed(question: Question, mention: Mention) -> float:
    """ "against Acme": the one who is sued, or plays away."""
    opponent = bool(set(mention.field.words) & _OPPONENTS)
    return 0.8 if opponent and _AGAINST.search(question.before(mention.first)) else 0.0


def named_before(question: Question, mention: Mention) -> float:
    """Whether the field is named before the mention: "status open", "tagged a or b"."""
    position = mention.first - 1
    steps = 0
    while position >= 0 and steps < 4:
        word = question.words[position]
        gap = question.gap(position, position + 1)
        if any(mark in gap for mark in ".;?!") or (":" in gap and steps) or ("," in gap and steps == 0):
            return 0.0
        named = mention.field.named_by(word.norm)
        if named and not (named < 1 and word.norm in _FILLERS):
            return (0.8 if named == 1 else 0.5) - 0.1 * steps
        if word.norm not in _FILLERS and word.norm not in _CONNECTORS:
            return 0.0
        position -= 1
        steps += 1
    return 0.0


def named_after(question: Question, mention: Mention) -> float:
    """Whether the field is named right after the mention: "the mining sector", "high priority"."""
    passed = 0
    for position in range(mention.last + 1, min(mention.last + 5, len(question.words))):
        if not question.is_joined(position - 1, position):
            return 0.0
        word = question.words[position].norm
        named = mention.field.named_by(word)
        if named:
            return (0.8 if named == 1 else 0.4) - 0.1 * passed
        if word not in ("was", "is", "were", "are", "as", "the", "a", "an", "being") and passed:
            return 0.0  # but "Acme was the defendant"
        passed += 1
    return 0.0


def _cue(question: Question, mention: Mention) -> float:
    field, before = mention.field, question.before(mention.first)
    role = field.role
    if set(field.words) & _RECEIVING:
        return 1.1 if _TO.search(before) else 0.0
    if role == "title":
        return 1.2 if _TITLED.search(before) and mention.how == "exact" else 0.0
    match = _BEFORE[role].search(before)
    if not match:
        return 0.0
    verb = _verb_before(question, mention)
    if role == "agent":
        if verb is not None:
            return 1.1 if verb else 0.3
        if match[1]:
            return 1.1
        if match[2] in ("with", "mit", "avec", "con") and set(field.words) & _PRESENT:
            return 1.0
        documents = re.search(r"([^\W_]+)\s+$", before[: match.start(2)])
        return (
            1.0
            if match[2] in ("of", "from", "at", "de", "d'", "du") and documents and documents[1] in DOCUMENTS
            else 0.4
        )
    if role == "source":
        return 0.4 if match[1] else 0.1
    wanted = (0.5 if mention.field.is_list else 0.35) if match[1] else 0.1
    if match[2] in ("in", "auf", "en") and set(mention.field.words) & {"language", "lang"}:
        wanted = 0.45
    if (
        match[2] in ("in", "im", "en")
        and not question.asks_how
        and set(mention.field.words) & _PLACES
        and mention.how != "part"
    ):
        wanted = 0.45
    return max(wanted, 0.6) if verb else wanted


def _verb_before(question: Question, mention: Mention) -> bool | None:
    """Whether "written by", "assigned to" and the like fit the field; None: no such verb."""
    for position in (mention.first - 2, mention.first - 3):
        if position < 0 or (
            position == mention.first - 3 and question.words[position + 1].norm not in _ADVERBS | _FILLERS
        ):
            break
        word = question.words[position].norm
        groups = {name for name, forms in MAKING.items() if word in forms}
        if any(same_root(word, own) for own in mention.field.words):
            return True
        if groups and word not in DOCUMENTS:
            return fits(groups, mention.field) or (False if mention.field.role == "agent" else None)
        if position == mention.first - 2 and word.endswith("ed") and word not in DOCUMENTS:
            return False  # "called by Osei": not what makes a document
    return None


def fits(groups: set[str], field: Field) -> bool:
    """Whether verbs of these groups tell of the field; what anybody does with documents tells of any person."""
    wanted = field_verbs(field)
    return bool(groups & wanted) or (not wanted <= _SPECIFIC and bool(groups - _SPECIFIC)) or not wanted


def field_verbs(field: Field) -> set[str]:
    """The groups of verbs that a field's name belongs to; authors may do whatever makes a document."""
    found = {FIELD_VERBS[word] for word in field.words if word in FIELD_VERBS}
    return found | {"say", "write", "create"} if found & {"write", "report"} else found


def _asked_for(question: Question, mention: Mention) -> float:
    """ "Which desserts ...": the kind of documents that is asked for."""
    earlier = question.words[mention.first - 1].norm if mention.first else ""
    if earlier in ("both", "either", "beide", "sowohl", "neither"):
        return 0.7 if mention.field.role == "agent" and mention.field.is_list else 0.4
    if (
        mention.common
        and mention.how == "exact"
        and not question.asks_how
        and _STATE.search(question.before(mention.first))
    ):
        return 0.6
    return (
        0.4
        if earlier in ("which", "what", "any", "welche", "quels", "quelles") and mention.field.role == "about"
        else 0.0
    )


def _is_owning(question: Question, mention: Mention) -> bool:
    end = question.words[mention.last].end
    return question.folded[end : end + 2] in ("'s", "s'") or question.folded[end : end + 1] == "'"


def _may_follow(word: str) -> bool:
    """Whether a word may follow a common word that is a value: "open tickets", "drafts created", "white vans"."""
    if word in _FILLERS or word in DOCUMENTS or word in _COMPARING or word.endswith("ed"):
        return True
    return len(word) > 3 and word.endswith("s") and not word.endswith("ss")


def _documents_after(question: Question, mention: Mention, kinds: frozenset[int] = frozenset()) -> float:
    """ "TechWire articles", "GBR's coverage", "opinion pieces"."""
    owning = _is_owning(question, mention)
    for distance in (1, 2, 3):
        position = mention.last + distance
        if position >= len(question.words):
            break
        gap = question.gap(position - 1, position)
        if any(mark in gap for mark in ",.;:?!()"):
            break
        word = question.words[position].norm
        if word in DOCUMENTS or word in mention.field.telling or (owning and position in kinds):
            if owning and mention.field.role == "agent":
                return 0.3 if question.asks_how else 1.1
            return (0.8 if owning else 0.6) - 0.1 * (distance - 1)
        if word in _FILLERS or word in _AUXILIARIES:
            break
    if owning and mention.field.role in ("agent", "source"):
        return -0.3
    return 0.0


def _documents_before(question: Question, mention: Mention) -> float:
    """ "articles in The Verge", "something Italian", "filings of Acme"."""
    position = mention.first - 1
    seen = 0
    while position >= 0 and seen < 3:
        word = question.words[position].norm
        gap = question.gap(position, position + 1)
        if any(mark in gap for mark in ",.;:?!"):
            return 0.0
        if word in DOCUMENTS:
            weak = mention.field.role == "agent" and seen == 0
            return 0.2 if weak else 0.45
        if word not in _FILLERS and word not in _CONNECTORS:
            return 0.0
        position -= 1
        seen += 1
    return 0.0


def _made(question: Question, mention: Mention) -> float:
    """ "TechWire reported", "What did Osei write", "Was schrieb Brandt"."""
    role = mention.field.role
    if set(mention.field.words) & _RECEIVING:
        return 0.0
    following = question.words[mention.last + 1 : mention.last + 3]
    if following and following[0].norm in _ADVERBS:
        following = following[1:]
    if (
        role == "agent"
        and following
        and any(same_root(following[0].norm, own) for own in mention.field.telling)
    ):
        return 1.0  # "whatever Osei owns"
    groups = (
        _groups(following[0].norm)
        if following and question.is_joined(mention.last, mention.last + 1)
        else set()
    )
    if not groups and mention.first:
        earlier = question.words[mention.first - 1].norm
        groups = _groups(earlier) if earlier not in DOCUMENTS or earlier in ("schrieb",) else set()
        groups &= {"write", "say"}
    if not groups:
        return 0.0
    if role == "agent":
        if question.asks and question.asks_how:
            return 0.3  # "How did Osei make his fortune?"
        return 1.0 if fits(groups, mention.field) else 0.3
    return 0.6 if role == "source" or groups & {"say", "write", "report"} else 0.2


def _groups(word: str) -> set[str]:
    return {name for name, forms in MAKING.items() if word in forms}


def _alone(question: Question, mention: Mention) -> float:
    """Mentions that stand by themselves between commas, or begin a list of keywords."""
    before = question.before(mention.first).rstrip()
    after = question.folded[question.words[mention.last].end :].lstrip()
    left = not before or before[-1] in ",:;-(/"
    right = not after or after[0] in ",:;-)/"
    if left and right:
        return 1.0 if mention.field.role == "agent" and not mention.common else 0.55
    if question.asks:
        return 0.0
    starts = not before or all(word.norm in POLITE | _FILLERS for word in question.words[: mention.first])
    following = question.words[mention.last + 1].norm if mention.last + 1 < len(question.words) else ""
    if starts and mention.field.role in ("agent", "source") and following in _PLAIN_VERBS:
        return -0.3
    if starts:
        if mention.field.role == "agent":
            return 1.1 if not mention.common and not _is_owning(question, mention) else 0.35
        if (
            mention.common
            and following
            and not _may_follow(following)
            and question.is_joined(mention.last, mention.last + 1)
        ):
            return 0.15  # "open source tools"
        return 0.5 if mention.common else 0.35
    return 0.15


def _against(question: Question, mention: Mention) -> float:
    role, before = mention.field.role, question.before(mention.first)
    total = 0.0
    following = question.words[mention.last + 1].norm if mention.last + 1 < len(question.words) else ""
    if role in ("agent", "source"):
        if _ABOUT.search(before):
            total -= 0.6
        if following in _PLAIN_VERBS and question.is_joined(mention.last, mention.last + 1):
            total -= 0.3
    if set(mention.field.words) & _QUALITIES:
        total -= 0.4
    if question.asks:
        entity = bool(set(mention.field.words) & _ENTITIES)
        if not entity or mention.common:
            total -= 0.4 if question.asks_how else 0.3
    here = question.words[mention.first : mention.last + 1]
    capital = all(value[:1].isupper() for value in mention.values)
    if (
        mention.how == "exact"
        and role == "about"
        and capital
        and question.is_cased
        and not any(w.is_name for w in here)
    ):
        total -= 0.3  # "a roast turkey" is not from Turkey
    return total
