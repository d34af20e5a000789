"""Follow-ups: "And when does it run?" is searched for together with the question that says what "it" is.

Whether a question leans on an earlier one is told by its words alone: it opens like the second half of
something, a pronoun has nothing before it that it could mean, or hardly a word is left. No model is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from retrieve.self_query.lexicon import follow_up_words
from retrieve.self_query.plan import Finding, QueryPlan
from retrieve.self_query.text import Word, fold, words

SHOWN = 60
"""Characters of the earlier question that the plan's explanation shows."""


def leans(question: str) -> bool:
    """Whether a question says only together with an earlier one what it is about; English ones, that is."""
    table, found = follow_up_words(), words(question)
    if len(found) <= table.few or fold(question).lstrip().startswith(table.openings):
        return True
    meant = False  # something that a pronoun may mean was named
    for place, word in enumerate(found):
        if not meant and _points_back(found, place):
            return True
        before = found[place - 1].norm if place else ""
        named = place > 0 and word.is_name and word.raw != "I"
        meant = meant or named or (before in table.determiners and word.norm not in table.pronouns)
        if word.norm in table.others:
            return True
    return False


def _points_back(found: Sequence[Word], place: int) -> bool:
    table, norm = follow_up_words(), found[place].norm
    after = [word.norm for word in found[place + 1 : place + 3]]
    if norm == "it":  # "is it possible", "how long does it take to": it means nothing
        return not (
            (after[:1] and after[0] in table.empty_after_it) or (after[1:] and after[1] in ("to", "that"))
        )
    if norm in ("this", "that"):  # but "the motors that were made"
        opens = place == 0 or found[place - 1].norm in table.before_that
        return not after or (opens and after[0] in table.verbs)
    return norm in table.pronouns


def topic_of(earlier: Sequence[str]) -> str | None:
    """The last of these questions, oldest first, that stands for itself; None where there is none."""
    return next((question for question in reversed(earlier) if not leans(question)), None)


def joined(topic: QueryPlan, plan: QueryPlan) -> QueryPlan:
    """A follow-up's plan, with the words of its topic and conditions on fields of which it says nothing."""
    start = len(topic.question) + 1
    own = tuple(_moved(finding, start) for finding in plan.findings)
    told = {getattr(finding.condition, "key", None) for finding in own}
    kept = tuple(f for f in topic.findings if getattr(f.condition, "key", None) not in told)
    shown = topic.question if len(topic.question) <= SHOWN else f"{topic.question[: SHOWN - 3]}..."
    return replace(
        plan,
        question=f"{topic.question} {plan.question}",
        semantic_query=f"{topic.semantic_query} {plan.semantic_query}".strip(),
        findings=(*kept, *own),
        sort=plan.sort or topic.sort,
        notes=(*plan.notes, f'read after "{shown}"'),
    )


def _moved(finding: Finding, by: int) -> Finding:
    return replace(finding, spans=tuple((start + by, end + by) for start, end in finding.spans))
