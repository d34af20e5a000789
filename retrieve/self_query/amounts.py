"""Which field a number of a question means, and the condition that it makes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from retrieve.filter_values import INTEGER_LIMIT
from retrieve.filters import MatchValue, Range
from retrieve.self_query.catalog import Field
from retrieve.self_query.lexicon import amount_words, field_words
from retrieve.self_query.numbers import NumberSpan, in_metres
from retrieve.self_query.plan import Finding, either_of
from retrieve.self_query.question import Question
from retrieve.self_query.text import same_root
from retrieve.self_query.units import Unit, scale_of_name, unit_of_word

_LISTED = re.compile(r"\s*(?:,|or|and|/|,\s*or|oder|und|ou|et|o|y)\s*")
_AGED = ("older than", "younger than", "newer than")
_MORE_OR_LESS = frozenset(["or", "more", "less", "fewer"])

# What speaks for a number meaning a field is added up. The weights were set by hand on the questions of
# tests/retrieve/suite, as those of `support` were.
ENOUGH = 1.0
SAME_UNIT = 1.0
COMPARED = 1.0
"""A word of comparison is said of the field's dimension: "cheaper than"."""
CUED = 0.1
"""There is a word of comparison at all."""
ONE_NAME = 0.2
"""All that the field's name says was said."""
MORE_OF_NAME = 0.3
"""Each further word of the field's name nearby."""
NOTHING_PASSES = -0.3
LIKE_NAME = 0.4
"""The field is called by a word like its name, right beside the number."""
LARGE = 1000
"""Amounts of money from here on need no unit where only one field holds money."""
_FASTER = ("faster", "quicker")
REACH = 4
"""Words before a number in which its field may be named."""
REACH_AFTER = 2
NEARBY_BEFORE, NEARBY_AFTER, CLOSE_AFTER = 40, 20, 40
"""Characters around a number in which words of its field's name count."""


def number_findings(
    question: Question, spans: Sequence[NumberSpan], fields: Sequence[Field]
) -> list[Finding]:
    """The conditions that numbers make, each on the field that it fits best; others are left out."""
    found: list[Finding] = []
    for group in _lists(question, spans):
        score, field = _best(question, group, fields)
        if field is not None and score >= ENOUGH:
            meant = [_meant(span, field) for span in group]
            unit = next((span.unit for span in meant if span.unit), None)
            sure = min(1.0, score / 2)
            made = [_finding(question, replace(span, unit=unit), field, sure) for span in meant]
            read = [finding for finding in made if finding is not None]
            found += [either_of(read)] if read else []
    return found


def _best(
    question: Question, group: Sequence[NumberSpan], fields: Sequence[Field]
) -> tuple[float, Field | None]:
    """The field that a number, or one of a list of numbers, fits best; the first of those that fit alike."""
    score, best = 0.0, None
    for field in fields:
        if field.is_year and group[0].unit:
            continue
        here = max(_fit(question, _meant(span, field), field) for span in group)
        if best is None or here > score:
            score, best = here, field
    if score < ENOUGH and (money := _field_of_money(group[0], fields)):
        return ENOUGH, money
    return score, best


def _meant(span: NumberSpan, field: Field) -> NumberSpan:
    """What a number means if it is said of this field."""
    if span.named is not None and any(same_root(span.named[0], own) for own in field.telling):
        span = span.named[1]
    return in_metres(span) if span.metres and field.dimension == "length" else span


def _field_of_money(span: NumberSpan, fields: Sequence[Field]) -> Field | None:
    """The only field of money, for "under 300k": such numbers are hardly ever anything else."""
    amounts = [field for field in fields if field.dimension == "money"]
    large = max(span.low or 0, span.high or 0) >= LARGE
    verb = bool(field_words().groups_of(span.unit_word))  # "below 300k published since May"
    plain = span.unit is None and (span.unit_word in ("", "k", "m") or verb)
    return amounts[0] if len(amounts) == 1 and large and plain and span.cue and span.value is None else None


def _lists(question: Question, spans: Sequence[NumberSpan]) -> list[list[NumberSpan]]:
    """Numbers that stand in a list: "2 or 3 bedrooms" are one group."""
    groups: list[list[NumberSpan]] = []
    for span in spans:
        if groups and _continues(question, groups[-1][-1], span):
            groups[-1].append(span)
        else:
            groups.append([span])
    return groups


def _continues(question: Question, last: NumberSpan, span: NumberSpan) -> bool:
    plain = span.value is not None and last.value is not None and last.unit is None
    return plain and bool(_LISTED.fullmatch(question.folded[last.end : span.number_start]))


def fits_another(question: Question, span: NumberSpan, fields: Sequence[Field]) -> bool:
    """Whether a number that looks like a year is an amount: "1500 words"."""
    return any(
        (span.cue or (span.unit_word and field.named_by(span.unit_word)))
        and _fit(question, span, field) >= ENOUGH
        for field in fields
        if not field.is_year
    )


def names_of_amounts(
    question: Question, spans: Sequence[NumberSpan], fields: Sequence[Field]
) -> Iterator[int]:
    """Places of words before a compared number that name its field: "a budget of more than 5 million"."""
    for span in spans:
        last = question.first_past(span.start)
        for at in range(max(0, last - REACH), last) if span.cue else ():
            if any(field.named_by(question.norm(at)) == 1 for field in fields):
                yield at


def _fit(question: Question, span: NumberSpan, field: Field) -> float:
    """How well a number fits a field: by its unit, and by the words around it."""
    ages = field_words().ages
    if span.cue.startswith(_AGED) and field.dimension != "time" and not ages & field.kinds:
        return 0.0
    score = 0.0
    if span.unit is not None and field.dimension is not None:
        if span.unit.dimension != field.dimension:
            return 0.0
        score += SAME_UNIT
    named = max(_named_after(question, span, field), _named_before(question, span, field), float(span.told))
    if span.value is not None and not named:
        return 0.0  # "3 months" alone may be said of anything
    score += named + (ONE_NAME if named == 1 and len(field.telling) == 1 else 0.0)
    if span.cue.startswith(amount_words().compared.get(field.dimension or "", ())):
        score += COMPARED
    if span.cue and score:
        score += CUED
    if score and len(field.telling) > 1:
        score += MORE_OF_NAME * max(0, _words_of_name_near(question, span, field) - 1)
    said = field.named_by(span.unit_word) == 1  # "50+ reactions", though nothing has so many
    if field.numbers and not said and not any(_within(number, span, field) for number in field.numbers):
        score += NOTHING_PASSES
    return score


def _words_of_name_near(question: Question, span: NumberSpan, field: Field) -> int:
    first = question.first_from(span.start - NEARBY_BEFORE + 1)
    near = [word.norm for word in question.words[first : question.first_from(span.word_end + NEARBY_AFTER)]]
    return sum(any(same_root(word, own) for word in near) for own in field.telling)


def _within(number: int, span: NumberSpan, field: Field) -> bool:
    low, high = (_in_field(value, span.unit, field) for value in (span.low, span.high))
    return (low is None or number >= low) and (high is None or number <= high)


def _named_after(question: Question, span: NumberSpan, field: Field) -> float:
    """ "4 servings", "10 or more replies", "500 words"."""
    best, steps = 0.0, 0
    first, last = question.first_from(span.number_start), question.first_past(span.word_end + CLOSE_AFTER)
    for word in question.words[first:last]:
        inside = word.start < (span.amount_end or span.end) and word.norm != span.unit_word
        if inside or word.norm in amount_words().passed or word.norm in _MORE_OR_LESS:
            continue
        if any(mark in question.folded[span.amount_end or span.end : word.start] for mark in ",;:.!?()"):
            break
        steps += 1
        if steps > REACH_AFTER:
            break
        named = field.named_by(word.norm)
        if named and not (unit_of_word(word.norm) and field.dimension is None and named < 1):
            close = 1.0 if steps == 1 else 0.8
            best = max(best, named * close + (LIKE_NAME if named < 1 and steps == 1 else 0.0))
    return best


def _named_before(question: Question, span: NumberSpan, field: Field) -> float:
    """ "rating above 4", "serves 4", "a team of 5"."""
    best, steps = 0.0, 0
    limit = span.start
    for at in range(question.first_past(span.start) - 1, -1, -1):
        word = question.words[at]
        gap = question.folded[word.end : limit]
        if any(mark in gap for mark in ",;.!?()") or (steps and any(c.isdecimal() for c in word.norm)):
            break
        limit = word.start
        told = word.norm in field.telling or word.norm not in field.words
        if word.norm in amount_words().passed or not (steps or told):
            continue
        steps += 1
        if steps > REACH:
            break
        if named := field.named_by(word.norm):
            close = 1.0 if steps == 1 else 0.9 if named == 1 and steps == 2 else 0.75 if span.cue else 0.5
            beside = named < 1 and (steps == 1 or span.cue)
            best = max(best, named * close + (LIKE_NAME if beside else 0.0))
    return best


def _finding(question: Question, span: NumberSpan, field: Field, sure: float) -> Finding | None:
    if span.cue.startswith(_FASTER) and field.dimension != "time":
        # Of a rate, faster is more: "faster than 170 bpm".
        span = replace(span, low=span.high, low_open=span.high_open, high=None, high_open=False)
    low, high = (_in_field(value, span.unit, field) for value in (span.low, span.high))
    if (low is None) != (span.low is None) or (high is None) != (span.high is None):
        return None  # in another currency, or too large
    end = max(span.end, span.word_end) if span.unit or span.unit_word else span.end
    reason = f"{field.name}: “{question.text[span.start : end].strip()}”"
    place = ((span.start, span.end),)
    if span.value is None or low is None:
        return Finding(_range(span, low, high, field), place, sure, reason)
    if field.type != "integer":
        return Finding(Range(field.name, gte=low, lte=low), place, sure, reason)
    if not low.is_integer() or (field.numbers and int(low) not in field.numbers):
        return None  # a number that no document has is no condition
    return Finding(MatchValue(field.name, int(low)), place, sure, reason)


def _range(span: NumberSpan, low: float | None, high: float | None, field: Field) -> Range:
    bounds: dict[str, int | float] = {}
    if low is not None:
        bounds["gt" if span.low_open else "gte"] = _plain(low, field)
    if high is not None:
        bounds["lt" if span.high_open else "lte"] = _plain(high, field)
    return Range(field.name, **bounds)


def _in_field(value: float | None, unit: Unit | None, field: Field) -> float | None:
    """A number in the field's own unit; None: it does not compare, or no field can hold it."""
    if value is None:
        return None
    found: float | None = value
    if field.unit is not None and unit is not None:
        found = unit.convert(value, field.unit)
    elif field.unit is not None and field.unit.dimension == "money":
        # "revenue over 5": in the field's unit as it stands; "over 5 million" in millions is 5.
        factor = field.unit.factor
        found = value / factor if factor > 1 and value >= factor else value
    elif field.unit is None and value >= (factor := scale_of_name(field.words)) > 1:
        found = value / factor  # "over 40,000 listeners" in listeners_thousand
    return found if found is not None and found < INTEGER_LIMIT else None


def _plain(value: float, field: Field) -> int | float:
    return int(value) if value.is_integer() and field.type == "integer" else value
