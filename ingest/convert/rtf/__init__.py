"""Rich Text Format: headings, lists, tables, links, notes (RTF Specification 1.9.1)."""

from __future__ import annotations

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, tidy
from ingest.convert.properties import declared
from ingest.convert.rtf.reader import Reader
from ingest.convert.whole import settled_markdown


class RtfConverter:
    """Pictures, objects, headers and footers are left out; nothing in it is run or fetched."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        if not data.lstrip()[:6].startswith(b"{\\rtf"):
            what = "the file is empty" if not data.strip() else "it does not begin with {\\rtf"
            raise InputError(f"not RTF: {what}")
        reader = Reader(data)
        root = reader.read()
        metadata, origins = declared(reader.fields, "rtf")
        notes = [f"left out: {what} ({count})" for what, count in sorted(reader.skipped.items())]
        if reader.cut_short:
            notes.append("the file ends in the middle; what is there was read")
        return Converted(tidy(settled_markdown(root, reader.notes)), metadata, tuple(notes), origins)


def converter(settings: IngestSettings) -> RtfConverter:
    return RtfConverter()
