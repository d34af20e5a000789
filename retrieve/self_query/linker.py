"""The linker: reads conditions out of a question without a model.

It compares the question's words with the fields and the values that a caller may see, reads dates and
numbers, and keeps what the words around them support. What it is not sure of stays in the search.

    plan = Linker(catalog).read("articles by Osei on pumps since March", date(2026, 5, 14))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from types import MappingProxyType

from retrieve.self_query.amounts import fits_another, names_of_amounts, number_findings
from retrieve.self_query.catalog import Catalog, Field
from retrieve.self_query.choice import Readings, choose
from retrieve.self_query.dates import DateSpan, read_dates
from retrieve.self_query.either import either_or
from retrieve.self_query.flags import bool_findings, empty_findings
from retrieve.self_query.mentions import Mention, ValueIndex
from retrieve.self_query.moments import date_findings, verbs_of_dates
from retrieve.self_query.numbers import NumberSpan, bare_numbers, compared
from retrieve.self_query.orders import sort_of
from retrieve.self_query.plan import Finding, QueryPlan
from retrieve.self_query.question import Question
from retrieve.self_query.remainder import lists_topics, remainder, says_little, says_nothing
from retrieve.self_query.roles import role_findings
from retrieve.self_query.text import clean
from retrieve.self_query.values import value_findings

LONGEST = 10_000
"""Characters of a question in which conditions are looked for; what is longer is a pasted document."""
_NO_RANKS: Mapping[str, int] = MappingProxyType({})


class Linker:
    """Reads questions over one catalog; several threads may use it."""

    def __init__(self, catalog: Catalog, ranks: Mapping[str, int] = _NO_RANKS) -> None:
        """``ranks``: words of the language, folded, by how frequent they are: no misspelt values."""
        self._catalog = catalog
        self._index = ValueIndex(catalog, ranks)
        self._amounts = catalog.of_type("integer", "float")
        self._roles = {field.name: field.role for field in catalog.of_type("keyword")}

    def read(self, text: str, today: date) -> QueryPlan:
        """The plan for a question."""
        whole = clean(text)
        question = Question(whole[:LONGEST])
        findings = self.findings(question, today)
        left = remainder(question, findings, self._roles) + whole[LONGEST:]
        text = whole.strip() if says_little(left) else left
        sort = sort_of(question, self._catalog)
        wanted = any(not finding.negated for finding in findings)
        listing = wanted and (says_nothing(left) or lists_topics(question, findings))
        return QueryPlan(whole, text, tuple(findings), sort, listing=listing)

    def findings(self, question: Question, today: date) -> list[Finding]:
        """The conditions of a question, in the order in which they stand there."""
        dates = read_dates(question.folded, today)
        numbers = bare_numbers(question.folded)
        spans = compared(question.folded, numbers)
        mentions = self._index.find(question.words)
        roles = role_findings(question, mentions)
        mentions = [mention for mention in mentions if not _is_taken(question, mention, roles)]
        chosen = choose(question, mentions, self._readings(question, dates, spans))
        taken = {i for item in chosen for i in range(item.mention.first, item.mention.last + 1)}
        named = taken | _within_names(question, mentions, dates)
        dates = self._dates(question, dates, spans, named)
        found = roles + value_findings(question, chosen)
        found += date_findings(question, dates, self._catalog, today)
        read = {at for span in dates for at in question.within(span.start, span.end)} | taken
        numbers = [n for n in numbers if read.isdisjoint(question.within(n.number_start, n.end))]
        found += number_findings(question, compared(question.folded, numbers), self._amounts)
        found += bool_findings(question, self._catalog.of_type("bool"), taken)
        found += empty_findings(question, self._catalog.fields, taken)
        ordered = sorted(found, key=lambda finding: finding.spans[0])
        return either_or(question, ordered, self._catalog.fields)

    def _readings(
        self, question: Question, dates: Sequence[DateSpan], numbers: Sequence[NumberSpan]
    ) -> Readings:
        places = [(span.atom_start, span.end) for span in dates]
        verbs = frozenset(verbs_of_dates(question, dates, self._catalog))
        amounts = {
            at: span.number_start for span in numbers if span.cue for at in range(span.start, span.end)
        }
        return Readings(places, verbs, amounts, frozenset(names_of_amounts(question, numbers, self._amounts)))

    def _dates(
        self,
        question: Question,
        dates: Sequence[DateSpan],
        numbers: Sequence[NumberSpan],
        taken: set[int],
    ) -> list[DateSpan]:
        """The dates that are no part of a value, and no amount: "1500 words"."""
        at = {place: number for number in numbers for place in range(number.number_start, number.end)}
        found = []
        for span in dates:
            if not taken.isdisjoint(question.within(span.atom_start, span.end)):
                continue
            here = [at[place] for place in range(span.atom_start, span.end) if place in at]
            if not (span.bare_year and _fit_others(question, here, self._amounts)):
                found.append(span)
        return found


def _within_names(question: Question, mentions: Sequence[Mention], dates: Sequence[DateSpan]) -> set[int]:
    """Places of words of names that say more than a date: "August Brandt" is no August."""
    dated = {at for span in dates for at in question.within(span.atom_start, span.end)}
    names = (m for m in mentions if m.how == "exact" and not m.typo and m.field.role == "agent")
    places = (range(mention.first, mention.last + 1) for mention in names)
    return {at for place in places if not dated.issuperset(place) for at in place}


def _is_taken(question: Question, mention: Mention, findings: Sequence[Finding]) -> bool:
    start, end = question.words[mention.first].start, question.words[mention.last].end
    return any(start < last and first < end for finding in findings for first, last in finding.spans)


def _fit_others(question: Question, numbers: Iterable[NumberSpan], fields: Sequence[Field]) -> bool:
    return any(fits_another(question, number, fields) for number in dict.fromkeys(numbers))
