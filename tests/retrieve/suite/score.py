"""Scores a reader on the suite of questions: does it find the filter that a careful librarian would set?"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from configs.sections import FieldHint
from retrieve.filters import (
    Condition,
    Filter,
    MatchAny,
    MatchValue,
    Range,
    parse_filter,
    to_json,
)
from retrieve.self_query.catalog import Catalog, catalog_of
from tests.retrieve.naive import passes

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """A question, and the filter that it means."""

    question: str
    kind: str
    filter: Filter | None
    sorted: bool = False
    """Whether it asks for an order as well."""


@dataclass(frozen=True)
class Collection:
    """A schema with its documents and questions."""

    name: str
    today: date
    catalog: Catalog
    documents: Sequence[Mapping[str, Any]]
    cases: Sequence[Case]


@dataclass
class Score:
    """What a reader did on some questions."""

    total: int = 0
    right: int = 0
    excluding: int = 0
    """Questions whose filter leaves out a document that the right one passes."""
    misses: list[str] = field(default_factory=list)


def load(path: Path) -> Collection:
    """A collection of the suite."""
    data = json.loads(path.read_text(encoding="utf-8"))
    types = {name: spec["type"] for name, spec in data["fields"].items()}
    hints = {name: FieldHint.model_validate(hint) for name, hint in data["hints"].items()}
    cases = []
    for item in data["questions"]:
        wanted = parse_filter(item["filter"], types) if item["filter"] else None
        cases.append(Case(item["question"], item["kind"], wanted, "sort" in item))
    documents = [
        {"id": str(i), "_dl": {}, **{n: _stored(v, types[n]) for n, v in document.items()}}
        for i, document in enumerate(data["documents"])
    ]
    catalog = catalog_of(data["documents"], types, hints)
    return Collection(data["schema"], date.fromisoformat(data["today"]), catalog, documents, cases)


def score(
    collections: Sequence[Collection], read: Callable[[Collection], Callable[[str], Filter | None]]
) -> dict[str, Score]:
    """Scores by kind, and under ``all``."""
    scores: dict[str, Score] = defaultdict(Score)
    for collection in collections:
        reader = read(collection)
        for case in collection.cases:
            given = reader(case.question)
            right = canonical(given) == canonical(case.filter)
            excluding = _excludes(given, case.filter, collection.documents)
            for name in (case.kind, "all"):
                scores[name].total += 1
                scores[name].right += right
                scores[name].excluding += excluding
            if not right:
                scores["all"].misses.append(
                    f"[{collection.name}/{case.kind}] {case.question}\n"
                    f"    wanted {shown(case.filter)}\n    given  {shown(given)}"
                )
    return dict(scores)


def shown(item: Filter | None) -> str:
    """A filter on one line."""
    return json.dumps(to_json(item), ensure_ascii=False) if item else "none"


def _excludes(given: Filter | None, wanted: Filter | None, documents: Sequence[Mapping[str, Any]]) -> bool:
    if given is None:
        return False
    return any(
        (wanted is None or passes(wanted, document)) and not passes(given, document) for document in documents
    )


def canonical(item: Condition | None) -> object:
    """A form in which filters that mean the same are equal: clauses as sets, bounds of integers closed."""
    if item is None:
        return None
    if isinstance(item, Filter):
        must = _flat(item.must, "must")
        if len(must) == 1 and not (item.should or item.must_not):
            (only,) = must
            if isinstance(only, tuple) and only and only[0] == "filter":
                return only
        parts = (frozenset(must), frozenset(canonical(c) for c in item.should), _negated(item))
        return ("filter", *parts) if any(parts) else None
    if isinstance(item, MatchAny):
        return ("any", item.key, item.values)
    if isinstance(item, MatchValue):
        return ("any", item.key, (item.value,))
    if isinstance(item, Range):
        bounds: dict[str, Any] = {}
        for name, value in item.bounds().items():
            if isinstance(value, datetime):
                bounds[name] = value.astimezone(UTC).isoformat()
            elif isinstance(value, int) and name in ("gt", "lt"):
                # Of whole numbers "over 3" is "4 or more".
                bounds["gte" if name == "gt" else "lte"] = value + (1 if name == "gt" else -1)
            else:
                bounds[name] = value
        return ("range", item.key, frozenset(bounds.items()))
    return item


def _flat(items: Sequence[Condition], clause: str) -> set[object]:
    found: set[object] = set()
    for item in items:
        if isinstance(item, Filter) and clause == "must" and item.must and not (item.should or item.must_not):
            found |= _flat(item.must, "must")
        else:
            found.add(canonical(item))
    return found


def _negated(item: Filter) -> frozenset[object]:
    """ "not a, not b" is "neither a nor b"."""
    values: dict[str, set[Any]] = defaultdict(set)
    others: set[object] = set()
    for condition in item.must_not:
        if isinstance(condition, MatchValue):
            values[condition.key].add(condition.value)
        elif isinstance(condition, MatchAny):
            values[condition.key] |= set(condition.values)
        else:
            others.add(canonical(condition))
    return frozenset(others | {("any", key, tuple(sorted(found))) for key, found in values.items()})


def _stored(value: Any, kind: str) -> Any:
    if kind != "datetime" or not isinstance(value, str):
        return value
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
