"""What decides a document's metadata beside its file; nothing heavy is imported here."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version

from configs.settings import Settings

VERSION = "3"
"""Changes whenever the same conversion may get other metadata."""
_DECIDING = {"fields", "field_rules", "day_first", "detect_language"}


def fields_recipe(settings: Settings) -> list[object]:
    """All that decides, as plain JSON values."""
    ingest = settings.ingest
    asked = any(field.model for field in ingest.fields.values())
    return [
        VERSION,
        _libraries(),
        ingest.model_dump(mode="json", include=_DECIDING),
        [settings.models.answer, ingest.model_characters] if asked else None,
    ]


@lru_cache(maxsize=1)
def _libraries() -> list[str]:
    return [version("py3langid"), version("babel")]
