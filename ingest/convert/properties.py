"""What a file's own properties say of it: titles, people, dates, keywords, each under one name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from ingest.convert.markup import one_line
from ingest.convert.package import Package
from ingest.metadata import clean_metadata
from retrieve.schema import Metadata

_PLACEHOLDERS = {
    "untitled",
    "unknown",
    "anonymous",
    "author",
    "user",
    "python-docx",
    "openpyxl",
    "word document",
    "powerpoint presentation",
    "microsoft office user",
    "presentation",
    "document",
}
_MAX_VALUE = 1_000
_MAX_VALUES = 100
_CORE = "docProps/core.xml"
_CORE_NAMES = {
    "title": "title",
    "creator": "author",
    "created": "date",
    "modified": "updated",
    "keywords": "tags",
    "category": "category",
    "language": "language",
}


def declared(fields: Mapping[str, Any], origin: str) -> tuple[Metadata, dict[str, str]]:
    """Fields in the form that all documents share, and who gave them.

    ``author`` is split at semicolons, ``tags`` at commas too, ``language`` is the primary subtag, dates
    are moments in UTC; what is empty, a placeholder or unreadable is left out.
    """
    found: dict[str, Any] = {}
    for name, value in fields.items():
        form = _FORMS.get(name, _text)
        kept = (
            [text for text in map(form, value[:_MAX_VALUES]) if text]
            if _is_plain_list(name, value)
            else form(value)
        )
        if kept not in (None, "", []):
            found[name] = kept
    metadata = clean_metadata(found)
    return metadata, dict.fromkeys(metadata, origin)


def _is_plain_list(name: str, value: Any) -> bool:
    return isinstance(value, list) and name not in _FORMS


def core_properties(package: Package) -> dict[str, Any]:
    """The Dublin Core properties of an Office Open XML file, by our names."""
    root = package.optional_tree(_CORE)
    if root is None:
        return {}
    texts = {element.tag.rpartition("}")[2]: element.text or "" for element in root[:64]}
    return {name: texts[tag] for tag, name in _CORE_NAMES.items() if tag in texts}


def moment(value: Any) -> datetime | None:
    """A date that some program wrote, in UTC; None where it says none."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    text = one_line(str(value or ""))[:64]
    if re.fullmatch(r"\d{4}(-\d{2})?", text):
        text += "-01" * (3 - 1 - text.count("-"))
    try:
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = one_line(value.encode("utf-8", "replace").decode("utf-8"))[:_MAX_VALUE]
    return None if text.lower() in _PLACEHOLDERS else text


def _split(value: Any, separators: str) -> list[str]:
    values = value if isinstance(value, list | tuple) else re.split(separators, str(value or ""))
    texts = [_text(str(text)) for text in values[:_MAX_VALUES]]
    return list({text.casefold(): text for text in texts if text}.values())


def _authors(value: Any) -> Any:
    names = _split(value, ";")
    return names if len(names) > 1 else "".join(names)


def _tags(value: Any) -> list[str]:
    return _split(value, "[,;]")


def _language(value: Any) -> str | None:
    found = re.match(r"\s*([A-Za-z]{2,3})(?=$|[-_\s])", str(value or ""))
    return found[1].lower() if found and found[1].lower() != "und" else None


_FORMS = {"author": _authors, "tags": _tags, "language": _language, "date": moment, "updated": moment}
