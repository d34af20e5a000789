"""Jupyter notebooks: text cells as they are, code fenced, with what it printed."""

from __future__ import annotations

import re
from typing import Any

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, tidy
from ingest.convert.json import load_json
from ingest.convert.markup import blocks, fence, one_line
from ingest.convert.properties import declared

MAX_CELLS = 20_000
MAX_OUTPUT = 4_000
"""Characters of a cell's printed output that are kept: logs of a training run are not what is looked for."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LANGUAGE = re.compile(r"[\w+#.-]{1,30}")
_HEADING = re.compile(r"\s*#\s+(.+)")


class NotebookConverter:
    """Pictures and widgets are left out; nothing is run."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        notebook, note = load_json(data, "a notebook")
        cells = _cells(notebook)
        language = _language(notebook)
        reader = _Reader(language)
        body = tidy(blocks(part for cell in cells[:MAX_CELLS] for part in reader.cell(cell)))
        notes = [note, f"pictures or widgets left out: {reader.pictures}" if reader.pictures else None]
        if len(cells) > MAX_CELLS:
            notes.append(f"{len(cells) - MAX_CELLS} cells beyond the first {MAX_CELLS} are left out")
        metadata, origins = declared(_fields(notebook, body, language), "notebook")
        return Converted(body, metadata, tuple(filter(None, notes)), origins)


class _Reader:
    def __init__(self, language: str) -> None:
        self.language, self.pictures = language, 0

    def cell(self, cell: Any) -> list[str]:
        if not isinstance(cell, dict):
            return []
        kind, source = cell.get("cell_type"), _text(cell.get("source", cell.get("input")))
        if kind == "code":
            outputs = cell.get("outputs")
            found = [self.output(one) for one in outputs[:1000]] if isinstance(outputs, list) else []
            printed = _clipped("\n".join(filter(None, found)))
            code = fence(source, self.language) if source.strip() else ""
            return [code, fence(printed, "text") if printed.strip() else ""]
        if kind == "heading":  # of the third format
            level = cell.get("level")
            return [
                f"{'#' * (level if isinstance(level, int) and 1 <= level <= 6 else 1)} {one_line(source)}"
            ]
        return [source]

    def output(self, output: Any) -> str:
        if not isinstance(output, dict):
            return ""
        if output.get("output_type") == "stream":
            return _text(output.get("text"))
        if output.get("output_type") in ("error", "pyerr"):
            return f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}"
        data = output.get("data", output)
        if not isinstance(data, dict):
            return ""
        if any(
            str(key).startswith(("image/", "application/vnd")) or key in ("png", "jpeg", "svg")
            for key in data
        ):
            self.pictures += 1
            return ""
        return _text(data.get("text/markdown") or data.get("text/plain") or data.get("text"))


def _cells(notebook: Any) -> list[Any]:
    if isinstance(notebook, dict):
        if isinstance(notebook.get("cells"), list):
            return list(notebook["cells"])
        sheets = notebook.get("worksheets")
        if isinstance(sheets, list):
            cells = (sheet.get("cells") for sheet in sheets if isinstance(sheet, dict))
            return [cell for found in cells if isinstance(found, list) for cell in found]
    raise InputError("not a notebook: its JSON has no list of cells; rename it to .json")


def _text(value: Any) -> str:
    """Text may stand as one string or as a list of lines."""
    lines = value if isinstance(value, list) else [value]
    return _ANSI.sub("", "".join(line for line in lines if isinstance(line, str)))


def _clipped(text: str) -> str:
    text = text.rstrip()
    if len(text) <= MAX_OUTPUT:
        return text
    return f"{text[: MAX_OUTPUT // 2].rstrip()}\n[...]\n{text[-MAX_OUTPUT // 2 :].lstrip()}"


def _metadata(notebook: Any) -> dict[str, Any]:
    found = notebook.get("metadata") if isinstance(notebook, dict) else None
    return found if isinstance(found, dict) else {}


def _language(notebook: Any) -> str:
    metadata = _metadata(notebook)
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        value = metadata[part].get(key) if isinstance(metadata.get(part), dict) else None
        if isinstance(value, str) and _LANGUAGE.fullmatch(value):
            return value.lower()
    return "python"


def _fields(notebook: Any, body: str, language: str) -> dict[str, Any]:
    metadata = _metadata(notebook)
    authors = metadata.get("authors") if isinstance(metadata.get("authors"), list) else []
    names = [one.get("name") if isinstance(one, dict) else one for one in authors or []]
    title = metadata.get("title")
    first = next((found[1] for line in body.split("\n", 40)[:40] if (found := _HEADING.fullmatch(line))), "")
    return {
        "title": title if isinstance(title, str) else first,
        "author": [name for name in names if isinstance(name, str)],
        "code_language": language,
    }


def converter(settings: IngestSettings) -> NotebookConverter:
    return NotebookConverter()
