"""The user's rules: fields out of a document's path, and out of its text by patterns.

Patterns meet untrusted text, so each search has a time limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import regex

from configs.sections import PLACEHOLDER, FieldRule
from ingest.globs import compile_glob
from ingest.metadata import clean_metadata
from retrieve.schema import Metadata

SECONDS = 2.0
"""A pattern may search one document so long, in seconds of the processor."""
REACH = 1_000_000
"""Code points of a text that are searched."""
MOST, LONGEST = 64, 1000
"""Values that one rule gives a field, and their characters."""


@dataclass(frozen=True)
class Given:
    """What one rule gives a document."""

    metadata: Metadata
    origin: str
    """``path``, or ``pattern``."""
    fallback: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A rule, compiled."""

    name: str
    """As errors say it: ``ingest.field_rules[0]``."""
    path: re.Pattern[str] | None
    names: Mapping[str, str]
    """The path's groups and the fields that they are."""
    pattern: Any
    within: str
    every: bool
    put: Mapping[str, Any] = field(default_factory=dict)
    fallback: bool = False

    def apply(self, path: str, body: str, metadata: Metadata) -> Given | None:
        """The fields that it gives a document; None where it does not hold."""
        found: dict[str, Any] = dict(self.put)
        if self.path is not None:
            match = self.path.fullmatch(path)
            if match is None:
                return None
            found |= {name: _tidy(match[group]) for group, name in self.names.items()}
        if self.pattern is None:
            return Given(clean_metadata(found), "path", self.fallback)
        values, note = self._search(self._texts(path, body, metadata))
        if note:
            return Given({}, "pattern", self.fallback, (note,))
        if not values:
            return None
        found |= {name: listed if self.every else listed[0] for name, listed in values.items()}
        return Given(clean_metadata(found), "pattern", self.fallback)

    def _texts(self, path: str, body: str, metadata: Metadata) -> list[str]:
        """What the pattern is searched in."""
        if self.within in ("body", "path"):
            return [body if self.within == "body" else path]
        value = metadata.get(self.within, [])
        return [str(item) for item in value] if isinstance(value, list) else [str(value)]

    def _search(self, texts: Sequence[str]) -> tuple[dict[str, list[Any]], str]:
        """The values of the pattern's groups, each once, in their order; and a note where time ran out."""
        found: dict[str, list[Any]] = {}
        try:
            for text in texts:
                for match in self._matches(text[:REACH]):
                    for name, text_found in match.groupdict().items():
                        value = _tidy(text_found or "")
                        values = found.setdefault(name, [])
                        if value and value not in values and len(values) < MOST:
                            values.append(value)
        except TimeoutError:
            return {}, f"{self.name}: its pattern took more than {SECONDS:g} s here and was given up"
        return {name: values for name, values in found.items() if values}, ""

    def _matches(self, text: str) -> Iterator[Any]:
        matches = self.pattern.finditer(text, timeout=SECONDS)
        for count, match in enumerate(matches):
            yield match
            if not self.every or count >= MOST * MOST:
                return


def compile_rules(rules: Sequence[FieldRule]) -> tuple[Rule, ...]:
    """The rules of the settings; their patterns were checked when they were read."""
    return tuple(_compiled(f"ingest.field_rules[{number}]", rule) for number, rule in enumerate(rules))


def _compiled(name: str, rule: FieldRule) -> Rule:
    path, names = compile_template(rule.path) if rule.path is not None else (None, {})
    pattern = regex.compile(rule.pattern) if rule.pattern is not None else None
    return Rule(name, path, names, pattern, rule.within, rule.all, rule.put, rule.fallback)


def compile_template(template: str) -> tuple[re.Pattern[str], dict[str, str]]:
    """A glob in which ``{name}`` is a part of one folder's or file's name.

    Returns:
        What fully matches the paths that are meant, and the names of its groups.
    """
    parts = PLACEHOLDER.split(template if "/" in template else f"**/{template}")
    pieces, names = [], {}
    for number, part in enumerate(parts):
        if number % 2:
            names[f"g{number}"] = part
            pieces.append(f"(?P<g{number}>[^/]+?)")
        else:
            pieces.append(compile_glob(part).pattern)
    return re.compile("".join(pieces), re.DOTALL), names


def _tidy(value: str) -> str:
    """A value on one line; names of files may hold what is no Unicode text."""
    return " ".join(value.encode("utf-8", "replace").decode().split())[:LONGEST]
