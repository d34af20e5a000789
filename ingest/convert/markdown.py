"""Markdown: front matter becomes metadata, the rest stays as it is."""

from __future__ import annotations

from configs.sections import IngestSettings
from ingest.convert.base import Converted, refuse_binary, tidy
from ingest.convert.encoding import decode
from ingest.front_matter import split_front_matter


class MarkdownConverter:
    """Splits off the front matter."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        refuse_binary(data, "markdown")
        text, note = decode(data)
        metadata, body = split_front_matter(text.replace("\r\n", "\n").replace("\r", "\n"))
        return Converted(tidy(body), metadata, (note,) if note else ())


def converter(settings: IngestSettings) -> MarkdownConverter:
    return MarkdownConverter()
