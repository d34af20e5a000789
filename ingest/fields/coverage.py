"""Which extractor gave which field to how many documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Coverage:
    """Counted over the documents of a run."""

    documents: int = 0
    given: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By field and extractor."""

    def add(self, origins: Mapping[str, str]) -> None:
        """Count a document by where its fields came from."""
        self.documents += 1
        self.given.update(origins.items())

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(self.documents + other.documents, self.given + other.given)

    def to_json(self) -> dict[str, Any]:
        """``{field: {documents, from: {extractor: documents}}}``, the fields of most documents first."""
        found: dict[str, dict[str, int]] = {}
        for (name, extractor), count in sorted(self.given.items()):
            found.setdefault(name, {})[extractor] = count
        ranked = sorted(found.items(), key=lambda item: (-sum(item[1].values()), item[0]))
        return {name: {"documents": sum(told.values()), "from": told} for name, told in ranked}

    def lines(self) -> list[str]:
        """The same for people: ``title: 12 of 14 documents (front-matter 10, page 2)``."""
        return [
            f"{name}: {told['documents']} of {self.documents} documents "
            f"({', '.join(f'{extractor} {count}' for extractor, count in told['from'].items())})"
            for name, told in self.to_json().items()
        ]
