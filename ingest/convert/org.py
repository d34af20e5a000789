"""Org files: headings, lists, tables, blocks and links in markdown's form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from configs.sections import IngestSettings
from ingest.convert.base import Converted, refuse_binary, tidy
from ingest.convert.encoding import decode
from ingest.convert.markup import blocks, fence, heading, link, plain_block, table
from ingest.convert.properties import declared

_KEYWORD = re.compile(r"[ \t]*#\+(\w+):[ \t]*(.*)")
_HEADING = re.compile(
    r"(\*{1,30})[ \t]+(?:(?:TODO|DONE|NEXT|WAITING|CANCELED)[ \t]+)?(?:\[#[A-Z]\][ \t]*)?(.*)"
)
_TAGS = re.compile(r"[ \t]+(:[\w@#%:]+:)[ \t]*$")
_BEGIN = re.compile(r"[ \t]*#\+begin_(\w+)[ \t]*([\w+#.-]*)", re.IGNORECASE)
_ITEM = re.compile(r"([ \t]*)(?:[-+]|(\d{1,6})[.)])[ \t]+(.*)")
_LINK = re.compile(r"\[\[([^\[\]\n]{1,2000})\](?:\[([^\[\]\n]{1,2000})\])?\]")
_CODE = re.compile(r"(?<![\w~=])([=~])(\S(?:[^\n~=]{0,300}\S)?)\1(?![\w~=])")
_STRONG = re.compile(r"(?<![\w*])\*(\S(?:[^\n*]{0,300}\S)?)\*(?![\w*])")
_DRAWER = re.compile(r"[ \t]*:(\w+):[ \t]*$")
_FIELDS = {"title": "title", "author": "author", "date": "date", "language": "language", "keywords": "tags"}
_FIELDS |= {"filetags": "tags"}


class OrgConverter:
    """Keywords become metadata; drawers, comments and results' markers are left out."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        refuse_binary(data, "an org file")
        text, note = decode(data)
        lines = text.replace("\r\n", "\n").split("\n")
        fields: dict[str, Any] = {}
        body = tidy(blocks(_blocks(lines, fields)))
        metadata, origins = declared(fields, "org")
        return Converted(body, metadata, (note,) if note else (), origins)


def _blocks(lines: list[str], fields: dict[str, Any]) -> Iterator[str]:
    paragraph: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        found = _special(lines, place, fields)
        if found is None and line.strip():
            paragraph.append(line)
            place += 1
            continue
        yield _paragraph(paragraph)
        paragraph = []
        if found is None:
            place += 1
        else:
            text, place = found
            yield text
    yield _paragraph(paragraph)


def _special(lines: list[str], place: int, fields: dict[str, Any]) -> tuple[str, int] | None:
    """What begins on a line and is no paragraph, and the line behind it."""
    line = lines[place]
    if match := _HEADING.fullmatch(line):
        return heading(len(match[1]), _inline(_TAGS.sub("", match[2]))), place + 1
    if match := _BEGIN.match(line):
        return _block(lines, place, match[1].lower(), match[2])
    if match := _KEYWORD.fullmatch(line):
        name = _FIELDS.get(match[1].lower())
        if name and match[2].strip():
            value = match[2].strip()
            fields.setdefault(
                name,
                ", ".join(re.split(r"[:,\s]+", value.strip(":"))) if name == "tags" else value.strip("<>[]"),
            )
        return "", place + 1
    if line.startswith("# ") or line.strip() == "#":
        return "", place + 1
    if _DRAWER.fullmatch(line):
        end = next((i for i in range(place + 1, min(place + 200, len(lines))) if _is_end(lines[i])), None)
        return ("", end + 1) if end is not None else None
    if line.lstrip().startswith("|"):
        return _table(lines, place)
    if line.lstrip().startswith(": ") or line.strip() == ":":
        end = next((i for i in range(place, len(lines)) if not lines[i].lstrip().startswith(":")), len(lines))
        return fence("\n".join(one.lstrip()[2:] for one in lines[place:end])), end
    if _ITEM.fullmatch(line):
        return _list(lines, place)
    return None


def _is_end(line: str) -> bool:
    return line.strip().lower() == ":end:"


def _block(lines: list[str], place: int, kind: str, language: str) -> tuple[str, int]:
    closing = f"#+end_{kind}"
    end = next((i for i in range(place + 1, len(lines)) if lines[i].strip().lower() == closing), len(lines))
    inner = [re.sub(r"^,(?=[*#])", "", line) for line in lines[place + 1 : end]]
    if kind in ("src", "example", "export"):
        return fence("\n".join(inner), language if kind != "example" else ""), end + 1
    if kind == "comment":
        return "", end + 1
    text = _paragraph(inner)
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n")) if kind == "quote" else text, end + 1


def _table(lines: list[str], place: int) -> tuple[str, int]:
    end = next((i for i in range(place, len(lines)) if not lines[i].lstrip().startswith("|")), len(lines))
    rows = [
        line.strip().strip("|").split("|") for line in lines[place:end] if not line.lstrip().startswith("|-")
    ]
    return table([[_inline(cell.strip()) for cell in row] for row in rows]), end


def _list(lines: list[str], place: int) -> tuple[str, int]:
    """Items with the levels that their indents tell."""
    indents: list[int] = []
    items: list[str] = []
    while place < len(lines) and lines[place].strip():
        match = _ITEM.fullmatch(lines[place])
        if match is None and not lines[place][:1].isspace():
            break
        if match is None:
            items[-1] += " " + _inline(lines[place].strip())
        else:
            indent = len(match[1].expandtabs(4))
            indents = [*(one for one in indents if one < indent), indent]
            marker = f"{match[2]}." if match[2] else "-"
            items.append("\t" * min(len(indents) - 1, 20) + f"{marker} {_inline(match[3])}")
        place += 1
    return "\n".join(items), place


def _paragraph(lines: list[str]) -> str:
    return plain_block(_inline("\n".join(line.strip() for line in lines)))


def _inline(text: str) -> str:
    text = _CODE.sub(lambda match: f"`{match[2]}`", text)
    text = _STRONG.sub(lambda match: f"**{match[1]}**", text)
    return _LINK.sub(lambda match: link(match[2] or match[1], match[1]), text)


def converter(settings: IngestSettings) -> OrgConverter:
    return OrgConverter()
