"""What of a question is left to search for when its conditions are taken out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from retrieve.filters import MatchAny, MatchValue
from retrieve.self_query.lexicon import Role, common_words, field_words, plain_words
from retrieve.self_query.plan import Finding
from retrieve.self_query.question import Question, ending_at
from retrieve.self_query.text import words

_PREPOSITION = re.compile(
    r"(?<![^\W_])(?:by|from|in|of|at|on|for|with|since|von|aus|im|par|de|por|written by)\s*$", re.I
)
_GENITIVE = re.compile(r"['’]s(?![^\W_])")


def remainder(question: Question, findings: Sequence[Finding], roles: Mapping[str, Role]) -> str:
    """The question without what only a filter can answer: dates, amounts, authors, what is not wanted.

    A value that documents are about stays: it helps to find the passage in them.

    Args:
        roles: what the keyword fields' values are to the documents.
    """
    places = [place for finding in findings if _only_filters(finding, roles) for place in finding.spans]
    return " ".join(_without(question.text, _apart(places)).split())


def says_little(left: str) -> bool:
    """Whether what is left of a question has none but common words: too little to search for."""
    silent = common_words() | field_words().documents
    return all(word.norm in silent for word in words(left))


def says_nothing(left: str) -> bool:
    """Whether what is left of a question only asks for documents: "what did ... write", "list reports of"."""
    return all(word.norm in _asking() for word in words(left))


def lists_topics(question: Question, findings: Sequence[Finding]) -> bool:
    """Whether keywords are nothing but conditions, topics among them: "open VPN tickets by Osei".

    One topic by itself ("pumps") is a question about it, and so is a sentence that asks ("what is a pump",
    "explain the pump"): beside the conditions stand only words that ask for documents.
    """
    plain = plain_words()
    left = words(_without(question.text, _apart([span for finding in findings for span in finding.spans])))
    named = any(word.norm in plain.several_papers for word in left)
    fields = frozenset[str]().union(*(finding.keys for finding in findings))
    listing = plain.papers | plain.matters | plain.articles | plain.connectors | plain.polite
    return (named or len(fields) > 1) and all(word.norm in listing for word in left)


@lru_cache(maxsize=1)
def _asking() -> frozenset[str]:
    plain, fields = plain_words(), field_words()
    little = plain.articles | plain.auxiliaries | plain.function | plain.fillers | plain.connectors
    asked = plain.asking | plain.asking_for_documents | plain.polite | plain.plain_verbs
    return frozenset().union(little, asked, fields.documents, *fields.verbs.values())


def _only_filters(finding: Finding, roles: Mapping[str, Role]) -> bool:
    condition = finding.condition
    if finding.negated or not isinstance(condition, MatchValue | MatchAny):
        return True
    values = condition.values if isinstance(condition, MatchAny) else (condition.value,)
    is_text = bool(values) and isinstance(values[0], str)
    return not is_text or roles.get(condition.key) in ("agent", "source")


def _apart(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Places in order, those that overlap as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _without(text: str, places: Sequence[tuple[int, int]]) -> str:
    """A text without these places, the prepositions before them and the genitives' endings after them."""
    kept, position = [], 0
    for start, end in places:
        preposition = ending_at(_PREPOSITION, text, start)
        kept.append(text[position : max(position, preposition.start() if preposition else start)])
        genitive = _GENITIVE.match(text, end)
        position = genitive.end() if genitive else end
    return " ".join([*kept, text[position:]])
