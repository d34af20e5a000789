"""reStructuredText, by docutils: nothing is included from other files, and no raw HTML passes."""

from __future__ import annotations

from typing import Any

import lxml.html

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, refuse_binary, tidy
from ingest.convert.build import xml_text
from ingest.convert.encoding import decode
from ingest.convert.markup import one_line
from ingest.convert.properties import declared
from ingest.convert.rst_names import known
from ingest.convert.whole import whole_page

_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "report_level": 5,
    "halt_level": 5,
    "warning_stream": None,
    "input_encoding": "unicode",
    "output_encoding": "unicode",
    "embed_stylesheet": False,
    "syntax_highlight": "none",
    "math_output": "MathML",
    "doctitle_xform": True,
    "docinfo_xform": True,
    "section_self_link": False,
    "toc_backlinks": False,
    "footnote_references": "superscript",
    "smart_quotes": False,
    "traceback": True,
    "line_length_limit": 1_000_000,
}
_FIELDS = {
    "author": "author",
    "authors": "author",
    "date": "date",
    "language": "language",
    "keywords": "tags",
}
_FIELDS |= {"tags": "tags", "version": "version", "status": "status", "contact": "contact"}


class RstConverter:
    """Directives that docutils does not know keep their content, roles their text."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        refuse_binary(data, "reStructuredText")
        text, note = decode(data)
        try:
            page, fields = _page(xml_text(text))
            body = whole_page(page)
        except RecursionError:
            raise InputError("its sections or lists are nested too deeply to be read") from None
        metadata, origins = declared(fields, "rst")
        return Converted(tidy(body), metadata, (note,) if note else (), origins)


def _page(text: str) -> tuple[Any, dict[str, Any]]:
    """The document as a page, and its fields."""
    from docutils import nodes
    from docutils.core import publish_doctree, publish_from_doctree

    with known(text):
        tree = publish_doctree(text, settings_overrides=_SETTINGS)
    fields = _fields(tree)
    for node in [
        *tree.findall(nodes.docinfo),
        *tree.findall(nodes.system_message),
        *tree.findall(nodes.topic),
    ]:
        if not isinstance(node, nodes.topic) or "contents" in node["classes"]:
            node.parent.remove(node)
    for node in tree.findall(nodes.literal_block):
        language = _language(node)
        node["classes"] = [f"language-{language}"] if language else []
    titled = any(isinstance(node, nodes.title) for node in tree)
    levels = {"initial_header_level": 2 if titled else 1}
    page = lxml.html.document_fromstring(
        publish_from_doctree(tree, writer="html5", settings_overrides=_SETTINGS | levels),
        parser=lxml.html.HTMLParser(remove_comments=True, remove_pis=True),
    )
    for literal in page.iter("span"):
        if "literal" in literal.get("class", "").split():
            literal.tag = "code"
    return page, fields


def _language(node: Any) -> str:
    names = [name for name in node["classes"] if name not in ("code", "literal-block")]
    return names[0] if "code" in node["classes"] and names else ""


def _fields(tree: Any) -> dict[str, Any]:
    from docutils import nodes

    fields: dict[str, Any] = {"title": tree.get("title", "")}
    for info in tree.findall(nodes.docinfo):
        for node in info:
            if isinstance(node, nodes.authors):
                fields["author"] = [author.astext() for author in node]
            elif isinstance(node, nodes.field):
                name = _FIELDS.get(node[0].astext().strip().lower())
                if name:
                    fields.setdefault(name, one_line(node[1].astext()))
            elif name := _FIELDS.get(node.tagname):
                fields.setdefault(name, one_line(node.astext()))
    return fields


def converter(settings: IngestSettings) -> RstConverter:
    return RstConverter()
