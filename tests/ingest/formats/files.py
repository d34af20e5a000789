"""Office files as their programs write them, built on the spot."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from configs.settings import load_settings
from ingest.convert.base import Converted, Converter, load_converter
from ingest.convert.kinds import kind_of


@lru_cache
def converter(kind: str) -> Converter:
    return load_converter(kind, load_settings().ingest)


def convert(data: bytes, suffix: str) -> Converted:
    """As the pipeline does it for a file of this suffix."""
    kind = kind_of("file" + suffix)
    assert kind is not None
    return converter(kind).convert(data, suffix)


def zipped(parts: Mapping[str, str | bytes], *, stored: Sequence[str] = ("mimetype",)) -> bytes:
    """A ZIP archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            kind = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=kind)
    return buffer.getvalue()


def changed(archive: bytes, parts: Mapping[str, str | bytes | None]) -> bytes:
    """An archive with some of its parts replaced or added, or with None taken out."""
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        kept: dict[str, str | bytes | None] = {name: source.read(name) for name in source.namelist()}
    return zipped({name: content for name, content in {**kept, **parts}.items() if content is not None})


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
M = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'


def saved(document: Any) -> bytes:
    """The bytes of a document of python-docx, python-pptx or openpyxl."""
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def word(body: str, **parts: str) -> bytes:
    """A Word document with this XML as its body, on python-docx's template.

    Args:
        parts: further parts below ``word/``: ``footnotes="<w:footnotes ...>"``.
    """
    from docx import Document

    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    wps = 'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
    wp = 'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
    names = f"{W} {M} {R} {mc} {wps} {wp}"
    document = f'<?xml version="1.0"?><w:document {names}><w:body>{body}</w:body></w:document>'
    more = {f"word/{name}.xml": text for name, text in parts.items()}
    return changed(saved(Document()), {"word/document.xml": document, **more})


def paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t xml:space='preserve'>{text}</w:t></w:r></w:p>"


def opendocument(body: str, *, styles: str = "", meta: str = "", manifest: str = "") -> bytes:
    """An OpenDocument text with this XML as its body."""
    spaces = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for short, name in (
            ("office", "office"),
            ("text", "text"),
            ("table", "table"),
            ("draw", "drawing"),
            ("style", "style"),
            ("fo", "xsl-fo-compatible"),
            ("svg", "svg-compatible"),
            ("meta", "meta"),
        )
    )
    spaces += ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    content = (
        f"<office:document-content {spaces}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": content,
            "meta.xml": f"<office:document {spaces}><office:meta>{meta}</office:meta></office:document>",
            "META-INF/manifest.xml": f"<manifest>{manifest}</manifest>",
        }
    )


def book(chapters: Mapping[str, str], *, metadata: str = "", extra: Mapping[str, str] | None = None) -> bytes:
    """An e-book of these pages."""
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(chapters)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata>{metadata}</metadata><manifest>{items}"
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/></manifest>'
        f'<spine><itemref idref="nav"/>{spine}</spine></package>'
    )
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    )
    pages = {f"OEBPS/{name}": f"<html><body>{text}</body></html>" for name, text in chapters.items()}
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "OEBPS/book.opf": package,
            "OEBPS/nav.xhtml": "<html><body><nav>Contents</nav></body></html>",
            **pages,
            **(extra or {}),
        }
    )


class _Sectors:
    """Sectors of a compound file and the table that chains them."""

    def __init__(self, size: int) -> None:
        self.size, self.data, self.chain = size, b"", list[int]()

    def store(self, data: bytes) -> int:
        first, count = len(self.chain), max(1, -(-len(data) // self.size))
        self.data += data.ljust(count * self.size, b"\0")
        self.chain += [*range(first + 1, first + count), 0xFFFFFFFE]
        return first

    def table(self) -> bytes:
        return struct.pack(f"<{len(self.chain)}I", *self.chain)


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A compound file (MS-CFB), the container of .msg and .xls; names are paths of storages and streams."""
    names: list[str] = [""]
    for path in streams:
        parts = path.split("/")
        names += [p for i in range(len(parts)) if (p := "/".join(parts[: i + 1])) not in names]
    children = {name: [n for n in names if n and n.rpartition("/")[0] == name] for name in names}
    large, small = _Sectors(512), _Sectors(64)
    starts = {name: (small if len(data) < 4096 else large).store(data) for name, data in streams.items()}
    starts[""] = large.store(small.data)
    sizes = {"": len(small.data), **{name: len(data) for name, data in streams.items()}}
    small_table = large.store(small.table().ljust(512, b"\xff"))
    free, entries = 0xFFFFFFFF, b""
    for name in names:
        siblings = children.get(name.rpartition("/")[0], []) if name else []
        place = siblings.index(name) + 1 if name else 0
        right = names.index(siblings[place]) if name and place < len(siblings) else free
        child = names.index(children[name][0]) if children[name] else free
        encoded = (name.rpartition("/")[2] if name else "Root Entry").encode("utf-16-le") + b"\0\0"
        kind = 5 if not name else 2 if name in streams else 1
        entries += encoded.ljust(64, b"\0") + struct.pack(
            "<HBBIII", len(encoded), kind, 1, free, right, child
        )
        entries += bytes(36) + struct.pack("<IQ", starts.get(name, 0), sizes.get(name, 0))
    directory = large.store(entries.ljust(-(-len(entries) // 512) * 512, b"\0"))
    tables, at = -(-(len(large.chain) + 1) // 128), len(large.chain)
    large.chain += [0xFFFFFFFD] * tables
    table = large.table().ljust(tables * 512, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    counts = len(small.table().ljust(512)) // 512
    header += struct.pack("<IIIIIIIII", 0, tables, directory, 0, 4096, small_table, counts, 0xFFFFFFFE, 0)
    located = [at + i for i in range(tables)] + [free] * (109 - tables)
    return header + struct.pack("<109I", *located) + large.data + table


def outlook(
    text: Mapping[int, str], *, page: bytes = b"", recipients: Sequence[Mapping[int, str]] = ()
) -> bytes:
    """A message as Outlook saves it (MS-OXMSG), with these properties of text by their id."""

    def properties(values: Mapping[int, str], page: bytes, folder: str, head: bytes) -> dict[str, bytes]:
        streams, table = {}, head
        for identity, value in values.items():
            encoded = value.encode("utf-16-le")
            streams[f"{folder}__substg1.0_{identity:04X}001F"] = encoded
            table += struct.pack("<HHIII", 0x001F, identity, 6, len(encoded) + 2, 0)
        if page:
            streams[f"{folder}__substg1.0_10130102"] = page
            table += struct.pack("<HHIII", 0x0102, 0x1013, 6, len(page), 0)
        if not folder:
            sent = 133_540_000_000_000_000  # 100 ns since 1601
            table += struct.pack("<HHIQ", 0x0040, 0x0039, 6, sent)
            table += struct.pack("<HHIII", 0x0003, 0x3FDE, 6, 65001, 0)
            table += struct.pack("<HHIII", 0x0003, 0x340D, 6, 0x00040000, 0)
        return {**streams, f"{folder}__properties_version1.0": table}

    streams = properties(text, page, "", struct.pack("<8xIIII8x", len(recipients), 0, len(recipients), 0))
    for number, recipient in enumerate(recipients):
        streams |= properties(recipient, b"", f"__recip_version1.0_#{number:08X}/", bytes(8))
    return compound(streams)


def old_workbook(
    rows: Sequence[Sequence[str | float]], *, merged: Sequence[tuple[int, int, int, int]] = ()
) -> bytes:
    """A workbook in Excel's older binary form (MS-XLS) with one sheet, and a hidden one."""

    def record(kind: int, data: bytes = b"") -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def named(text: str) -> bytes:
        return struct.pack("<BB", len(text), 1) + text.encode("utf-16-le")

    cells = b""
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            if isinstance(value, str):
                text = struct.pack("<HHHHB", y, x, 15, len(value), 1) + value.encode("utf-16-le")
                cells += record(0x204, text) if value else b""
            else:
                cells += record(0x203, struct.pack("<HHHd", y, x, 15, value))
    areas = b"".join(struct.pack("<HHHH", *area) for area in merged)
    font = record(0x31, struct.pack("<HHHHHBBBB", 200, 0, 0x7FFF, 400, 0, 0, 0, 0, 0) + named("Arial"))
    form = record(0xE0, bytes(20))
    head = record(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 1997, 0, 6)) + font * 5 + form * 16
    sheet = record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 1997, 0, 6)) + cells
    sheet += (record(0xE5, struct.pack("<H", len(merged)) + areas) if merged else b"") + record(0x0A)
    size = len(head) + 2 * (4 + 6) + len(named("Parts")) + len(named("Notes")) + 4
    bounds = record(0x85, struct.pack("<IBB", size, 0, 0) + named("Parts"))
    bounds += record(0x85, struct.pack("<IBB", size + len(sheet), 1, 0) + named("Notes"))
    return compound({"Workbook": head + bounds + record(0x0A) + sheet + sheet})


def notebook(cells: Sequence[Mapping[str, Any]], **metadata: Any) -> bytes:
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}).encode()
