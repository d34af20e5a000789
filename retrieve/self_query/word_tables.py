"""How tables of words are kept and read: a file in ``tables/`` is a model, a string in it a list of words."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict

Words = Annotated[frozenset[str], BeforeValidator(str.split)]
Listed = Annotated[tuple[str, ...], BeforeValidator(str.split)]
"""Words whose order matters."""
Phrases = tuple[str, ...]
"""Regular expressions over folded text, tried from the first on."""


class WordTable(BaseModel):
    """A file of words."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # importing stays light


T = TypeVar("T")
Table = TypeVar("Table", bound=WordTable)


def inverted(names: Mapping[T, tuple[str, ...]]) -> dict[str, T]:
    """By each word what it means."""
    return {name: key for key, listed in names.items() for name in listed}


def read_text(name: str) -> str:
    """A file of the folder of tables."""
    return resources.files(__package__).joinpath("tables", name).read_text(encoding="utf-8")


def read_table(name: str, kind: type[Table]) -> Table:
    """A table of the folder."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, faster
    return kind.model_validate(yaml.load(read_text(name), loader))


def any_of(names: Mapping[str, object] | tuple[str, ...]) -> str:
    """A regular expression for any of these words, the longest first."""
    return "(?:" + "|".join(sorted(names, key=len, reverse=True)) + ")"
