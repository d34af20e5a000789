"""Which field a number of a question means, and the condition that it makes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from retrieve.filters import Condition, Filter, MatchAny, MatchValue, Range
from retrieve.self_query.catalog import Field
from retrieve.self_query.numbers import NumberSpan
from retrieve.self_query.plan import Finding
from retrieve.self_query.question import Question
from retrieve.self_query.text import same_root
from retrieve.self_query.units import Unit, unit_of_word

_COMPARED = {
    # Words of comparison, and what they are said of.
    "cheaper": "money", "more expensive": "money", "pricier": "money", "quicker": "time", "faster": "time", "sooner": "time",
    "heavier": "mass", "lighter": "mass", "taller": "length",
}  # fmt: skip
_SKIPPED = frozenset(
    ["the", "a", "an", "of", "is", "are", "was", "were", "be", "with", "at", "in", "for", "to", "has", "have", "had", "that", "which", "than", "and", "no", "not", "only", "must", "should", "under", "over"]
)
_LISTED = re.compile(r"\s*(?:,|or|and|/|,\s*or|oder|und|ou|et|o|y)\s*")
_AGED = ("older than", "younger than", "newer than")
_AGES = frozenset(["age", "year", "old", "experience"])
REACH = 4
"""Words before a number in which its field may be named."""
ENOUGH = 1.0


def number_findings(
    question: Question, spans: Sequence[NumberSpan], fields: Sequence[Field]
) -> list[Finding]:
    """The conditions that numbers make, each on the field that it fits best; others are left to the search."""
    found: list[Finding] = []
    for group in _lists(question, spans):
        ranked = [
            (max(_fit(question, span, field) for span in group), -i, field)
            for i, field in enumerate(fields)
            if not (field.is_year and group[0].unit)
        ]
        score, _, field = max(ranked, key=lambda item: item[:2], default=(0.0, 0, None))
        if score < ENOUGH and (money := _amount_of_money(group, fields)):
            field, score = money, ENOUGH
        if field is not None and score >= ENOUGH:
            unit = next((span.unit for span in group if span.unit), None)
            made = [
                _finding(question, replace(span, unit=unit), field, min(1.0, score / 2)) for span in group
            ]
            found += _either([finding for finding in made if finding is not None])
    return found


def _amount_of_money(group: Sequence[NumberSpan], fields: Sequence[Field]) -> Field | None:
    """The only field of money, for "under 300k": such numbers are hardly ever anything else."""
    span = group[0]
    amounts = [field for field in fields if field.dimension == "money"]
    large = max(span.low or 0, span.high or 0) >= 1000
    plain = span.unit is None and (not span.unit_word or span.unit_word in ("k", "m"))
    return amounts[0] if len(amounts) == 1 and large and plain and span.cue and span.value is None else None


def _lists(question: Question, spans: Sequence[NumberSpan]) -> list[list[NumberSpan]]:
    """Numbers that stand in a list: "2 or 3 bedrooms" are one group."""
    groups: list[list[NumberSpan]] = []
    for span in spans:
        if groups and span.value is not None and groups[-1][-1].value is not None:
            last = groups[-1][-1]
            if last.unit is None and _LISTED.fullmatch(question.folded[last.end : span.number_start]):
                groups[-1].append(span)
                continue
        groups.append([span])
    return groups


def _either(findings: list[Finding]) -> list[Finding]:
    if len(findings) < 2:
        return findings
    conditions = [finding.condition for finding in findings]
    condition: Condition
    if all(isinstance(item, MatchValue) for item in conditions):
        first = conditions[0]
        assert isinstance(first, MatchValue)
        values = tuple(sorted({item.value for item in conditions if isinstance(item, MatchValue)}))
        condition = MatchAny(first.key, values)
    else:
        condition = Filter(should=tuple(conditions))
    spans = tuple(span for finding in findings for span in finding.spans)
    reason = " or ".join(finding.reason for finding in findings)
    return [replace(findings[0], condition=condition, spans=spans, reason=reason)]


def fits_another(question: Question, span: NumberSpan, fields: Sequence[Field]) -> bool:
    """Whether a number that looks like a year is an amount: "1500 words"."""
    return any(
        _fit(question, span, field) >= ENOUGH
        and (span.cue or (span.unit_word and field.named_by(span.unit_word)))
        for field in fields
        if not field.is_year
    )


def _fit(question: Question, span: NumberSpan, field: Field) -> float:
    """How well a number fits a field: by its unit, and by the words around it."""
    if span.cue.startswith(_AGED) and field.dimension != "time" and not _AGES & set(field.words):
        return 0.0
    score = 0.0
    unit = span.unit
    if unit is not None and field.dimension is not None:
        if unit.dimension != field.dimension:
            return 0.0
        score += 1.0
    named = max(_named_after(question, span, field), _named_before(question, span, field))
    if span.value is not None and not named:
        return 0.0  # "3 months" alone may be said of anything
    score += named + (0.2 if named == 1 and len(field.telling) == 1 else 0.0)
    for word, dimension in _COMPARED.items():
        if span.cue.startswith(word) and field.dimension == dimension:
            score += 1.0
    if span.cue and score:
        score += 0.1
    if score and len(field.telling) > 1:
        near = [word.norm for word in question.words if span.start - 40 < word.start < span.word_end + 20]
        score += 0.3 * max(0, sum(any(same_root(word, own) for word in near) for own in field.telling) - 1)
    if field.numbers and not any(_within(number, span) for number in field.numbers):
        score -= 0.3  # nothing would pass
    return score


def _within(number: int, span: NumberSpan) -> bool:
    return (span.low is None or number >= span.low or span.unit is not None) and (
        span.high is None or number <= span.high or span.unit is not None
    )


def _named_after(question: Question, span: NumberSpan, field: Field) -> float:
    """ "4 servings", "10 or more replies", "500 words"."""
    place = next((i for i, word in enumerate(question.words) if word.start >= span.number_start), None)
    if place is None:
        return 0.0
    following = [
        word
        for word in question.words[place:]
        if word.end <= span.word_end + 40 and word.start >= span.number_start
    ]
    best, steps = 0.0, 0
    for word in following:
        if (
            (word.start < span.end
            and word.norm != span.unit_word)
            or word.norm in _SKIPPED
            or word.norm in ("or", "more", "less", "fewer")
        ):
            continue
        gap = question.folded[span.end : word.start]
        if any(mark in gap for mark in ",;:.!?()"):
            break
        steps += 1
        if steps > 2:
            break
        named = field.named_by(word.norm)
        if named and not (unit_of_word(word.norm) and field.dimension is None and named < 1):
            best = max(
                best, named * (1.0 if steps == 1 else 0.8) + (0.4 if named < 1 and steps == 1 else 0.0)
            )
    return best


def _named_before(question: Question, span: NumberSpan, field: Field) -> float:
    """ "rating above 4", "serves 4", "a team of 5"."""
    before = [word for word in question.words if word.end <= span.start]
    best, steps = 0.0, 0
    limit = span.start
    for word in reversed(before):
        gap = question.folded[word.end : limit]
        if any(mark in gap for mark in ",;.!?()") or (re.search(r"\d", word.norm) and steps):
            break
        limit = word.start
        if word.norm in _SKIPPED or (
            not steps and word.norm in field.words and word.norm not in field.telling
        ):
            continue
        steps += 1
        if steps > REACH:
            break
        named = field.named_by(word.norm)
        if named:
            close = 1.0 if steps == 1 else 0.9 if named == 1 and steps == 2 else 0.75 if span.cue else 0.5
            best = max(best, named * close + (0.4 if named < 1 and (steps == 1 or span.cue) else 0.0))
    return best


def _finding(question: Question, span: NumberSpan, field: Field, confidence: float) -> Finding | None:
    low, high = (_in_field(value, span.unit, field) for value in (span.low, span.high))
    if (low is None) != (span.low is None) or (high is None) != (span.high is None):
        return None
    text = question.text[
        span.start : max(span.end, span.word_end if span.unit or span.unit_word else span.end)
    ]
    reason = f"{field.name}: “{text.strip()}”"
    place = ((span.start, span.end),)
    if span.value is not None and low is not None:
        if field.type == "integer":
            if not low.is_integer() or (field.numbers and int(low) not in field.numbers):
                return None  # a number that no document has is no condition
            return Finding(MatchValue(field.name, int(low)), place, confidence, reason)
        return Finding(Range(field.name, gte=low, lte=low), place, confidence, reason)
    bounds: dict[str, int | float] = {}
    if low is not None:
        bounds["gt" if span.low_open else "gte"] = _plain(low, field)
    if high is not None:
        bounds["lt" if span.high_open else "lte"] = _plain(high, field)
    return Finding(Range(field.name, **bounds), place, confidence, reason)


def _in_field(value: float | None, unit: Unit | None, field: Field) -> float | None:
    """A number in the field's own unit."""
    if value is None:
        return None
    if field.unit is None:
        return value
    if unit is None:
        # "revenue over 5": in the field's unit as it stands; "over 5 million" in millions is 5.
        scaled = field.unit.dimension == "money" and field.unit.factor > 1 and value >= field.unit.factor
        return value / field.unit.factor if scaled else value
    return unit.convert(value, field.unit)


def _plain(value: float, field: Field) -> int | float:
    return int(value) if value.is_integer() and field.type == "integer" else value
