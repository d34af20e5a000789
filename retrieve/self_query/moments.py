"""Which field a date of a question means, whether it is a condition, and the condition that it makes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from retrieve.filters import Condition, MatchValue, Range
from retrieve.self_query.calendar_words import calendar_words
from retrieve.self_query.catalog import Catalog, Field
from retrieve.self_query.dates import DateSpan
from retrieve.self_query.lexicon import field_words, plain_words
from retrieve.self_query.negation import negator_before
from retrieve.self_query.plan import Finding, either_of
from retrieve.self_query.question import Question, ending_at
from retrieve.self_query.text import same_root

# "before the merger in ...", "during their tour of ..."
_EVENT = re.compile(
    r"(?<![^\W_])(?:before|after|since|during|until|following|in|of|from)\s+"
    r"(?:the|a|an|their|his|her|its|our)\s+(?!end |beginning |start |middle )"
    r"(?:[^\W\d_]+\s+){1,3}(?:in|of|on)\s+(?:the\s+)?$"
)
# "that was founded in ..."
_CLAUSE = re.compile(
    r"(?<=[^\W_]\s)(?:that|which|who|where|when)\s+"
    r"(?:[^\W\d_]+\s+){1,5}(?:in|on|of|since|before|after|until|by)\s+$"
)
# "devices made between ..."
_MADE = re.compile(
    r"(?<![^\W_])(?:made|built|manufactured|produced|bought|born|founded|established)\s+"
    r"(?:in|on|since|before|after|until|by|from|between)\s+$"
)
_TOPIC = re.compile(r"(?<![^\W_])(?:about|concerning|regarding|uber|sobre)\s+(?:the\s+)?$")
_OF = re.compile(r"(?<![^\W_])(?P<noun>[^\W\d_]+)\s+(?:for|of|von|de|du|del)\s+(?:the\s+)?$")
_DETERMINED = re.compile(
    r"(?<![^\W_])(?:the|a|an|this|that|their|its|our|his|her)\s+(?:early\s+|late\s+)?$",
)
_CLAUSE_BREAK = re.compile(r"[;:.!?]|,(?=\s)|\s-\s")
_LETTERS = re.compile(r"[^\W\d_]+")
_NOT_TELLING = frozenset(["date", "at", "on", "year"])
_PARTS = frozenset(["end", "beginning", "start", "middle", "rest", "course"])
_NEXT_CLAUSE = frozenset(["and", "but", "or"])

# How surely a word beside a date points to a field; set by hand on the questions of tests/retrieve/suite.
NAMED, VERB, REPORTED = 1.0, 0.8, 0.5
FARTHER = 0.05
"""Off for each word in between."""
TOLD, UNTOLD = 0.9, 0.7
"""Confidence in a condition whose field the question points to, or leaves to the collection's main date."""

NEAR, NEAR_AFTER = 6, 3
"""Words before and after a date in which a verb may tell its field."""
SLACK = 5
"""Years before the first date that was seen in which dates are still believed to tell of documents."""
LONG_BEFORE = 25
"""As many years before it, not even a verb makes a date one of documents: "who came here in 1945"."""


@dataclass(frozen=True)
class _Dated:
    """A date that is a condition on a field."""

    field: Field
    span: DateSpan
    condition: Condition
    sure: float


def date_findings(
    question: Question, spans: Sequence[DateSpan], catalog: Catalog, today: date
) -> list[Finding]:
    """The conditions that dates make; a date that belongs to the matter of the question makes none."""
    moments, years = catalog.of_type("datetime"), [field for field in catalog.fields if field.is_year]
    found: list[_Dated] = []
    for i, span in enumerate(spans):
        following = spans[i + 1].start if i + 1 < len(spans) else len(question.text) + 1
        field, told = _field_for(question, span, following, moments, years)
        if field is None or _is_matter(question, span, field, told, today):
            continue
        condition = _years(span, field) if field.is_year else _range(span, field)
        if condition is not None:
            found.append(_Dated(field, span, condition, TOLD if told else UNTOLD))
    return _merged(question, found)


def _field_for(
    question: Question, span: DateSpan, following: int, moments: Sequence[Field], years: Sequence[Field]
) -> tuple[Field | None, float]:
    """The field, and how surely a word of the question points to it; 0: none does."""
    near = _words_near(question, span, following)
    ends = [day for day in (span.first, span.stop) if day is not None]
    whole_years = all((day.month, day.day) == (1, 1) for day in ends)
    best, pointed = 0.0, None
    for field in [*moments, *(years if whole_years else ())]:
        score = _pointing(near, field)
        if score > best:
            best, pointed = score, field
    if pointed is not None:
        return pointed, max(points_to(word, pointed) for _, word in near)
    own = [field for field in years if not (moments and field.kinds & field_words().beginnings)]
    if span.bare_year and own:
        return own[0], 0.0
    return min(moments, key=_main_rank, default=None), 0.0


def _pointing(near: Sequence[tuple[int, str]], field: Field) -> float:
    """How surely words beside a date, given with their distance, point to a field."""
    scores = [(points_to(word, field), distance) for distance, word in near]
    return max((score - FARTHER * distance for score, distance in scores if score), default=0.0)


def points_to(word: str, field: Field) -> float:
    """How surely a word beside a date tells that it is one of this field; 0: it does not."""
    if any(same_root(word, own) and own not in _NOT_TELLING for own in field.telling):
        return NAMED
    names = set(field.words)
    if any(word in verb.said and names & verb.fields for verb in field_words().date_verbs):
        return VERB
    return REPORTED if field.is_year and word in field_words().year_told else 0.0


def verbs_of_dates(question: Question, spans: Sequence[DateSpan], catalog: Catalog) -> set[int]:
    """Places of words that tell what happened then ("closed last week"); they are no values beside."""
    moments = catalog.of_type("datetime")
    found: set[int] = set()
    for span in spans:
        last = question.first_past(span.start)
        for at in range(last - 1, max(-1, last - 1 - NEAR), -1):
            if _CLAUSE_BREAK.search(question.folded[question.words[at].end : span.start]):
                break
            if question.norm(at) in field_words().documents:
                break
            if any(points_to(question.norm(at), field) for field in moments):
                found.add(at)
                break
    return found


def main_moment(question: Question, at: int, catalog: Catalog) -> Field | None:
    """The datetime field that "latest" at a place means: the one told beside it, or the main one."""
    near = [(distance, question.norm(at + distance)) for distance in (1, 2, -1)]
    moments = catalog.of_type("datetime")
    best = max(
        moments, key=lambda field: _pointing([(abs(d), word) for d, word in near], field), default=None
    )
    if best is not None and _pointing([(abs(d), word) for d, word in near], best):
        return best
    return min(moments, key=_main_rank, default=None)


def _main_rank(field: Field) -> int:
    main = field_words().main_dates
    named = (rank for rank, word in enumerate(main) if any(same_root(word, own) for own in field.words))
    return next(named, len(main))


def _words_near(question: Question, span: DateSpan, following: int) -> list[tuple[int, str]]:
    """The words of the date's clause: those before it, and a few after it, with their distance.

    Args:
        following: where the next date begins; words beside that one speak of it.
    """
    found = []
    limit = span.atom_start
    last = question.first_past(limit)
    for distance, at in enumerate(range(last - 1, max(-1, last - 1 - NEAR), -1)):
        word = question.words[at]
        if _CLAUSE_BREAK.search(question.folded[word.end : limit]):
            break
        limit = word.start
        found.append((distance, word.norm))
    first = question.first_from(span.end)
    after = question.words[first : first + NEAR_AFTER]
    if after and following <= after[-1].end:
        return found
    limit = span.end
    for distance, word in enumerate(after, 2):
        if _CLAUSE_BREAK.search(question.folded[limit : word.start]) or word.norm in _NEXT_CLAUSE:
            break
        limit = word.end
        found.append((distance, word.norm))
    return found


def _is_matter(question: Question, span: DateSpan, field: Field, told: float, today: date) -> bool:
    """Whether a date tells of the question's matter, and not of the documents."""
    event = not span.relative and ending_at(_EVENT, question.folded, span.atom_start)
    if event and not _documents_before(question, span):
        return True
    if (span.bare_year or _is_month(question, span)) and _names_something(question, span, field):
        return True
    if span.point and not field.is_year and told < NAMED and _is_implausible(span, field, LONG_BEFORE):
        return True
    if told:
        return False
    if _is_implausible(span, field) or ending_at(_CLAUSE, question.folded, span.atom_start):
        return True
    if not field.is_year and ending_at(_MADE, question.folded, span.atom_start):
        return True
    if _is_ahead(span, today) and not (span.relative and _reaches(field, span)):
        return True
    if ending_at(_TOPIC, question.folded, span.start):
        return True
    match = ending_at(_OF, question.folded, span.atom_start) if span.start == span.atom_start else None
    if not match or not span.bare_year or match["noun"] in field_words().documents | _PARTS:
        return False
    return not field.is_year or not (field.named_by(match["noun"]) or match["noun"] in field_words().reported)


def _is_month(question: Question, span: DateSpan) -> bool:
    """Whether it is the name of a month, and no more."""
    return question.folded[span.atom_start : span.end].strip() in calendar_words().month_of


def _names_something(question: Question, span: DateSpan, field: Field) -> bool:
    """ "the 2008 crisis", "the April frost"."""
    place = question.first_from(span.end)
    following = question.norm(place)
    if not following or question.folded[span.end : question.words[place].start].strip(" -"):
        return False
    if following in plain_words().after_dates or following in field_words().documents:
        return False
    determined = ending_at(_DETERMINED, question.folded, span.atom_start)
    return bool(determined) and not (field.is_year and field.named_by(following))


def _is_ahead(span: DateSpan, today: date) -> bool:
    """Whether nothing can have been written then yet."""
    if span.first is not None:
        return span.first > today
    return span.stop is not None and (span.stop - timedelta(days=1)).year > today.year


def _reaches(field: Field, span: DateSpan) -> bool:
    """Whether documents have dates as late as that: sales to come, reviews that are due."""
    return bool(field.span and span.first and field.span[1] >= span.first)


def _is_implausible(span: DateSpan, field: Field, slack: int = SLACK) -> bool:
    """Whether no document can be of that time; ``slack``: years before the first date that was seen."""
    if field.is_year:
        first, last = span.years
        return bool(field.numbers) and not any(
            (first is None or year >= first) and (last is None or year <= last) for year in field.numbers
        )
    return bool(field.span and span.stop and span.stop.year < field.span[0].year - slack)


def _documents_before(question: Question, span: DateSpan) -> bool:
    """Whether one of the four words before a date is a kind of document: "the reports of ..."."""
    tail = _LETTERS.findall(question.folded[max(0, span.atom_start - 80) : span.atom_start])[-4:]
    return any(word in field_words().documents and word != "news" for word in tail)


def _range(span: DateSpan, field: Field) -> Range | None:
    bounds: dict[str, datetime] = {}
    if span.first is not None:
        bounds["gte"] = datetime.combine(span.first, time(), UTC)
    if span.stop is not None:
        bounds["lt"] = datetime.combine(span.stop, time(), UTC)
    return Range(field.name, **bounds) if bounds else None


def _years(span: DateSpan, field: Field) -> Condition | None:
    first, last = span.years
    if first is not None and first == last:
        return MatchValue(field.name, first)
    bounds = {name: value for name, value in (("gte", first), ("lte", last)) if value is not None}
    return Range(field.name, **bounds) if bounds else None


def _merged(question: Question, found: Sequence[_Dated]) -> list[Finding]:
    """Findings; several points of one field are any of them, ranges all."""
    by_field: dict[str, list[_Dated]] = {}
    for item in found:
        by_field.setdefault(item.field.name, []).append(item)
    findings: list[Finding] = []
    for items in by_field.values():
        made = [_finding(question, item) for item in items]
        points = all(item.span.point for item in items)
        findings += [either_of(made)] if points else made
    return findings


def _finding(question: Question, item: _Dated) -> Finding:
    span, field = item.span, item.field
    position = question.first_past(span.start)
    negated = (
        span.point
        and position < len(question.words)
        and negator_before(question, position, field) is not None
    )
    text = question.text[span.start : span.end].strip()
    reason = f"{field.name}{' is not' if negated else ''}: “{text}” ({_said(span)})"
    return Finding(item.condition, ((span.start, span.end),), item.sure, reason, negated=negated)


def _said(span: DateSpan) -> str:
    if span.first is None:
        return f"before {span.stop}"
    return f"from {span.first}" if span.stop is None else f"{span.first} to before {span.stop}"
