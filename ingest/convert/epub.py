"""E-books: their chapters in the order of reading, and what the package says of the book."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from lxml import html

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, tidy
from ingest.convert.package import Package
from ingest.convert.page import read_page
from ingest.convert.properties import declared
from ingest.convert.whole import whole_page

MAX_CHAPTERS = 5_000
MAX_TEXT = 32_000_000
"""Bytes of all chapters."""
_DC = "{http://purl.org/dc/elements/1.1/}"
_OPF = "{http://www.idpf.org/2007/opf}"
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_OBFUSCATED_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_PAGES = ("application/xhtml+xml", "text/html")


class EpubConverter:
    """Every chapter whole; the table of contents, scripts and pictures are left out."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        package = Package(data, "an e-book")
        package.require(_CONTAINER)
        _refuse_locked(package)
        path = _package_path(package)
        book = package.tree(path)
        chapters = list(_spine(book, posixpath.dirname(path)))
        whole, missing = _bound(package, chapters)
        if missing and missing == len(chapters):
            raise InputError("damaged: the e-book has none of the chapters that it lists")
        metadata, origins = declared(_fields(book), "epub")
        notes = (f"chapters that are missing or beyond the limit: {missing}",) if missing else ()
        return Converted(tidy(whole_page(whole)), metadata, notes, origins)


def _refuse_locked(package: Package) -> None:
    """Fail for a book under digital rights management; hidden fonts alone do no harm."""
    encryption = package.optional_tree(_ENCRYPTION)
    if encryption is None:
        return
    methods = {element.get("Algorithm", "") for element in encryption.iter("{*}EncryptionMethod")}
    if methods - set(_OBFUSCATED_FONTS):
        raise InputError("encrypted: the e-book is locked to its reader; get a copy without the lock")


def _package_path(package: Package) -> str:
    rootfile = package.tree(_CONTAINER).find(".//{*}rootfile")
    path = unquote(rootfile.get("full-path", "")) if rootfile is not None else ""
    if path not in package:
        raise InputError("damaged: the e-book does not say where its contents are")
    return path


def _spine(book: Any, folder: str) -> Iterator[str]:
    """The names of the chapters; the navigation document only tells them again."""
    manifest = {item.get("id"): item for item in book.iter("{*}item")}
    for reference in list(book.iter("{*}itemref"))[:MAX_CHAPTERS]:
        item = manifest.get(reference.get("idref"))
        if item is None or item.get("media-type") not in _PAGES or reference.get("linear") == "no":
            continue
        if "nav" not in (item.get("properties") or "").split():
            yield posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "")).partition("#")[0]))


def _bound(package: Package, names: list[str]) -> tuple[Any, int]:
    """The chapters as one page, so that notes are found wherever they stand, and how many are missing."""
    page = html.document_fromstring("<html><body></body></html>")
    numbers = {name: number for number, name in enumerate(names)}
    missing, room = 0, MAX_TEXT
    for name in names:
        data = package.read(name, MAX_TEXT) if name in package and room > 0 else b""
        room -= len(data)
        tree = read_page(data)[0] if data else None
        body = tree.find("body") if tree is not None else None
        if body is None:
            missing += not data
            continue
        _anchor(body, name, numbers)
        body.tag = "div"
        page.find("body").append(body)
    return page, missing


def _anchor(body: Any, name: str, numbers: dict[str, int]) -> None:
    """Make names of places unlike those of other chapters, and let links between chapters lead to them."""
    folder = posixpath.dirname(name)
    for element in body.iter("*"):
        for attribute in ("id", "name"):
            if attribute in element.attrib:
                element.set(attribute, f"c{numbers[name]}-{element.get(attribute)}")
        address = element.get("href", "")
        if not address or re.match(r"[a-zA-Z][\w+.-]*:", address):
            continue
        file, _, place = address.partition("#")
        target = posixpath.normpath(posixpath.join(folder, unquote(file))) if file else name
        if place and target in numbers:
            element.set("href", f"#c{numbers[target]}-{place}")
        else:
            del element.attrib["href"]


def _fields(book: Any) -> dict[str, Any]:
    def texts(name: str) -> list[str]:
        found = (" ".join("".join(element.itertext()).split()) for element in book.iter(_DC + name))
        return [text for text in found if text][:100]

    metas = [element for element in book.iter(_OPF + "meta") if element.get("property") == "dcterms:modified"]
    sources = [text for text in (*texts("source"), *texts("identifier")) if re.match(r"https?://\S+$", text)]
    return {
        "title": next(iter(texts("title")), ""),
        "author": texts("creator"),
        "date": next(iter(texts("date")), ""),
        "updated": next((meta.text for meta in metas), ""),
        "language": next(iter(texts("language")), ""),
        "tags": texts("subject"),
        "publisher": next(iter(texts("publisher")), ""),
        "url": next(iter(sources), ""),
    }


def converter(settings: IngestSettings) -> EpubConverter:
    return EpubConverter()
