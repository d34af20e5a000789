"""What a converter is, which one a file gets, and what every conversion shares."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import FrameType
from typing import Protocol

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.kinds import KINDS
from retrieve.schema import Metadata
from retrieve.schema import Region as Region

BODY = "body"
"""Key of `Converted.origins` for who wrote the body, where that was not the kind's own converter."""
_SIGNATURES = {
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a ZIP archive or office file",
    b"\x1f\x8b": "a gzip archive",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"\x7fELF": "a program",
}
_UTF16_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


@dataclass(frozen=True)
class Converted:
    """A file as markdown."""

    body: str
    r"""Without front matter; lines end in ``\n``, no empty lines around it."""
    metadata: Metadata
    notes: tuple[str, ...] = ()
    """What a person should know about the conversion (a guessed encoding, pages without text)."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Which extractor gave each field of the metadata: ``front-matter``, ``json-ld``, ``pdf`` ..."""
    regions: tuple[Region, ...] = ()
    """Where parts of the body stand in a file that has pages."""


class Converter(Protocol):
    """Turns the bytes of one kind of file into markdown."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        """Convert a whole file.

        Raises:
            InputError: the file cannot be converted; the message says why, not where.
        """
        ...


def load_converter(kind: str, settings: IngestSettings) -> Converter:
    """The converter of a kind, imported now."""
    module = import_module(f"ingest.convert.{KINDS[kind].module}")
    converter: Converter = module.converter(settings)
    return converter


def refuse_binary(data: bytes, kind: str) -> None:
    """Fail for a file that is not text, whatever its name says.

    Raises:
        InputError: naming what the first bytes look like.
    """
    for signature, what in _SIGNATURES.items():
        if data.startswith(signature):
            raise InputError(f"not {kind}: its content is {what}; rename it or leave it out")
    head = data[:65536]
    controls = sum(
        head.count(byte) for byte in b"\x01\x02\x03\x04\x05\x06\x07\x0e\x0f\x10\x11\x12\x13\x14\x15\x16"
    )
    if (b"\x00" in head and not data.startswith(_UTF16_32)) or controls > len(head) // 100:
        raise InputError(f"not {kind}: its content is binary; rename it or leave it out")


def tidy(text: str) -> str:
    r"""Lines that end in ``\n``, no lone surrogates, no empty lines before or after the text."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode("utf-8")
    lines = text.rstrip().split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    body = "\n".join(lines[first:])
    return body + "\n" if body else ""


class _TimeIsUp(BaseException):
    """Not an Exception, so that no library's ``except Exception`` swallows it."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Give up on a conversion that hangs (main thread only: elsewhere there is no limit).

    Raises:
        InputError: the time is over.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(signum: int, frame: FrameType | None) -> None:
        raise _TimeIsUp

    previous = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TimeIsUp:
        raise InputError(f"conversion took more than {seconds:g} s and was given up") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
