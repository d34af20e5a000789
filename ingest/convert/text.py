"""Plain text: it is its own body."""

from __future__ import annotations

from configs.sections import IngestSettings
from ingest.convert.base import Converted, refuse_binary, tidy
from ingest.convert.encoding import decode


class TextConverter:
    """Decodes; nothing in the text is read as markup."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        refuse_binary(data, "text")
        text, note = decode(data)
        return Converted(tidy(text), {}, (note,) if note else ())


def converter(settings: IngestSettings) -> TextConverter:
    return TextConverter()
