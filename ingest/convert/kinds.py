"""The kinds of files that can be converted, and which converter each one gets.

Nothing heavy is imported here: a run that finds nothing to do looks no further than this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath

from ingest.convert.languages import LANGUAGES


@dataclass(frozen=True)
class Kind:
    """A kind of file; a document's `type` is its name."""

    name: str
    suffixes: tuple[str, ...]
    module: str
    """Below ``ingest.convert``; its function ``converter(settings)`` gives the converter."""
    version: str
    """Changes whenever the same bytes may convert differently; documents are then converted again."""
    libraries: tuple[str, ...] = ()
    """Distributions whose version decides as well."""
    extras: tuple[str, ...] = ()
    """Distributions that decide where they are installed."""
    options: tuple[str, ...] = ()
    """Settings of the section ``ingest`` that decide as well."""
    markup: bool = True
    """Whether the body is markdown (headings, lists, tables) or plain paragraphs."""
    container: bool = False
    """Whether it holds many documents (see `ingest.containers`), which have kinds of their own."""


_ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz")
_ARCHIVE_LIMITS = ("archive_files", "archive_mb", "archive_ratio", "archive_depth")
_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif", ".bmp")

KINDS = {
    kind.name: kind
    for kind in (
        Kind("markdown", (".md", ".markdown"), "markdown", "1", ("PyYAML",)),
        Kind("html", (".html", ".htm", ".xhtml"), "html", "10", ("lxml", "htmldate")),
        Kind("text", (".txt", ".text", ".log"), "text", "1", markup=False),
        Kind("pdf", (".pdf",), "pdf", "2", ("pypdfium2",), ("rapidocr-onnxruntime",), ("ocr", "pdf")),
        Kind("image", _IMAGES, "image", "1", ("pillow",), ("rapidocr-onnxruntime",), ("ocr",)),
        Kind("docx", (".docx", ".docm", ".dotx"), "docx", "1", ("lxml",)),
        Kind("pptx", (".pptx", ".pptm", ".ppsx"), "pptx", "1", ("python-pptx",)),
        Kind("xlsx", (".xlsx", ".xlsm", ".xltx"), "xlsx", "1", ("lxml",)),
        Kind("xls", (".xls",), "xls", "1", ("xlrd",)),
        Kind("csv", (".csv", ".tsv", ".tab"), "csv", "1"),
        Kind("epub", (".epub",), "epub", "1", ("lxml",)),
        Kind("mail", (".eml", ".msg"), "mail", "1", ("python-oxmsg", "lxml")),
        Kind("rtf", (".rtf",), "rtf", "1", ("lxml",)),
        Kind("odt", (".odt", ".ott"), "odt", "1", ("lxml",)),
        Kind("rst", (".rst",), "rst", "1", ("docutils", "lxml")),
        Kind("org", (".org",), "org", "1"),
        Kind("notebook", (".ipynb",), "notebook", "1"),
        Kind("json", (".json",), "json", "2"),
        Kind("code", tuple(LANGUAGES), "code", "1"),
        Kind("archive", _ARCHIVES, "archives", "1", options=_ARCHIVE_LIMITS, container=True),
        Kind("records", (".jsonl", ".ndjson", ".mbox"), "records", "1", container=True),
    )
}

SUFFIXES = {suffix: kind.name for kind in KINDS.values() for suffix in kind.suffixes}


def kind_of(path: str) -> str | None:
    """The kind of file by its suffix; None for those that cannot be converted."""
    return SUFFIXES.get(PurePath(path).suffix.lower())


def suffix_of(path: str) -> str:
    """A path's suffix in small letters, as files are counted by it."""
    return PurePath(path).suffix.lower() or "(no suffix)"


@lru_cache
def converter_version(kind: str) -> str:
    """What tells two converters of a kind apart: ours and its libraries' versions."""
    found = KINDS[kind]
    return "/".join((found.version, *map(version, found.libraries), *map(_version_if_there, found.extras)))


def _version_if_there(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "-"
