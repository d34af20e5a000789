"""Errors of settings in the words of the handbook, out of those that pydantic raises."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from pydantic_core import ErrorDetails

from configs.nearest import nearest

SHOWN = 100
"""Characters of a value in a message."""
_WANTED = {
    "string_type": "it must be text; write it in quotation marks where it looks like a number",
    "string_too_short": "it must not be empty",
    "dict_type": "write it as {name: value}",
    "model_type": "write it as {name: value}",
    "list_type": "write it as [one, two]",
    "too_short": "it has too few values",
    "too_long": "it has too many values",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "float_parsing": "it must be a number",
    "finite_number": "it must be a number",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "date_type": "it must be a date such as 2026-03-01",
    "date_parsing": "it must be a date such as 2026-03-01",
    "date_from_datetime_parsing": "it must be a date such as 2026-03-01",
}
"""By pydantic's name of the error; its own words are for programmers."""
_KEY = "[key]"
"""How pydantic says that it means a mapping's key, not its value."""

Path = Sequence[int | str]
"""Where a value stands: keys and places in lists."""


def explain(error: ErrorDetails, root: type[BaseModel], sources: Mapping[str, str]) -> str:
    """One line: whence the value is, where it stands, what is wrong with it.

    Args:
        root: the tree of settings.
        sources: where each setting came from, by its dotted key.
    """
    path = error["loc"]
    source = sources.get(".".join(map(str, path[:2])), "default.yaml")
    if error["type"] == "missing":
        return f"{source}: {_dotted(path)} is missing"
    if error["type"] == "extra_forbidden":
        return f"{source}: {_dotted(path)} is not known there{_known(root, path)}"
    if path[-1] == _KEY:
        return f"{source}: {_dotted(path[:-2])}: {_shown(error['input'])} is no name: {_wanted(error)}"
    secret = SecretStr in parts_of(annotation_at(root, path))
    given = "the value given" if secret else _shown(error["input"])
    return f"{source}: {_dotted(path)} = {given} is not valid: {_wanted(error)}"


def annotation_at(root: Any, path: Path) -> Any:
    """The type of what stands at a place in a tree of settings; None: nothing can stand there."""
    here = root
    for part in path:
        kinds = {get_origin(kind) or kind: kind for kind in _alternatives(here)}
        if list in kinds and isinstance(part, int):
            here = get_args(kinds[list])[0]
        elif dict in kinds:
            here = get_args(kinds[dict])[1]
        else:
            model = next((kind for kind in kinds if _is_model(kind)), None)
            field = model.model_fields.get(str(part)) if model else None
            if field is None:
                return None
            here = field.annotation
    return here


def parts_of(annotation: Any) -> set[Any]:
    """The plain types in an annotation: ``list[str] | None`` has list and NoneType."""
    return {get_origin(part) or part for part in _alternatives(annotation)}


def _alternatives(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for part in get_args(annotation) for kind in _alternatives(part)]
    return [annotation]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _known(root: type[BaseModel], path: Path) -> str:
    """What may stand where something unknown does: the nearest name, else all."""
    model = next(filter(_is_model, parts_of(annotation_at(root, path[:-1]))), None)
    names = list(model.model_fields) if model else []
    close = nearest(str(path[-1]), names)
    return f"; did you mean {close!r}?" if close else f"; there are: {', '.join(names)}" if names else ""


def _dotted(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _shown(value: Any) -> str:
    """A value as it may have been written."""
    if isinstance(value, str):
        text = f"'{value}'"  # repr would double the backslashes of a pattern
    else:
        try:
            text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1 << 20)
        except yaml.YAMLError:
            text = repr(value)
        text = text.removesuffix("...\n").strip()
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _wanted(error: ErrorDetails) -> str:
    told = error.get("ctx", {}).get("error")
    if isinstance(told, ValueError):  # raised by us
        return str(told)
    said = _WANTED.get(error["type"], error["msg"])
    return said[:1].lower() + said[1:]
