"""YAML whose values mean what they look like, for settings and their files."""

from __future__ import annotations

import re
from typing import Any

import yaml

_KINDS = (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", "~|null|Null|NULL", "~nN"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?[0-9]+\.[0-9]*(?:[eE][-+][0-9]+)?|\.[0-9]+(?:[eE][-+][0-9]+)?", "-+0123456789."),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+."),
    ("merge", "<<", "<"),
)
"""Less than YAML 1.1 takes for something else than text, so what its writers leave without quotation marks
stays what it was: ``no`` and ``off`` are words, 12:30 is a time, 007 a name, and dates are read by whom they
concern."""


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    table = {"": [("tag:yaml.org,2002:null", re.compile("$"))]}
    for kind, pattern, first in _KINDS:
        for character in first:
            rule = (f"tag:yaml.org,2002:{kind}", re.compile(f"(?:{pattern})$"))
            table.setdefault(character, []).append(rule)
    return table


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = _resolvers()


def load_plain(text: str) -> Any:
    """What a YAML text says.

    Raises:
        yaml.YAMLError: it is none.
    """
    return yaml.load(text, _Loader)
