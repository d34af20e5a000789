"""What the fields of a store hold: how many documents have each, from where, which values, which range."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.ledger import Ledger
from retrieve.schema import RESERVED, RESERVED_FIELDS, FieldType
from retrieve.store.base import ORDERED, Store

MOST_VALUES = 10_000
"""Different values of a field that are told apart; further ones are counted as one more."""
COMMONEST = 5
SHOWN = 40
"""Characters of a value in a line."""


@dataclass
class FieldStatistics:
    """Of one field, over the documents of a store."""

    type: FieldType
    documents: int = 0
    values: Counter[Any] = field(default_factory=Counter)
    """How many documents have each."""
    more: bool = False
    """There are further values than those counted."""
    origins: Counter[str] = field(default_factory=Counter)
    """How many documents have it from which extractor."""
    low: Any = None
    high: Any = None

    def add(self, value: Any, origin: str | None) -> None:
        """Count one document's value, or list of values."""
        if origin:
            self.origins[origin] += 1
        for item in dict.fromkeys(value if isinstance(value, list) else [value]):
            if item in self.values or len(self.values) < MOST_VALUES:
                self.values[item] += 1
            else:
                self.more = True
            if self.type in ORDERED and isinstance(item, str) == (self.type == "datetime"):
                self.low = item if self.low is None else min(self.low, item)
                self.high = item if self.high is None else max(self.high, item)

    def commonest(self) -> list[tuple[Any, int]]:
        """The values that most documents have, with their numbers."""
        ranked = sorted(self.values.items(), key=lambda item: (-item[1], str(item[0])))
        return ranked[:COMMONEST]

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "type": self.type,
            "documents": self.documents,
            "values": len(self.values),
            "more": self.more,
            "commonest": [{"value": value, "documents": count} for value, count in self.commonest()],
            "range": None if self.low is None else [self.low, self.high],
            "from": dict(sorted(self.origins.items())),
        }

    def line(self, name: str, documents: int) -> str:
        """The same for people."""
        number = "1 value" if len(self.values) == 1 else f"{len(self.values)} values"
        parts = [f"{self.documents} of {documents}", f"more than {number}" if self.more else number]
        if not self.values:
            parts[1] = "in none that has text"
        if self.low is not None:
            parts.append(f"{_shown(self.low)} to {_shown(self.high)}")
        else:
            parts.append(", ".join(f"{_shown(value)} ({count})" for value, count in self.commonest()))
        if self.origins:
            parts.append(
                "from " + ", ".join(f"{origin} {count}" for origin, count in self.origins.most_common())
            )
        return f"{name} ({self.type}): {'; '.join(part for part in parts if part)}"


def field_statistics(store: Store, ledger: Ledger) -> dict[str, FieldStatistics]:
    """Statistics of all the user's fields, by name; reads every chunk's payload once.

    Raises:
        StoreError: the store cannot be read.
    """
    types = {name: kind for name, kind in store.info().fields.items() if name not in RESERVED_FIELDS}
    found = {name: FieldStatistics(kind) for name, kind in sorted(types.items())}
    for metadata, origins in _documents(store.scroll()):
        for name, value in metadata.items():
            if name in found and (name != "id" or name in origins):  # a chunk's own id is there as well
                found[name].add(value, origins.get(name))
    held: Counter[str] = Counter()
    for entry in ledger.documents.values():
        held.update(list(entry.fields))
    for name, told in found.items():
        told.documents = held[name]
    return found


def _documents(payloads: Iterable[Mapping[str, Any]]) -> Iterable[tuple[dict[str, Any], Mapping[str, str]]]:
    """Each document's metadata and their origins, once."""
    seen: set[str] = set()
    for payload in payloads:
        ours = payload[RESERVED]
        if ours["document_id"] not in seen:
            seen.add(ours["document_id"])
            metadata = {name: value for name, value in payload.items() if name != RESERVED}
            yield metadata, ours.get("origins", {})


def _shown(value: Any) -> str:
    text = " ".join(str(value).removesuffix("T00:00:00+00:00").split())
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
