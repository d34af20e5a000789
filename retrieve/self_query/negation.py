"""Negations: "not by Osei", "anyone but Suwan", "neither A nor B", "outside the energy sector"."""

from __future__ import annotations

import re

from retrieve.self_query.catalog import Field
from retrieve.self_query.lexicon import DOCUMENTS, MAKING
from retrieve.self_query.question import Question

_SINGLE = frozenset(
    ["not", "except", "excluding", "excludes", "exclude", "without", "no", "non", "nor", "neither", "minus", "outside", "isn", "aren", "wasn", "weren", "mustn", "shouldn", "nothing", "none", "don", "doesn", "didn", "haven", "hasn", "never", "ohne", "nicht", "ausser", "kein", "keine", "keinen", "sauf", "excepte", "hors", "sans", "pas", "sin", "excepto", "salvo", "menos", "unlike", "besides", "but", "nobody"]
)
_PAIRS = {("other", "than"), ("apart", "from"), ("aside", "from"), ("rather", "than"), ("instead", "of"), ("anything", "but"),
          ("anyone", "but"), ("everything", "but"), ("everyone", "but"), ("all", "but"), ("anywhere", "but"), ("somewhere", "but"), ("nothing", "but"), ("any", "but"), ("different", "from"), ("as", "opposed"), ("leave", "out"), ("leaving", "out")}  # fmt: skip
_ALONE_TOO_WEAK = frozenset(["but", "besides"])
_PASSED = frozenset(
    ["by", "from", "in", "of", "for", "to", "at", "on", "with", "the", "a", "an", "any", "either", "those", "these", "ones", "t", "is", "are", "was", "were", "be", "been", "being", "have", "has", "had", "that", "which", "who", "tagged", "labelled", "labeled", "written", "filed", "published", "posted", "created", "assigned", "headquartered", "based", "listed", "located", "owned", "made", "using", "containing", "von", "vom", "aus", "de", "du", "des", "la", "le", "les", "el", "los", "las", "der", "die", "das", "den", "dem", "par", "por", "en", "im", "something", "anything", "someone", "anyone", "anybody", "people", "what", "whatever", "through", "via", "include", "includes", "included", "including", "contain", "contains", "need", "needs", "use", "uses", "do", "does", "did", "go", "went", "gone", "come", "came", "play", "played"]
)
_TITLES = frozenset(["dr", "mr", "mrs", "ms", "prof", "st"])
REACH = 6


_AFTER = re.compile(r"\s+(?:did|does|do|is|was|are|were|has|have|had)(?:\s+not|n't)(?![^\W_])")
_RELATIVE = re.compile(r"(?<![^\W_])(?:that|which|where|whose|who)\s+(?:[^\W_]+\s+){0,2}$")


def is_negated_after(question: Question, first: int, last: int) -> bool:
    """ "games that Acme did not play in"."""
    after = question.folded[question.words[last].end :]
    return bool(_AFTER.match(after) and _RELATIVE.search(question.before(first)))


def negator_before(question: Question, position: int, field: Field) -> int | None:
    """The place of the word that turns a mention round, when one does.

    Args:
        position: the mention's first word. field: what it is a value of; its own words are passed over.
    """
    at = position - 1
    for _ in range(REACH):
        if at < 0:
            return None
        gap = question.gap(at, at + 1)
        if re.search(r"[.;?!]|,\s|\s-\s|:", gap) and question.words[at].norm not in _TITLES:
            return None
        word = question.words[at].norm
        earlier = question.words[at - 1].norm if at else ""
        if (earlier, word) in _PAIRS:
            return at - 1
        if word in _SINGLE and word not in _ALONE_TOO_WEAK:
            if word == "not" and earlier == "if":
                return None
            return at
        any_but = {question.words[i].norm for i in range(max(0, at - 3), at)} & {"any", "every", "all", "no"}
        if word == "but" and (field.named_by(earlier) == 1 or any_but):
            return at  # "any show but ..."
        if word in _ALONE_TOO_WEAK:
            return None
        passes = (
            word in _PASSED
            or word in _TITLES
            or word in DOCUMENTS
            or field.named_by(word)
            or any(word in forms for forms in MAKING.values())
        )
        if not passes:
            return None
        at -= 1
    return None
