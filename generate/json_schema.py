"""Reading a JSON schema before it becomes a grammar, and finding the place in it that is wrong.

llguidance refuses what it cannot hold exactly, but does not say where, and lets four things pass that are
refused here: sizes that take it long, multiples that take it minutes, a `minProperties` that one name
written twice would satisfy, and schemas that need themselves without end.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any
from urllib.parse import unquote

from configs.errors import InputError

MAX_CHARACTERS = 65_536
"""Of a schema as JSON, and of a regular expression."""

MAX_DEPTH = 64
"""Levels of brackets in a schema."""

MAX_MULTIPLE = 10_000
"""Least common multiple of all `multipleOf` in a schema: an automaton counts remainders up to it."""

_LOCATE_SECONDS = 0.5

_IN_NAMES = ("$defs", "definitions", "properties", "patternProperties")
_IN_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties")

Schema = dict[str, Any]


class GrammarError(InputError):
    """A schema or regular expression that cannot be used; the message names the place and what to do."""


def read_schema(schema: Mapping[str, Any] | str) -> Schema:
    """The schema as plain JSON values.

    Raises:
        GrammarError: not JSON, not an object, too large, too deep, or with something in it that
            would not hold.
    """
    try:
        if isinstance(schema, str):
            schema = json.loads(schema)
        text = json.dumps(schema, allow_nan=False)
        root = json.loads(text)
    except json.JSONDecodeError as error:
        raise GrammarError(f"the schema is not JSON: {error}") from error
    except (TypeError, ValueError) as error:
        raise GrammarError(f"the schema is not JSON: {error}; use plain values") from error
    except RecursionError as error:
        raise GrammarError(f"the schema is nested deeper than {MAX_DEPTH} levels; use $defs") from error
    if not isinstance(root, dict):
        raise GrammarError(f"the schema must be a JSON object, not {text[:40]}")
    if len(text) > MAX_CHARACTERS:
        raise GrammarError(f"the schema has {len(text):,} characters; {MAX_CHARACTERS:,} are allowed")
    if _depth(root) > MAX_DEPTH:
        raise GrammarError(f"the schema is nested deeper than {MAX_DEPTH} levels; use $defs")
    root.pop("x-guidance", None)  # the library's own options are not the caller's to set
    _check(root)
    return root


def check_ends(root: Schema) -> None:
    """Refuse a schema in which something requires itself without end: an answer could not leave it.

    What can end is a least fixed point over the schema's references.

    Raises:
        GrammarError: names the reference.
    """
    references = {
        schema["$ref"] for _, schema in subschemas(root) if str(schema.get("$ref", "")).startswith("#")
    }
    targets = {reference: _resolve(root, reference) for reference in references}
    ending: set[str] = set()
    for _ in range(MAX_DEPTH):
        found = {reference for reference, target in targets.items() if _ends(target, ending)}
        if found == ending:
            break
        ending = found
    else:
        return  # a chain of references so long that the answer is not worth its time
    if endless := references - ending:
        raise GrammarError(
            f"the schema at {min(endless)}: no text can match it, as it requires itself without end; "
            "make a part of it optional"
        )


def locate(root: Schema, problem: str, compile_schema: Callable[[Schema], object]) -> str:
    """The JSON pointer of the innermost subschema that fails to compile as the whole does."""
    shared: Schema = {key: root[key] for key in ("$defs", "definitions") if key in root}
    deadline = time.monotonic() + _LOCATE_SECONDS
    place, schema = "#", root
    while True:
        for pointer, child in _children(schema):
            if time.monotonic() > deadline:
                return place
            try:
                compile_schema({**shared, **child})
            except GrammarError as error:
                if str(error) == problem:
                    place, schema = place + pointer, child
                    break
        else:
            return place


def subschemas(schema: Schema, place: str = "#") -> Iterator[tuple[str, Schema]]:
    """A schema and all schemas inside, each with its JSON pointer."""
    yield place, schema
    for pointer, child in _children(schema):
        yield from subschemas(child, place + pointer)


def _children(schema: Schema) -> Iterator[tuple[str, Schema]]:
    found: list[tuple[str, Any]] = []
    for key in _IN_NAMES:
        for name, child in _get(schema, key, dict).items():
            found.append((f"{key}/{name.replace('~', '~0').replace('/', '~1')}", child))
    for key in _IN_LISTS:
        found += [(f"{key}/{index}", child) for index, child in enumerate(_get(schema, key, list))]
    found += [(key, schema.get(key)) for key in _SINGLE]
    for pointer, child in found:
        if isinstance(child, dict):
            yield f"/{pointer}", child


def _check(root: Schema) -> None:
    cycle = 1
    for place, schema in subschemas(root):
        multiple = _get(schema, "multipleOf", float, int)
        if multiple:
            cycle = math.lcm(cycle, abs(Fraction(str(multiple)).numerator))
        if cycle > MAX_MULTIPLE:
            raise GrammarError(
                f"the schema at {place}: multipleOf {multiple} leads, with those before it, to a cycle of "
                f"{cycle:,}; at most {MAX_MULTIPLE:,} can be followed, so use rounder numbers"
            )
        least, required = _get(schema, "minProperties", int), _get(schema, "required", list)
        if least and least > len(set(map(str, required))):
            raise GrammarError(
                f"the schema at {place}: minProperties {least} cannot be guaranteed; name as many in required"
            )


def _ends(schema: Any, ending: set[str]) -> bool:
    """Whether a finite text can match, if only references in ``ending`` can."""
    if not isinstance(schema, dict):
        return schema is not False
    reference = str(schema.get("$ref", ""))
    if reference.startswith("#") and reference not in ending:
        return False
    if "const" in schema or "enum" in schema:
        return True
    for key, enough in (("anyOf", any), ("oneOf", any), ("allOf", all)):
        if key in schema and not enough(_ends(part, ending) for part in _get(schema, key, list)):
            return False
    needed: list[Any] = []
    if schema.get("type") in ("object", ["object"]):
        others = "patternProperties" in schema or schema.get("additionalProperties", True)
        listed = _get(schema, "properties", dict)
        needed = [listed.get(name, others) for name in map(str, _get(schema, "required", list))]
    elif schema.get("type") in ("array", ["array"]):
        least, first = _get(schema, "minItems", int), _get(schema, "prefixItems", list)
        needed = first[:least] + [schema.get("items", True)] * (least > len(first))
    return all(_ends(part, ending) for part in needed)


def _resolve(root: Schema, reference: str) -> Any:
    """What a local reference means; True, which anything matches, where that cannot be told."""
    target: Any = root
    for part in unquote(reference).split("/")[1:]:
        step = part.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and step.isdecimal() and int(step) < len(target):
            target = target[int(step)]
        elif isinstance(target, dict) and step in target:
            target = target[step]
        else:
            return True
    return target if reference == "#" or "/" in reference else True


def _get(schema: Schema, key: str, *kinds: type) -> Any:
    """The value at ``key``, or the empty value of the first kind where it is of another."""
    value = schema.get(key)
    return value if isinstance(value, kinds) and not isinstance(value, bool) else kinds[0]()


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level:
        depth += 1
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
    return depth
