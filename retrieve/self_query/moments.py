"""Which field a date of a question means, whether it is a condition, and the condition that it makes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from retrieve.filters import Condition, Filter, MatchAny, MatchValue, Range
from retrieve.self_query.catalog import Catalog, Field
from retrieve.self_query.dates import DateSpan
from retrieve.self_query.lexicon import DATE_VERBS, DOCUMENTS, MAIN_DATES
from retrieve.self_query.negation import negator_before
from retrieve.self_query.plan import Finding
from retrieve.self_query.question import Question
from retrieve.self_query.text import same_root

_EVENT = re.compile(
    r"(?<![^\W_])(?:before|after|since|during|until|following|in|of|from)\s+(?:the|a|an|their|his|her|its|our)\s+(?!end |beginning |start |middle )(?:[^\W\d_]+\s+){1,3}(?:in|of|on)\s+(?:the\s+)?$"
)
_OF = re.compile(r"(?<![^\W_])(?P<noun>[^\W\d_]+)\s+(?:for|of|von|de|du|del)\s+(?:the\s+)?$")
_DETERMINED = re.compile(r"(?<![^\W_])(?:the|a|an|this|that|their|its|our|his|her)\s+(?:early\s+|late\s+)?$")
_CLAUSE_BREAK = re.compile(r"[;:.!?]|,(?=\s)|\s-\s")
NEAR = 6
"""Words before a date in which a verb may tell its field."""


def date_findings(
    question: Question, spans: Sequence[DateSpan], catalog: Catalog, today: date
) -> list[Finding]:
    """The conditions that dates make; a date that belongs to the matter of the question makes none."""
    moments, years = catalog.of_type("datetime"), [field for field in catalog.fields if field.is_year]
    found: list[tuple[Field, DateSpan, Condition, float]] = []
    for span in spans:
        chosen = _field_for(question, span, spans, moments, years)
        if chosen is None:
            continue
        field, told = chosen
        if _is_matter(question, span, field, told, today):
            continue
        condition = _year_condition(span, field) if field.is_year else _range(span, field)
        if condition is not None:
            found.append((field, span, condition, 0.9 if told else 0.7))
    return _merged(question, found)


def _field_for(
    question: Question,
    span: DateSpan,
    spans: Sequence[DateSpan],
    moments: Sequence[Field],
    years: Sequence[Field],
) -> tuple[Field, bool] | None:
    """The field, and whether the question's words point to it."""
    near = _words_near(question, span, spans)
    best: tuple[float, Field] | None = None
    whole_years = (span.first is None or (span.first.month, span.first.day) == (1, 1)) and (
        span.stop is None or (span.stop.month, span.stop.day) == (1, 1)
    )
    for field in [*moments, *(years if whole_years else ())]:
        score = _pointing(near, field)
        if score and (best is None or score > best[0]):
            best = (score, field)
    if best is not None:
        return best[1], True
    if span.bare_year and years:
        return years[0], False
    if not moments:
        return None
    return min(moments, key=_main_rank), False


def _pointing(near: Sequence[tuple[int, str]], field: Field) -> float:
    best = 0.0
    for distance, word in near:
        score = 0.0
        if any(same_root(word, own) and own not in ("date", "at", "on", "year") for own in field.telling):
            score = 1.0
        elif any(set(field.words) & names and word in verbs for names, verbs in DATE_VERBS):
            score = 0.8
        elif field.is_year and word in (
            "fiscal",
            "fy",
            "year",
            "revenue",
            "revenues",
            "sales",
            "profit",
            "geschaftsjahr",
            "exercice",
        ):
            score = 0.5
        if score:
            best = max(best, score - 0.05 * distance)
    return best


def verbs_of_dates(question: Question, spans: Sequence[DateSpan], catalog: Catalog) -> set[int]:
    """Places of words that tell what happened then ("closed last week"); they are no values beside."""
    found: set[int] = set()
    for span in spans:
        before = [i for i, word in enumerate(question.words) if word.end <= span.start][-2:]
        for i in before:
            word = question.words[i].norm
            if not _CLAUSE_BREAK.search(question.folded[question.words[i].end : span.start]) and any(
                _pointing([(0, word)], field) for field in catalog.of_type("datetime")
            ):
                found.add(i)
    return found


def _main_rank(field: Field) -> int:
    for rank, word in enumerate(MAIN_DATES):
        if word in field.words or any(same_root(word, own) for own in field.words):
            return rank
    return len(MAIN_DATES)


def _words_near(question: Question, span: DateSpan, spans: Sequence[DateSpan]) -> list[tuple[int, str]]:
    """The words of the date's clause: those before it, and a few after it, with their distance."""
    before = [word for word in question.words if word.end <= span.atom_start]
    found = []
    limit = span.atom_start
    for distance, word in enumerate(reversed(before[-NEAR:])):
        if _CLAUSE_BREAK.search(question.folded[word.end : limit]):
            break
        limit = word.start
        found.append((distance, word.norm))
    after = [word for word in question.words if word.start >= span.end][:3]
    if after and any(other.start > span.start and other.start <= after[-1].end for other in spans):
        after = []  # they speak of the next date
    limit = span.end
    for distance, word in enumerate(after, 2):
        if _CLAUSE_BREAK.search(question.folded[limit : word.start]) or word.norm in ("and", "but", "or"):
            break
        limit = word.end
        found.append((distance, word.norm))
    return found


def _is_matter(question: Question, span: DateSpan, field: Field, told: bool, today: date) -> bool:
    """Whether a date tells of the question's matter, and not of the documents."""
    before = question.folded[: span.atom_start]
    if _EVENT.search(before) and not _is_document(before):
        return True
    following = next((word for word in question.words if word.start >= span.end), None)
    joined = following is not None and not question.folded[span.end : following.start].strip(" -")
    modifies = joined and following is not None and following.norm not in _AFTER_DATES
    if span.bare_year and modifies and following is not None and following.norm not in DOCUMENTS:
        named = field.is_year and any(field.named_by(word) for word in (following.norm,))
        if _DETERMINED.search(before) and not named:
            return True
    if told:
        return False
    if _is_implausible(span, field) or _CLAUSE.search(before):
        return True
    latest = span.stop - timedelta(days=1) if span.stop else span.first
    if not span.relative and (
        (span.first or date.min) > today or (span.first is None and latest and latest.year > today.year)
    ):
        return True  # nothing was written yet
    match = _OF.search(before)
    if not match or not span.bare_year or match["noun"] in DOCUMENTS:
        return False
    return not field.is_year or not (field.named_by(match["noun"]) or match["noun"] in _REPORTED)


_CLAUSE = re.compile(
    r"(?<=[^\W_]\s)(?:that|which|who|where|when)\s+(?:[^\W\d_]+\s+){1,5}(?:in|on|of|since|before|after|until|by)\s+$"
)
_REPORTED = frozenset(
    ["fiscal", "revenue", "revenues", "sales", "profit", "results", "figures", "numbers", "end", "start", "beginning"]
)
SLACK = 5
"""Years before the first date that was seen in which dates are still believed to tell of documents."""


def _is_implausible(span: DateSpan, field: Field) -> bool:
    """Whether no document can be of that time."""
    if field.is_year:
        first, last = span.years
        return bool(field.numbers) and not any(
            (first is None or year >= first) and (last is None or year <= last) for year in field.numbers
        )
    return bool(field.span and span.stop and span.stop.year < field.span[0].year - SLACK)


_AFTER_DATES = frozenset(
    ["about", "on", "regarding", "concerning", "that", "which", "who", "and", "or", "but", "in", "by", "from", "with", "where", "how", "what", "did", "do", "does", "is", "are", "was", "were", "for", "to", "of", "mention", "mentions", "say", "says", "the", "a", "an", "uber", "sur", "sobre", "mit", "von", "de"]
)


def _is_document(before: str) -> bool:
    tail = re.findall(r"[^\W\d_]+", before)[-4:]
    return any(word in DOCUMENTS and word != "news" for word in tail)


def _range(span: DateSpan, field: Field) -> Range | None:
    bounds: dict[str, datetime] = {}
    if span.first is not None:
        bounds["gte"] = datetime.combine(span.first, time(), UTC)
    if span.stop is not None:
        bounds["lt"] = datetime.combine(span.stop, time(), UTC)
    return Range(field.name, **bounds) if bounds else None


def _year_condition(span: DateSpan, field: Field) -> Condition | None:
    first, last = span.years
    if first is not None and first == last:
        return MatchValue(field.name, first)
    bounds = {name: value for name, value in (("gte", first), ("lte", last)) if value is not None}
    return Range(field.name, **bounds) if bounds else None


def _negated(question: Question, span: DateSpan, field: Field) -> bool:
    position = next((i for i, word in enumerate(question.words) if word.end > span.start), None)
    return span.point and position is not None and negator_before(question, position, field) is not None


def _merged(question: Question, found: Sequence[tuple[Field, DateSpan, Condition, float]]) -> list[Finding]:
    """Findings; two points of one field are either of them, two ranges both."""
    findings: list[Finding] = []
    by_field: dict[str, list[tuple[Field, DateSpan, Condition, float]]] = {}
    for item in found:
        by_field.setdefault(item[0].name, []).append(item)
    for items in by_field.values():
        made = [_finding(question, *item) for item in items]
        points = [finding for finding, item in zip(made, items, strict=True) if item[1].point]
        if len(points) > 1 and len(points) == len(made):
            findings.append(_either(points))
        else:
            findings += made
    return findings


def _either(points: Sequence[Finding]) -> Finding:
    conditions = [point.condition for point in points]
    condition: Condition
    if all(isinstance(item, MatchValue) for item in conditions):
        key = conditions[0].key  # type: ignore[union-attr]
        condition = MatchAny(key, tuple(sorted({item.value for item in conditions})))  # type: ignore[union-attr,type-var]
    else:
        condition = Filter(should=tuple(conditions))
    spans = tuple(span for point in points for span in point.spans)
    return replace(points[0], condition=condition, spans=spans, reason=" or ".join(p.reason for p in points))


def _finding(question: Question, field: Field, span: DateSpan, condition: Condition, sure: float) -> Finding:
    text = question.text[span.start : span.end].strip()
    negated = _negated(question, span, field)
    reason = f"{field.name}{' is not' if negated else ''}: “{text}” ({_said(span)})"
    return Finding(condition, ((span.start, span.end),), sure, reason, negated=negated)


def _said(span: DateSpan) -> str:
    if span.first is None:
        return f"before {span.stop}"
    return f"from {span.first}" if span.stop is None else f"{span.first} to before {span.stop}"
