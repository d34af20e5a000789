"""JSON: a record as a document, its short fields as metadata, its long texts as the body."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, refuse_binary, tidy
from ingest.convert.encoding import decode
from ingest.convert.grid import MAX_ROWS
from ingest.convert.markup import blocks, heading, list_item, one_line, table
from ingest.metadata import INT64, clean_metadata
from retrieve.schema import RESERVED, Metadata

LONG = 200
"""Characters from which on a text is part of the body and not a field."""
MAX_FIELDS = 100
MAX_VALUES = 100
"""Values of a list that is a field."""
MAX_ITEMS = 100_000
"""Values of all kinds that are written into a body."""
_MAX_NAME = 100
_DEEPEST_FIELD = 3
_DEEPEST_HEADING = 4
_TITLES = ("title", "name", "headline", "subject", "label")
_BODIES = ("text", "content", "body", "markdown", "page_content", "article", "document")
_TEXTS = ("text", "content", "page_content")
_SENTENCE = 3
"""Words from which on a value of such a name is text; "application/json" is none."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


class JsonConverter:
    """Objects and lists of any depth; what has no long text is written out as a list of its fields."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        value, note = load_json(data, "JSON")
        record = value if isinstance(value, dict) else {}
        metadata, dropped = _fields(record)
        writer = _Writer()
        body = writer.record(record) if record else blocks(writer.value(value, 1))
        notes = [note, f"fields that are kept in the text only: {dropped}" if dropped else None]
        if writer.room <= 0:
            notes.append(f"values beyond the first {MAX_ITEMS} are left out")
        origins = dict.fromkeys(metadata, "json")
        return Converted(tidy(body), metadata, tuple(filter(None, notes)), origins)


def load_json(data: bytes, what: str) -> tuple[Any, str | None]:
    """The value that the bytes hold, and a note on their encoding.

    Raises:
        InputError: it is not JSON; the message names line and column.
    """
    refuse_binary(data, what)
    text, note = decode(data)
    if not text.strip():
        raise InputError(f"not {what}: the file is empty")
    try:
        return json.loads(text.lstrip("\ufeff"), parse_constant=lambda name: None), note
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"not valid JSON: {where}: {one_line(error.msg).lower()}") from None
    except RecursionError:
        raise InputError("its JSON is nested too deeply to be read") from None
    except ValueError as error:  # a number of thousands of digits
        raise InputError(f"not readable JSON: {one_line(str(error))[:100]}") from None


def _fields(record: dict[str, Any]) -> tuple[Metadata, int]:
    """The short fields as metadata, and how many more there would be."""
    found: dict[str, Any] = {}
    dropped = 0
    for name, value in _short({k: v for k, v in record.items() if not _is_body(k, v)}, "", 1):
        if len(found) >= MAX_FIELDS or name.split(".")[0] == RESERVED:
            dropped += 1
        else:
            found.setdefault(name, value)
    return clean_metadata(found), dropped


def _short(record: dict[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        part = one_line(_clean(key))[:_MAX_NAME]
        name = f"{prefix}.{part}" if prefix else part
        if not part:
            continue
        if isinstance(value, dict) and depth < _DEEPEST_FIELD:
            yield from _short(value, name, depth + 1)
        elif _is_short(value):
            yield name, _kept(value)
        elif isinstance(value, list) and 0 < len(value) <= MAX_VALUES and all(map(_is_short, value)):
            yield name, [_kept(item) for item in value]


def _is_body(key: str, value: Any) -> bool:
    """Whether a value is the record's text by its name, however short it is."""
    return key.lower() in _TEXTS and isinstance(value, str) and len(value.split()) >= _SENTENCE


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip()) and len(value) <= LONG and "\n" not in value.strip()
    return isinstance(value, bool | int | float)


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if isinstance(value, int) and not -INT64 <= value < INT64 else value


def _clean(text: str) -> str:
    return _CONTROLS.sub("\ufffd", text)


class _Writer:
    def __init__(self) -> None:
        self.room = MAX_ITEMS

    def record(self, record: dict[str, Any]) -> str:
        """The title and what is no field; without a long text, everything."""
        title = next((record[name] for name in _TITLES if isinstance(record.get(name), str)), "")
        lead = heading(1, _clean(title)) if _is_short(title) else ""
        rest = {key: value for key, value in record.items() if not (lead and value is title)}
        bodies = {key for key, value in rest.items() if _is_body(key, value)}
        if not bodies and not any(isinstance(value, str) and not _is_flat(value) for value in rest.values()):
            return blocks([lead, *self.value(rest, 1)])
        rest = {key: value for key, value in rest.items() if key in bodies or not _is_field(value)}
        if len(rest) == 1 and next(iter(rest)).lower() in _BODIES:
            return blocks([lead, *self.value(next(iter(rest.values())), 1)])
        return blocks([lead, *self.sections(rest, 2)])

    def sections(self, record: dict[str, Any], level: int) -> Iterator[str]:
        for key, value in record.items():
            yield heading(level, _clean(key))
            yield from self.value(value, level)

    def value(self, value: Any, level: int) -> Iterator[str]:
        """Blocks of markdown; below the deepest heading all that is left is one list."""
        if isinstance(value, str):
            yield _clean(value).rstrip()
        elif (
            isinstance(value, list)
            and value
            and all(isinstance(item, dict) and _is_row(item) for item in value)
        ):
            yield self.table(value)
        elif isinstance(value, dict) and level < _DEEPEST_HEADING:
            flat = {key: item for key, item in value.items() if _is_flat(item)}
            if flat:
                yield "\n".join(self.lines(flat, 0))
            deeper = {key: item for key, item in value.items() if not _is_flat(item)}
            yield from self.sections(deeper, level + 1)
        elif isinstance(value, list) and level < _DEEPEST_HEADING and not _is_flat(value):
            for item in value:
                yield from self.value(item, level + 1)
        else:
            yield "\n".join(self.lines(value, 0))

    def table(self, rows: list[dict[str, Any]]) -> str:
        """A list of like records as a table."""
        kept = rows[: min(MAX_ROWS, max(self.room, 0))]
        self.room -= sum(map(len, kept)) + (MAX_ITEMS if len(kept) < len(rows) else 0)
        names = list(dict.fromkeys(key for row in kept for key in row))
        return table([names, *([_line(row.get(name)) for name in names] for row in kept)])

    def lines(self, value: Any, depth: int) -> Iterator[str]:
        pairs = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        if not isinstance(value, dict | list):
            yield _line(value)
        for key, item in pairs:
            self.room -= 1
            if self.room <= 0:
                return
            label = f"{one_line(_clean(key))}: " if isinstance(key, str) else ""
            listed = isinstance(item, list) and all(_is_short(one) and not _has_comma(one) for one in item)
            if isinstance(item, dict | list) and not listed:
                yield list_item(label.rstrip() or f"{key + 1}.", min(depth, 20))
                yield from self.lines(item, depth + 1)
            elif item not in (None, "", []):
                yield list_item(f"{label}{_line(item)}", min(depth, 20))


def _has_comma(value: Any) -> bool:
    return isinstance(value, str) and "," in value


def _is_flat(value: Any) -> bool:
    """Whether a value is one short thing or a list of such."""
    if isinstance(value, list):
        return all(map(_is_scalar, value))
    return _is_scalar(value)


def _is_field(value: Any, depth: int = 1) -> bool:
    """Whether a value is wholly told by fields of the metadata."""
    if isinstance(value, dict):
        return depth < _DEEPEST_FIELD and all(_is_field(item, depth + 1) for item in value.values())
    return _is_flat(value)


def _is_scalar(value: Any) -> bool:
    return value is None or value == "" or _is_short(value)


def _is_row(record: dict[str, Any]) -> bool:
    return bool(record) and len(record) <= 64 and all(map(_is_flat, record.values()))


def _line(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_line, value))
    return one_line(_clean(value)) if isinstance(value, str) else str(value)


def converter(settings: IngestSettings) -> JsonConverter:
    return JsonConverter()
