"""One polite request after the other to one site, with limits on time, size and what is unpacked."""

from __future__ import annotations

import io
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Self

import httpcore

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.archives.unpack import ArchiveLimits, Budget, LostError, SpentError, Unpacked, read_all
from ingest.web.addresses import CheckedBackend, Deadline
from ingest.web.robots import AGENT

ATTEMPTS = 3
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_LONGEST_WAIT_S = 60.0
_SILENCE_S = 10.0
"""How long a server may say nothing, at most, however long a page may take."""
_ACCEPT = "text/html,application/xhtml+xml,text/markdown,text/plain,application/pdf;q=0.9,*/*;q=0.8"


class FetchError(InputError):
    """A page that could not be fetched now; what is known of it stays."""

    def __init__(self, message: str, *, unreachable: bool = False) -> None:
        super().__init__(message)
        self.unreachable = unreachable
        """Nobody answered at all."""


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""

    @property
    def type(self) -> str:
        """The content type, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class _TransientError(Exception):
    def __init__(self, message: str, wait_s: float | None = None, *, unreachable: bool = False) -> None:
        super().__init__(message)
        self.wait_s, self.unreachable = wait_s, unreachable


def _sendable(value: str) -> bool:
    """Whether a header of a server's can be sent back; one that it should not have sent is dropped."""
    return value.isascii() and value.isprintable()


class Fetcher:
    """Requests to one site, never two at a time.

    Args:
        sleep: waits between requests and before another try.
    """

    def __init__(self, settings: IngestSettings, sleep: Callable[[float], None] = time.sleep) -> None:
        self._settings, self._sleep = settings, sleep
        self._deadline = Deadline()
        backend = CheckedBackend(private=settings.crawl_private, deadline=self._deadline)
        self._pool = httpcore.ConnectionPool(max_connections=1, network_backend=backend)
        self._last = float("-inf")
        self.delay_s = settings.crawl_delay_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.close()

    def get(
        self,
        url: str,
        *,
        etag: str | None = None,
        modified: str | None = None,
        wants: Callable[[Answer], bool] = lambda answer: True,
        most_bytes: int | None = None,
    ) -> Answer:
        """Fetch a page; redirects are answers like others.

        Args:
            etag: of the version at hand: the answer is 304 if it is still the one.
            modified: its Last-Modified, likewise.
            wants: whether the body is read, by the answer without it.
            most_bytes: what is read of the body, without an error for more.

        Raises:
            FetchError: not now; the message says why. PrivateAddressError: not ever.
        """
        headers = {
            "User-Agent": f"{AGENT}/{version('draftline')}",
            "Accept": _ACCEPT,
            "Accept-Encoding": "gzip",
        }
        headers |= {"If-None-Match": etag} if etag and _sendable(etag) else {}
        headers |= {"If-Modified-Since": modified} if modified and _sendable(modified) else {}
        for attempt in range(1, ATTEMPTS + 1):
            self._wait()
            try:
                return self._get(url, headers, wants, most_bytes)
            except _TransientError as error:
                if attempt == ATTEMPTS:
                    raise FetchError(f"{error}, {ATTEMPTS} times", unreachable=error.unreachable) from None
                self._sleep(error.wait_s if error.wait_s is not None else 2.0 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")

    def _wait(self) -> None:
        pause = self._last + self.delay_s - time.monotonic()
        if pause > 0:
            self._sleep(pause)
        self._last = time.monotonic()

    def _get(
        self,
        url: str,
        headers: Mapping[str, str],
        wants: Callable[[Answer], bool],
        most_bytes: int | None,
    ) -> Answer:
        limit = self._settings.crawl_timeout_s
        self._deadline.at = time.monotonic() + limit
        silence = min(limit, _SILENCE_S)
        timeout = {"connect": silence, "read": silence, "write": silence, "pool": silence}
        try:
            with self._pool.stream(
                "GET", url, headers=list(headers.items()), extensions={"timeout": timeout}
            ) as got:
                lower = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in got.headers}
                answer = Answer(got.status, lower)
                if answer.status in _TRANSIENT:
                    raise _TransientError(f"the server answers {answer.status}", _retry_after(lower))
                if not (200 <= answer.status < 300 and wants(answer)):
                    return answer
                return Answer(answer.status, lower, self._body(got, answer, most_bytes))
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            if isinstance(error.__context__, ssl.SSLCertVerificationError) or "CERTIFICATE" in str(error):
                raise FetchError(f"its certificate is not valid: {error}", unreachable=True) from None
            raise _TransientError(_said(error, "no connection"), unreachable=True) from None
        except httpcore.TimeoutException:
            if time.monotonic() >= self._deadline.at:
                raise FetchError(f"it takes longer than ingest.crawl_timeout_s = {limit:g}") from None
            raise _TransientError(f"the server says nothing for {silence:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise _TransientError(_said(error, "the connection broke")) from None

    def _body(self, got: httpcore.Response, answer: Answer, most_bytes: int | None) -> bytes:
        mb = self._settings.max_file_mb
        coding = answer.headers.get("content-encoding", "identity").strip().lower()
        packing = {"identity": "plain", "": "plain", "gzip": "gz", "x-gzip": "gz"}.get(coding)
        if packing is None:
            raise FetchError(f"the server packs it as {coding}, which was not asked for")
        limits = ArchiveLimits(1, mb + 1, mb, self._settings.archive_ratio, 1)
        budget = Budget(limits)
        raw = _Body(got.iter_stream())
        unpacked = Unpacked(io.BufferedReader(raw), packing, budget)
        try:
            if most_bytes is not None:
                return io.BufferedReader(unpacked).read(most_bytes)
            return read_all(io.BufferedReader(unpacked), budget, counted=True)
        except SpentError:
            raise FetchError(f"it is larger than ingest.max_file_mb = {mb:g}") from None
        except LostError as error:
            raise FetchError(str(error)) from None
        except InputError as error:
            raise error if isinstance(error, FetchError) else FetchError(str(error)) from None


class _Body(io.RawIOBase):
    """A body's chunks as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "").strip()
    return (
        min(float(value), _LONGEST_WAIT_S) if value.isascii() and value.isdigit() and len(value) < 9 else None
    )


def _said(error: Exception, otherwise: str) -> str:
    return " ".join(str(error).split()) or otherwise
