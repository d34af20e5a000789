"""The language that a page declares, as its primary subtag."""

from __future__ import annotations

import re

_TAG = re.compile(r"\s*([A-Za-z]{2,3})(?=$|[-_,;\s])")
_NONE = {"und", "mul", "zxx", "mis"}


def primary_subtag(value: str) -> str | None:
    """``en`` for ``en-GB``, ``en_US`` and ``EN``; None for what is no language tag."""
    match = _TAG.match(value)
    return match[1].lower() if match and match[1].lower() not in _NONE else None
