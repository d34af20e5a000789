"""The metadata of a document: what its converter found, what rules say and what can be derived, as one.

Where several sources give a field, the first that gives a value that fits decides: the user's rules,
then the document's own (front matter, a page's meta data, an office file's properties), then rules
that are marked as a fallback, then what is derived from the text. The chat model comes last (`model`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from configs.sections import IngestSettings
from ingest.convert.base import BODY, Converted
from ingest.convert.kinds import KINDS
from ingest.fields.languages import detect_language
from ingest.fields.rules import Given, compile_rules
from ingest.fields.spelling import Spelling
from ingest.fields.values import FieldSpec, field_specs, fitted
from ingest.metadata import MAX_FIELDS
from retrieve.schema import Metadata, MetadataValue

OWN = {"markdown": "front-matter", "html": "page"}
"""What metadata is said to come from where the converter does not say; else the kind of file."""
DERIVED = "derived"
NOTES = 10
"""Notes on the fields of one document."""


@dataclass(frozen=True)
class Candidate:
    """A value that a source gives a field."""

    name: str
    value: MetadataValue
    origin: str


class Resolver:
    """Makes the metadata of documents; the same for the same document and settings."""

    def __init__(self, settings: IngestSettings) -> None:
        self._settings = settings
        self._specs = field_specs(settings.fields)
        self._rules = compile_rules(settings.field_rules)
        self._called = {other: name for name, spec in self._specs.items() for other in spec.also}

    def resolve(self, converted: Converted, path: str, kind: str) -> Converted:
        """A conversion with its metadata as they are stored, their origins, and notes on what did not fit.

        Args:
            path: the document's, relative to its root.
        """
        given = [rule.apply(path, converted.body, converted.metadata) for rule in self._rules]
        candidates = self._candidates(converted, kind, [found for found in given if found is not None])
        notes = [note for found in given if found is not None for note in found.notes]
        metadata: Metadata = {}
        origins: dict[str, str] = {}
        language = self._settle("language", candidates, Spelling(), metadata, origins, notes)
        if language is None and self._settings.detect_language and (code := self._detected(converted, kind)):
            metadata["language"], origins["language"] = code, DERIVED
        spelling = self.spelling(metadata)
        for name in candidates:
            if name != "language":
                self._settle(name, candidates, spelling, metadata, origins, notes)
        own = [self._called.get(name, name) for name in converted.metadata]
        kept = [name for name in dict.fromkeys((*own, *metadata)) if name in metadata]
        if len(kept) > MAX_FIELDS:
            notes.insert(0, f"{len(kept)} fields; the first {MAX_FIELDS} are kept")
        if len(notes) > NOTES:
            notes = [*notes[:NOTES], f"{len(notes) - NOTES} more of the kind"]
        return replace(
            converted,
            metadata={name: metadata[name] for name in kept[:MAX_FIELDS]},
            origins=_of_body(converted) | {name: origins[name] for name in kept[:MAX_FIELDS]},
            notes=(*converted.notes, *dict.fromkeys(notes)),
        )

    def spelling(self, metadata: Metadata) -> Spelling:
        """How a document with this metadata spells dates and numbers."""
        language = metadata.get("language")
        return Spelling(language if isinstance(language, str) else None, self._settings.day_first)

    def spec(self, name: str) -> FieldSpec:
        """What is known of a field."""
        return self._specs.get(name) or FieldSpec(name)

    def _candidates(self, converted: Converted, kind: str, given: list[Given]) -> dict[str, list[Candidate]]:
        """What each field could be, best first."""
        found: dict[str, list[Candidate]] = {}
        for candidate in self._ordered(converted, kind, given):
            found.setdefault(candidate.name, []).append(candidate)
        return found

    def _ordered(self, converted: Converted, kind: str, given: list[Given]) -> Iterator[Candidate]:
        own = OWN.get(kind, kind)
        yield from _of_rules(given, fallback=False)
        # A field's own name before the names that it also has.
        for name in sorted(converted.metadata, key=lambda name: name in self._called):
            origin = converted.origins.get(name, own)
            yield Candidate(self._called.get(name, name), converted.metadata[name], origin)
        yield from _of_rules(given, fallback=True)

    def _settle(
        self,
        name: str,
        candidates: dict[str, list[Candidate]],
        spelling: Spelling,
        metadata: Metadata,
        origins: dict[str, str],
        notes: list[str],
    ) -> MetadataValue | None:
        """Give a field the first value that fits."""
        for candidate in candidates.get(name, ()):
            value, problems = fitted(candidate.value, self.spec(name), spelling)
            notes += problems
            if value is not None:
                metadata[name], origins[name] = value, candidate.origin
                return value
        return None

    def _detected(self, converted: Converted, kind: str) -> str | None:
        known = KINDS.get(kind)
        return detect_language(converted.body, markup=known is None or known.markup)


def _of_body(converted: Converted) -> dict[str, str]:
    return {BODY: converted.origins[BODY]} if BODY in converted.origins.keys() - converted.metadata else {}


def _of_rules(given: list[Given], *, fallback: bool) -> Iterator[Candidate]:
    for found in given:
        if found.fallback == fallback:
            for name, value in found.metadata.items():
                yield Candidate(name, value, found.origin)
