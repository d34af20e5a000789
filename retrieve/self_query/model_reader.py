"""The model reader: a chat model proposes conditions under a JSON schema, and each is checked.

The schema is made from the fields, so a model can name no other. What it proposes is worth nothing
until it holds: its words must stand in the question, its value must fit the field's type and, for
keywords, be one that occurs (or be mended to the only one that is meant). A condition that fails is
left out alone; the others stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol

from configs.errors import DraftlineError, InputError
from retrieve.filter_values import typed_value
from retrieve.filters import Condition, IsEmpty, MatchValue, Range
from retrieve.self_query.catalog import Catalog, Field
from retrieve.self_query.plan import Finding
from retrieve.self_query.text import fold, stems

MAX_CONDITIONS = 6
MAX_TOKENS = 300
SHOWN_VALUES = 12
"""Values of a field that the model is shown as examples."""
CONFIDENCE = 0.6
"""Below what the linker is sure of: what a model said is given up first."""

OPERATIONS = ("is", "is not", "at least", "at most", "more than", "less than", "missing")
INSTRUCTIONS = (
    "You turn a question about a collection of documents into conditions on their metadata. Use only "
    "the fields listed. A condition says which documents are meant: their author, date, kind. What the "
    "question is about is no condition. Dates are written 2024-03-05. When nothing in the question is a "
    "condition, give none."
)
EXAMPLES: tuple[tuple[str, list[dict[str, str]]], ...] = (
    (
        "What did Osei write about pumps since March 2024?",
        [
            {"words": "Osei", "field": "author", "operation": "is", "value": "R. Osei"},
            {"words": "since March 2024", "field": "date", "operation": "at least", "value": "2024-03-01"},
        ],
    ),
    ("How does a heat pump work?", []),
)


class ChatModel(Protocol):
    """What the reader needs of a chat model; `generate.chat_model.EngineChat` is one."""

    def complete(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        schema: Mapping[str, Any],
        max_tokens: int,
        salt: str = "",
    ) -> str:
        """JSON that the schema allows, or its beginning; nothing cached is shared with another salt."""
        ...


def schema_for(catalog: Catalog) -> dict[str, Any]:
    """The JSON schema of an answer: a list of conditions on these fields."""
    text = {"type": "string", "maxLength": 80}
    condition = {
        "type": "object",
        "properties": {
            "words": text,
            "field": {"type": "string", "enum": [field.name for field in catalog.fields]},
            "operation": {"type": "string", "enum": list(OPERATIONS)},
            "value": text,
        },
        "required": ["words", "field", "operation", "value"],
        "additionalProperties": False,
    }
    return {"type": "array", "items": condition, "maxItems": MAX_CONDITIONS}


def read_with_model(
    chat: ChatModel, question: str, catalog: Catalog, today: date, salt: str
) -> list[Finding]:
    """The conditions that a chat model finds in a question and that hold.

    A model that fails finds nothing: the search goes on with what the question says.

    Args:
        salt: tells apart callers who may see different things.
    """
    if not catalog.fields:
        return []
    try:
        messages, schema = _messages(question, catalog, today), schema_for(catalog)
        answer = chat.complete(messages, schema=schema, max_tokens=MAX_TOKENS, salt=salt)
    except DraftlineError:
        return []
    fields = {field.name: field for field in catalog.fields}
    found: dict[tuple[str, bool], Finding] = {}
    for proposal in _proposals(answer):
        finding = checked(question, proposal, fields)
        if finding is not None:
            found.setdefault((getattr(finding.condition, "key", ""), finding.negated), finding)
    return list(found.values())


def _messages(question: str, catalog: Catalog, today: date) -> list[tuple[str, str]]:
    lines = []
    for field in catalog.fields:
        values = f", such as {', '.join(field.values[:SHOWN_VALUES])}" if field.values else ""
        lines.append(f"- {field.name} ({field.type}){values}")
    system = "\n".join([INSTRUCTIONS, f"Today is {today.isoformat()}.", "Fields:", *lines])
    turns: list[tuple[str, str]] = [("system", system)]
    for asked, conditions in EXAMPLES:
        turns += [("user", asked), ("assistant", json.dumps(conditions))]
    return [*turns, ("user", question)]


def _proposals(answer: str) -> list[dict[str, Any]]:
    """The conditions of an answer, also of one that was cut off."""
    try:
        read = json.loads(answer)
    except ValueError:
        read = []
        for match in re.finditer(r"\{[^{}]*\}", answer):
            try:
                read.append(json.loads(match[0]))
            except ValueError:
                continue
    return [item for item in read if isinstance(item, dict)] if isinstance(read, list) else []


def checked(question: str, proposal: Mapping[str, Any], fields: Mapping[str, Field]) -> Finding | None:
    """A proposal as a condition; None when it does not hold."""
    field = fields.get(str(proposal.get("field")))
    operation, words = str(proposal.get("operation")), str(proposal.get("words", "")).strip()
    start = fold(question).find(fold(words)) if words else -1
    if field is None or start < 0 or operation not in OPERATIONS:
        return None
    condition = _condition(field, operation, str(proposal.get("value", "")).strip())
    if condition is None:
        return None
    place = (start, start + len(words))
    reason = f"{field.name} {operation} {proposal.get('value')}: “{words}”"
    return Finding(condition, (place,), CONFIDENCE, reason, negated=operation == "is not", reader="model")


def _condition(field: Field, operation: str, value: str) -> Condition | None:
    if operation == "missing":
        return IsEmpty(field.name)
    if field.type == "datetime":
        return _of_date(field, operation, value)
    if field.type == "keyword":
        known = _known_value(field, value)
        return MatchValue(field.name, known) if known is not None and operation in ("is", "is not") else None
    try:
        read = typed_value(json.loads(value.lower()), field.type, field.name, "model")
    except (InputError, ValueError):
        return None
    if operation in ("is", "is not"):
        if field.type == "float":
            return Range(field.name, gte=read, lte=read)
        return MatchValue(field.name, read)
    return None if field.type == "bool" else Range(field.name, **{_BOUNDS[operation]: read})


_BOUNDS = {"at least": "gte", "at most": "lte", "more than": "gt", "less than": "lt"}


def _of_date(field: Field, operation: str, value: str) -> Range | None:
    try:
        first = datetime.combine(date.fromisoformat(value[:10]), time(), UTC)
        after = first + timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    bounds = {
        "is": {"gte": first, "lt": after},
        "is not": {"gte": first, "lt": after},
        "at least": {"gte": first},
        "at most": {"lt": after},
        "more than": {"gte": after},
        "less than": {"lt": first},
    }[operation]
    return Range(field.name, **bounds)


def _known_value(field: Field, value: str) -> str | None:
    """The value that occurs and is meant: itself, in another spelling, or the only one that has its words."""
    if value in field.values:
        return value
    wanted = stems(value)
    same = [known for known in field.values if stems(known) == wanted]
    if len(same) == 1:
        return same[0]
    part = [known for known in field.values if wanted and set(wanted) <= set(stems(known))]
    return part[0] if len(part) == 1 else None
