"""OpenDocument texts: headings, lists, tables, code, formulas and notes (OpenDocument 1.3, part 3)."""

from __future__ import annotations

from typing import Any

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, tidy
from ingest.convert.odt_body import Body
from ingest.convert.package import Package
from ingest.convert.properties import declared
from ingest.convert.whole import settled_markdown

_CONTENT, _META, _STYLES, _MANIFEST = "content.xml", "meta.xml", "styles.xml", "META-INF/manifest.xml"
_FIELDS = {
    "title": "title",
    "initial-creator": "author",
    "creation-date": "date",
    "date": "updated",
    "language": "language",
    "keyword": "tags",
}
_TEXTS = ("", "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text-template")


class OdtConverter:
    """Revisions are read as accepted; comments, indexes and macros are left out."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        package = Package(data, "an OpenDocument text")
        kind = (
            package.read("mimetype", 200).decode("ascii", "replace").strip() if "mimetype" in package else ""
        )
        if kind not in _TEXTS:
            raise InputError(
                f"not an OpenDocument text: its content is {package.content or kind!r}; rename it"
            )
        package.require(_CONTENT)
        manifest = package.optional_tree(_MANIFEST)
        if manifest is not None and next(manifest.iter("{*}encryption-data"), None) is not None:
            raise InputError("encrypted: it opens only with a password; save a copy without one")
        content, styles = package.tree(_CONTENT), package.optional_tree(_STYLES)
        body = Body([tree for tree in (styles, content) if tree is not None], package.optional_tree)
        try:
            text = settled_markdown(body.read(content), body.notes)
        except RecursionError:
            raise InputError("its lists or tables are nested too deeply to be read") from None
        fields = _fields(package.optional_tree(_META))
        fields["title"] = fields.get("title") or body.title
        metadata, origins = declared(fields, "odt")
        notes = tuple(f"left out: {what} ({count})" for what, count in sorted(body.skipped.items()))
        return Converted(tidy(text), metadata, notes, origins)


def _fields(meta: Any | None) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for element in list(meta.iter("{*}meta"))[-1:] if meta is not None else ():
        for child in element:
            name = _FIELDS.get(str(child.tag).rpartition("}")[2])
            if name == "tags":
                fields.setdefault(name, []).append(child.text or "")
            elif name:
                fields[name] = child.text or ""
    return fields


def converter(settings: IngestSettings) -> OdtConverter:
    return OdtConverter()
