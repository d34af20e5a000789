"""The bytes of a web page as a tree of elements."""

from __future__ import annotations

import re

import lxml.html
from lxml import etree

from configs.errors import InputError
from ingest.convert.base import refuse_binary
from ingest.convert.encoding import decode

_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]{2,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w:.-]{2,40})["']""")


def read_page(data: bytes) -> tuple[lxml.html.HtmlElement | None, tuple[str, ...]]:
    """The page's tree, without comments, and what a person should know of its encoding.

    Returns:
        None for the tree of a page that holds nothing.

    Raises:
        InputError: it is no page, or too deep to be read whole.
    """
    refuse_binary(data, "HTML")
    declared = _CHARSET.search(data[:4096]) or _XML_ENCODING.search(data[:4096])
    text, note = decode(data, declared[1].decode("ascii") if declared else None)
    notes = (note,) if note else ()
    return (_parse(text) if text.strip() else None), notes


def _parse(text: str) -> lxml.html.HtmlElement | None:
    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False)
    clean = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text)
    try:
        tree = lxml.html.document_fromstring(clean.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:
        return None  # comments and nothing else
    for entry in parser.error_log:
        if entry.type_name == "ERR_RESOURCE_LIMIT":
            raise InputError(f"cannot be read whole: {entry.message.partition(',')[0].lower()}")
    return tree
