"""Follow-ups: "And when does it run?" is searched for together with the question that says what "it" is.

Whether a question leans on an earlier one is told by its words alone: it opens like the second half of
something, a pronoun has nothing before it that it could mean, or hardly a word is left. No model is asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from retrieve.self_query.lexicon import follow_up_words, plain_words
from retrieve.self_query.plan import Finding, QueryPlan
from retrieve.self_query.text import Word, fold, words


def leans(question: str) -> bool:
    """Whether a question says only together with an earlier one what it is about; English ones, that is."""
    table, found = follow_up_words(), words(question)
    spaced = not any(character > "\u2e7f" for character in question)  # Chinese has no spaces to count
    if (spaced and len(found) <= table.few) or fold(question).lstrip().startswith(table.openings):
        return True
    one = many = False  # whether something was named that "it" or "they" may mean
    for place, word in enumerate(found):
        before = found[place - 1].norm if place else ""
        named = place > 0 and word.is_name and word.raw != "I"
        if not (named and word.raw.isupper()) and _points_back(found, place, one=one, many=many):
            return True
        one = one or named or (before in table.determiners and word.norm not in table.pronouns)
        verb = place == 1 and found[0].norm in table.subjects  # "who makes them"
        plural = word.norm != word.stem and word.norm not in table.not_plural
        many = many or one or (plural and not verb)
    return False


def _points_back(found: Sequence[Word], place: int, *, one: bool, many: bool) -> bool:
    table, norm = follow_up_words(), found[place].norm
    before = found[place - 1].norm if place else ""
    after = [word.norm for word in found[place + 1 : place + 3]]
    if norm in table.others:
        return True
    if many if norm in table.plural else one:
        return False
    if norm == "it":  # "is it possible", "how long does it take to": it means nothing
        return not (table.empty_after_it.intersection(after[:1]) or {"to", "that"}.intersection(after[1:]))
    if norm in ("this", "that"):  # but "the motors that were made"
        return not after or ((not place or before in table.before_that) and after[0] in table.verbs)
    return norm in table.pronouns or norm in table.plural


def topic_of(earlier: Sequence[str]) -> str | None:
    """The last of these questions, oldest first, that stands for itself; None where there is none."""
    return next((question for question in reversed(earlier) if not leans(question)), None)


def joined(topic: QueryPlan, plan: QueryPlan) -> QueryPlan:
    """A follow-up's plan, with the words of its topic and conditions on fields of which it says nothing."""
    start = len(topic.question) + 1
    own = tuple(_moved(finding, start) for finding in plan.findings)
    told = frozenset[str]().union(*(finding.keys for finding in own))
    least = min((finding.confidence for finding in own), default=math.inf)
    kept = tuple(  # what the follow-up itself says is given up last
        replace(finding, confidence=min(finding.confidence, least))
        for finding in topic.findings
        if told.isdisjoint(finding.keys)
    )
    return replace(
        plan,
        question=f"{topic.question} {plan.question}",
        semantic_query=f"{topic.semantic_query} {plan.semantic_query}".strip(),
        findings=(*kept, *own),
        sort=plan.sort or topic.sort,
        listing=topic.listing and plan.listing and not asks(plan.question),
        topic=topic.question,
    )


def own_last(plan: QueryPlan, question: str) -> QueryPlan:
    """The plan of a rewritten follow-up: conditions that the follow-up itself says are given up last."""
    said = {word.stem for word in words(question) if word.norm not in follow_up_words().grammar}

    def is_own(finding: Finding) -> bool:
        texts = (plan.question[start:end] for start, end in finding.spans)
        return any(word.stem in said for text in texts for word in words(text))

    least = min((finding.confidence for finding in plan.findings if is_own(finding)), default=math.inf)
    findings = (f if is_own(f) else replace(f, confidence=min(f.confidence, least)) for f in plan.findings)
    return replace(plan, findings=tuple(findings), listing=plan.listing and not asks(question))


def asks(question: str) -> bool:
    """Whether a follow-up says what it asks: "and who fixed it", but not "and in 2023", "what about 2023"."""
    found = [word.norm for word in words(question)]
    if found and f"{found[0]} " in follow_up_words().openings:
        del found[0]
    if found[1:2] == ["about"]:
        return False
    return bool(found) and (
        found[0] in plain_words().auxiliaries or not follow_up_words().interrogatives.isdisjoint(found)
    )


def _moved(finding: Finding, by: int) -> Finding:
    return replace(finding, spans=tuple((start + by, end + by) for start, end in finding.spans))
