"""Office files that are ZIP archives of XML parts: opened within limits, before any library sees them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from functools import lru_cache
from typing import Any

from lxml import etree

from configs.errors import InputError

MAX_PARTS = 20_000
MAX_UNPACKED = 1_000_000_000
MAX_TREE = 32_000_000
"""Bytes of an XML part that is read into memory as a whole."""
MAX_RATIO = 200
RATIO_FROM = 16_000_000
"""Bytes from which on a part's compression is looked at: small ones do no harm."""

DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(KeyError, IndexError, ValueError, NotImplementedError, RuntimeError, struct.error),
)
"""What `zipfile` lets through when an archive is damaged."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_DOCTYPES = tuple("<!DOCTYPE".encode(codec) for codec in ("ascii", "utf-16-le", "utf-16-be"))
_MAIN_PARTS = {
    "word/": "a Word document (.docx)",
    "ppt/": "a PowerPoint presentation (.pptx)",
    "xl/": "an Excel workbook (.xlsx)",
}
_MIME_TYPES = {
    "application/epub+zip": "an e-book (.epub)",
    "application/vnd.oasis.opendocument.text": "an OpenDocument text (.odt)",
    "application/vnd.oasis.opendocument.spreadsheet": "an OpenDocument spreadsheet (.ods)",
    "application/vnd.oasis.opendocument.presentation": "an OpenDocument presentation (.odp)",
}


class Package:
    """The parts of an office file; nothing is unpacked but what is asked for."""

    def __init__(self, data: bytes, what: str) -> None:
        """Open it and look at its directory.

        Args:
            what: how errors call it: ``a Word document``.

        Raises:
            InputError: it is no archive, damaged, encrypted, or made to fill the memory.
        """
        self.what = what
        _refuse_others(data, what)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except DAMAGE as error:
            raise InputError(f"damaged: cannot be opened as {what}: {_line(error)}") from None
        self._sizes = {info.filename: info.file_size for info in self._zip.infolist()}
        _check(self._zip.infolist(), what)

    def __contains__(self, name: str) -> bool:
        return name in self._sizes

    @property
    def names(self) -> list[str]:
        return list(self._sizes)

    @property
    def content(self) -> str:
        """What it holds, in words; empty where nothing tells."""
        mime = self.read("mimetype", 200).decode("ascii", "replace").strip() if "mimetype" in self else ""
        found = _MIME_TYPES.get(mime, "")
        return found or next((what for part, what in _MAIN_PARTS.items() if self._has_folder(part)), "")

    def _has_folder(self, folder: str) -> bool:
        return any(name.startswith(folder) for name in self._sizes)

    def require(self, name: str) -> None:
        """Fail where a part is missing that makes it what its name says.

        Raises:
            InputError: saying what it is instead, where that is known.
        """
        if name not in self:
            other = self.content
            hint = f"its content is {other}; rename it" if other else f"it has no part {name}"
            raise InputError(f"not {self.what}: {hint}")

    def refuse_large_trees(self) -> None:
        """Fail where a library that reads all XML parts at once would fill the memory.

        Raises:
            InputError: their sum is beyond what several large ones may have.
        """
        total = sum(size for name, size in self._sizes.items() if name.endswith((".xml", ".rels")))
        if total > 4 * MAX_TREE:
            raise InputError(f"it unpacks to {total / 1e6:.0f} MB of XML; split it")

    def read(self, name: str, limit: int = MAX_TREE) -> bytes:
        """A part's bytes.

        Raises:
            InputError: it is missing, damaged or larger than the limit.
        """
        if name not in self._sizes:
            raise InputError(f"damaged: it has no part {name[:80]!r}")
        if self._sizes[name] > limit:
            raise InputError(
                f"its part {name[:80]!r} has {self._sizes[name] / 1e6:.0f} MB unpacked; "
                f"at most {limit / 1e6:.0f} MB are read; split it"
            )
        try:
            with self._zip.open(name) as part:
                return part.read(limit)
        except DAMAGE as error:
            raise InputError(f"damaged: its part {name[:80]!r} cannot be read: {_line(error)}") from None

    def stream(self, name: str) -> Any:
        """A part as a file that is unpacked while it is read."""
        return self._zip.open(name)

    def tree(self, name: str) -> Any:
        """The root element of an XML part.

        Raises:
            InputError: as `read`, or not well-formed.
        """
        return parse_xml(self.read(name), name)

    def optional_tree(self, name: str) -> Any | None:
        """The root element of an XML part that need not be there and is not missed where it is damaged."""
        if name not in self:
            return None
        try:
            return self.tree(name)
        except InputError:
            return None

    def refuse_entities(self) -> None:
        """Fail where an XML part declares a document type, as no office program writes it.

        Raises:
            InputError: naming the part.
        """
        for name in self._sizes:
            if name.endswith((".xml", ".rels")):
                head = self._head(name)
                if any(doctype in head for doctype in _DOCTYPES):
                    raise InputError(f"its part {name[:80]!r} declares XML entities and is not read")

    def _head(self, name: str) -> bytes:
        try:
            with self._zip.open(name) as part:
                return part.read(65_536)
        except DAMAGE:
            return b""  # who needs the part will say that it is damaged


def parse_xml(data: bytes, name: str) -> Any:
    """The root element of XML that nobody vouches for: no entities, no network, no document type.

    Raises:
        InputError: it is not well-formed, or too deep.
    """
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InputError(f"damaged: its part {name[:80]!r} is not XML: {_line(error)}") from None
    subset = root.getroottree().docinfo.internalDTD
    if subset is not None and any(True for _ in subset.iterentities()):
        raise InputError(f"its part {name[:80]!r} declares XML entities and is not read")
    return root


@lru_cache(maxsize=1)
def _parser() -> Any:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )


def _refuse_others(data: bytes, what: str) -> None:
    if not data:
        raise InputError(f"not {what}: the file is empty")
    if data.startswith(_OLE):
        if _ENCRYPTED_STREAM in data:
            raise InputError("encrypted: it opens only with a password; save a copy without one")
        raise InputError(
            f"not {what}: it has the binary form of older office programs; save it in the new one"
        )
    if not data.startswith(b"PK"):
        kind = next((k for sign, k in ((b"%PDF-", "a PDF"), (b"{\\rtf", "RTF")) if data.startswith(sign)), "")
        hint = f"its content is {kind}" if kind else "its content is no ZIP archive"
        raise InputError(f"not {what}: {hint}; rename it or leave it out")


def _check(parts: list[zipfile.ZipInfo], what: str) -> None:
    if len(parts) > MAX_PARTS:
        raise InputError(f"it has {len(parts)} parts; {what} with more than {MAX_PARTS} is not read")
    if any(part.flag_bits & 1 for part in parts):
        raise InputError("encrypted: it opens only with a password; save a copy without one")
    unpacked = sum(part.file_size for part in parts)
    dense = any(p.file_size > RATIO_FROM and p.file_size > MAX_RATIO * p.compress_size for p in parts)
    if unpacked > MAX_UNPACKED or dense:
        raise InputError(f"it unpacks to {unpacked / 1e6:.0f} MB, far more than it should: not read")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
