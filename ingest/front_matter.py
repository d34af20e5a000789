"""YAML front matter: out of a markdown file, and into a converted one.

The core schema of YAML 1.2 decides what is a number or a truth value (``no`` and ``12:30`` are
text), so that a value means what it looks like.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from datetime import datetime
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from configs.errors import InputError
from ingest.metadata import clean_metadata
from retrieve.schema import Metadata, MetadataValue

MAX_FRONT_MATTER = 64 * 1024
_BREAKS = re.compile("[\n\r\x85\u2028\u2029]")
_CLOSE = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)


def split_front_matter(text: str) -> tuple[Metadata, str]:
    """Split markdown into its metadata and its body.

    A block opens with ``---`` on the first line, directly followed by a field, and closes with
    ``---`` or ``...``. (``---`` followed by an empty line is a rule, not front matter.)

    Raises:
        InputError: the block is not closed, not YAML, not a mapping, or has a field that cannot be kept.
    """
    opening, newline, rest = text.partition("\n")
    if opening.rstrip() != "---" or not newline or not rest.partition("\n")[0].strip():
        return {}, text
    closing = _CLOSE.search(rest)
    if closing is None:
        raise InputError(
            "front matter: opened on line 1 and never closed; "
            "end it with a line ---, or put an empty line after a rule"
        )
    if closing.start() > MAX_FRONT_MATTER:
        raise InputError(f"front matter: larger than {MAX_FRONT_MATTER // 1024} KB")
    return read_metadata(rest[: closing.start()], first_line=2), rest[closing.end() + 1 :]


def read_metadata(text: str, *, first_line: int = 1) -> Metadata:
    """Read a YAML mapping as metadata; ``first_line`` is the file's line that the text starts on.

    Raises:
        InputError: naming the line, or the field.
    """
    try:
        data = _Loader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + first_line if mark else first_line
        raise InputError(f"front matter: line {line}: {error.problem or error.context}") from None
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise InputError(f"front matter: {error}") from None
    except RecursionError:
        raise InputError("front matter: nested too deeply") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InputError(f"front matter: line {first_line}: not a list of fields; write 'name: value' lines")
    return clean_metadata(data)


def dump_front_matter(metadata: Metadata, body: str) -> str:
    """The converted file as it is written: front matter where there is metadata, then the body."""
    if not metadata and not body.startswith("---"):
        return body
    plain = {name: _shown(value) for name, value in metadata.items()}
    text = yaml.dump(plain, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1 << 20)
    return f"---\n{text}---\n{body}"


def _shown(value: MetadataValue) -> Any:
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if isinstance(value, datetime) and (value.hour, value.minute, value.second, value.microsecond) == (
        0,
        0,
        0,
        0,
    ):
        return value.date()
    return value


def _core_schema() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """PyYAML's table of implicit types, by first character. Dates are found later, quoted or not."""
    integer = r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+"  # a leading zero is part of an id ("007")
    number = r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    infinite = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {"": [("tag:yaml.org,2002:null", re.compile("$"))]}
    for kind, pattern, first in (
        ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
        ("null", "~|null|Null|NULL", "~nN"),
        ("int", integer, "-+0123456789"),
        ("float", f"{number}|{infinite}", "-+0123456789."),
    ):
        for character in first:
            rule = (f"tag:yaml.org,2002:{kind}", re.compile(f"(?:{pattern})$"))
            table.setdefault(character, []).append(rule)
    return table


class _Loader(
    yaml.composer.Composer,
    CParser,  # libyaml reads the text; what it means is decided in Python
    yaml.constructor.SafeConstructor,
    yaml.resolver.Resolver,
):
    """YAML 1.2's core schema, without duplicate keys and without aliases of collections.

    An alias of a list or mapping is how a few bytes expand into gigabytes.
    """

    yaml_implicit_resolvers = _core_schema()

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        yaml.composer.Composer.__init__(self)
        yaml.constructor.SafeConstructor.__init__(self)
        yaml.resolver.Resolver.__init__(self)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        target = self.anchors.get(event.anchor) if isinstance(event, yaml.AliasEvent) else None
        if isinstance(target, yaml.CollectionNode):
            raise _error("an alias of a list or mapping is not supported", event)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error("a field's name must be text", key)
            if key.value in seen:
                raise _error(f"field {key.value!r} is there twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep=True)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError, AttributeError) as error:
            raise _error(f"{node.value!r} is not valid: {error}", node) from None


def _error(problem: str, place: Any) -> yaml.MarkedYAMLError:
    """``place``: the node or event that it is about."""
    return yaml.constructor.ConstructorError(None, None, problem, place.start_mark)


class _Dumper(yaml.SafeDumper):
    """Quotes text that a reader of YAML 1.1 or of 1.2 would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        rules = _Loader.yaml_implicit_resolvers.get(data[:1], [])
        style = "'" if any(regex.match(data) for _, regex in rules) else None
        if _BREAKS.search(data):
            style = '"'  # every other style folds some of these line breaks
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)
