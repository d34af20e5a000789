"""Word documents: headings, lists, tables, code, formulas and notes, as their styles tell them apart.

Revisions are read as accepted; comments, headers, footers, the table of contents, hidden text and macros
are left out. ECMA-376 Part 1, section 17.
"""

from __future__ import annotations

import posixpath
from typing import Any

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, tidy
from ingest.convert.docx.body import Body
from ingest.convert.docx.names import REL, RELATION
from ingest.convert.docx.styles import Styles
from ingest.convert.package import Package
from ingest.convert.properties import core_properties, declared
from ingest.convert.whole import settled_markdown

_MAIN = "word/document.xml"


class DocxConverter:
    """Reads the document's own XML, since no light library tells levels of lists, formulas and notes."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        package = Package(data, "a Word document")
        main = _main_part(package)
        folder = posixpath.dirname(main)
        links = _relations(package, main)
        parts = {
            kind: _beside(package, folder, kind) for kind in ("styles", "numbering", "footnotes", "endnotes")
        }
        body = Body(Styles(parts["styles"], parts["numbering"]), links)
        for kind in ("footnotes", "endnotes"):
            body.add_notes(kind, parts[kind], _relations(package, posixpath.join(folder, f"{kind}.xml")))
        try:
            root = body.read(package.tree(main))
            text = settled_markdown(root, body.notes)
        except RecursionError:
            raise InputError("its tables are nested too deeply to be read") from None
        fields = core_properties(package)
        fields["title"] = fields.get("title") or body.title
        metadata, origins = declared(fields, "docx")
        notes = tuple(f"left out: {what} ({count})" for what, count in sorted(body.skipped.items()))
        return Converted(tidy(text), metadata, notes, origins)


def _main_part(package: Package) -> str:
    relations = package.optional_tree("_rels/.rels")
    for relation in [] if relations is None else relations.iter(REL + "Relationship"):
        if relation.get("Type", "").endswith("/officeDocument"):
            name = str(relation.get("Target", "")).lstrip("/")
            if name.startswith("word/") and name in package:
                return name
    package.require(_MAIN)
    return _MAIN


def _beside(package: Package, folder: str, kind: str) -> Any | None:
    return package.optional_tree(posixpath.join(folder, f"{kind}.xml"))


def _relations(package: Package, part: str) -> dict[str, str]:
    """External addresses by their id; they are written down, never opened."""
    folder, name = posixpath.split(part)
    root = package.optional_tree(f"{folder}/_rels/{name}.rels")
    if root is None:
        return {}
    return {
        relation.get("Id", ""): relation.get("Target", "")
        for relation in root.iter(REL + "Relationship")
        if relation.get("TargetMode") == "External" and relation.get("Type", "").endswith(RELATION)
    }


def converter(settings: IngestSettings) -> DocxConverter:
    return DocxConverter()
