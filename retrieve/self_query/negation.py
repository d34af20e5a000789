"""Negations: "not by Osei", "anyone but Suwan", "neither A nor B", "outside the energy sector"."""

from __future__ import annotations

import re

from retrieve.self_query.catalog import Field
from retrieve.self_query.lexicon import field_words, plain_words
from retrieve.self_query.question import Question

REACH = 6
"""Words before a mention in which what negates it may stand."""
LONG = 5
"""Letters of a word beyond which "-ed" is the end of a verb."""
_JOINING = frozenset(["", "but", "and", "or", "though"])
_BREAK = re.compile(r"[.;?!]|,\s|\s-\s|:")
_AFTER = re.compile(r"\s{1,9}(?:did|does|do|is|was|are|were|has|have|had)(?:\s{1,9}not|n't)(?![^\W_])")
_EXCLUDED = re.compile(r"\s{1,9}(?:is |are )?(?:excluded|excepted|aside)(?![^\W_])")
_LEFT = re.compile(r"(?<![^\W_])(?:leave|leaving|keep|keeping)\s+(?:the\s+)?$")
_OUT = re.compile(r"\s{1,9}(?:out|aside|away)(?![^\W_])")
_RELATIVE = re.compile(r"(?<![^\W_])(?:that|which|where|whose|who)\s+(?:[^\W_]+\s+){0,2}$")


def is_negated_after(question: Question, first: int, last: int) -> bool:
    """ "games that Acme did not play in", "corrosion excluded", "leave Acme out of it"."""
    end = question.words[last].end
    if _EXCLUDED.match(question.folded, end):
        return True
    if _OUT.match(question.folded, end) and question.before(first, _LEFT):
        return True
    after = _AFTER.match(question.folded, end)
    return bool(after and question.before(first, _RELATIVE))


def negator_before(question: Question, position: int, field: Field) -> int | None:
    """The place of the word that turns a mention round, when one does.

    Args:
        position: the mention's first word. field: what it is a value of; its own words are passed over.
    """
    negators = plain_words().negators
    acted = False  # "but not streamed on YouTube", and no "weren't cleaned at Nonna's"
    for at in range(position - 1, max(-1, position - 1 - REACH), -1):
        word, earlier = question.norm(at), question.norm(at - 1)
        if _BREAK.search(question.gap(at, at + 1)) and word not in negators.titles:
            return None
        if (earlier, word) in plain_words().negating_pairs:
            return at - 1
        if word in negators.single and word not in negators.weak:
            joined = earlier in _JOINING or question.gap(at - 1, at).strip() == ","
            refused = not acted or (word == "not" and joined)
            idle = (earlier, word) == ("if", "not") or (word, question.norm(at + 1)) == ("no", "to")
            return at if refused and not idle else None
        if word in negators.weak:
            return at if _is_but(question, at, field) else None
        if len(word) > LONG and word.endswith("ed") and not _passes(word, field):
            acted = True
        elif not _passes(word, field):
            return None
    return None


def _is_but(question: Question, at: int, field: Field) -> bool:
    """ "any show but ...", "every saleroom bar ...": a weak word that negates where it stands."""
    if question.norm(at) not in ("but", "bar", "save"):
        return False
    earlier = {question.norm(i) for i in range(max(0, at - 3), at)}
    return field.named_by(question.norm(at - 1)) == 1 or bool(
        earlier & {"any", "every", "all", "no", "anywhere", "everywhere"}
    )


def _passes(word: str, field: Field) -> bool:
    negators, known = plain_words().negators, field_words()
    return bool(
        word in negators.passed
        or word in negators.titles
        or word in known.documents
        or field.named_by(word)
        or known.groups_of(word)
    )
