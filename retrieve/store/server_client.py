"""The connection to a Qdrant server: how it is made, retried, and what its failures mean."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import httpx
from qdrant_client import AsyncQdrantClient, QdrantClient
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from configs.errors import StoreError
from configs.settings import Settings

PAUSES_S = (0.1, 0.4, 1.6)
"""Between attempts; after the last one a failure counts."""
TRANSIENT = frozenset({429, 500, 502, 503, 504})
"""What a server answers that starts, is overloaded, or has just lost a node that a replica stands in for."""
KEPT = 200
"""Characters of a server's own words that an error quotes."""
T = TypeVar("T")


def connect(settings: Settings) -> QdrantClient:
    """A client for the server that the settings name; makes no connection yet."""
    return QdrantClient(**_arguments(settings))


def connect_async(settings: Settings) -> AsyncQdrantClient:
    """The same for one event loop."""
    return AsyncQdrantClient(**_arguments(settings))


def _arguments(settings: Settings) -> dict[str, Any]:
    key = settings.store.api_key
    return {
        "url": settings.store.url,
        "api_key": key.get_secret_value() if key else None,
        "timeout": max(1, round(settings.store.timeout_s)),
        "check_compatibility": False,
    }


@contextlib.contextmanager
def server_errors(doing: str) -> Iterator[None]:
    """Turn what qdrant-client raises into StoreError."""
    try:
        yield
    except UnexpectedResponse as error:
        raise StoreError(_refused(error, doing)) from error
    except ResourceExhaustedResponse as error:
        raise StoreError(
            f"the Qdrant server is overloaded while {doing} ({error.message}); try again later"
        ) from error
    except (ResponseHandlingException, httpx.HTTPError, QdrantException) as error:
        raise StoreError(_unreachable(error, doing)) from error


def _refused(error: UnexpectedResponse, doing: str) -> str:
    code, said = error.status_code, error.content.decode("utf-8", "replace")[:KEPT]
    if code in (401, 403):
        return f"the Qdrant server wants another key while {doing} ({code} {said}); see store.api_key"
    if code in TRANSIENT:
        return (
            f"the Qdrant server failed again and again while {doing}: {code} {said}; it may have lost "
            "a node, see its logs and `python -m retrieve doctor`"
        )
    if code == 404 and not _is_of_qdrant(error.content):
        return f"what answers while {doing} is no Qdrant server (404 {said[:200]}); see store.url"
    return f"the Qdrant server refused while {doing}: {code} {said}"


def _unreachable(error: Exception, doing: str) -> str:
    cause = error.source if isinstance(error, ResponseHandlingException) else error
    if isinstance(cause, httpx.TimeoutException) and not isinstance(cause, httpx.ConnectTimeout):
        return f"the Qdrant server{_address(cause)} did not answer in time while {doing}; see store.timeout_s"
    if isinstance(cause, httpx.HTTPError):
        return (
            f"the Qdrant server{_address(cause)} cannot be reached while {doing} "
            f"({cause or type(cause).__name__}); "
            "see store.url and store.timeout_s"
        )
    line = str(cause).partition("\n")[0]
    return f"what answers is no Qdrant server, or of another version, while {doing} ({line}); see store.url"


def _address(error: httpx.HTTPError) -> str:
    """Whom a request was for, without a password that the address may hold."""
    try:
        url = error.request.url
    except RuntimeError:  # it failed before there was a request
        return ""
    return f" at {url.scheme}://{url.netloc.decode()}"


def is_missing(error: Exception) -> bool:
    """Whether a call failed because there is no such collection."""
    if isinstance(error, UnexpectedResponse):
        return error.status_code == 404 and _is_of_qdrant(error.content)
    return isinstance(error, ValueError) and "not found" in str(error)  # qdrant-client's in-memory mode


def is_refused(error: Exception) -> bool:
    """Whether a server will not do what was asked however often it is asked: the request is the reason."""
    passing = (401, 403, 404, 408, 409, *TRANSIENT)  # another key, name or moment may change these
    return (
        isinstance(error, UnexpectedResponse)
        and 400 <= (error.status_code or 0) < 500
        and error.status_code not in passing
    )


def _is_of_qdrant(body: bytes) -> bool:
    """Whether an error was told by Qdrant, and not by a proxy before it or by another server."""
    try:
        told = json.loads(body)
    except ValueError:
        return False
    status = told.get("status") if isinstance(told, dict) else None
    return isinstance(status, dict) and "error" in status


def _is_transient(error: Exception) -> bool:
    if isinstance(error, UnexpectedResponse):
        return error.status_code in TRANSIENT
    if isinstance(error, ResponseHandlingException):
        return isinstance(error.source, httpx.TransportError)
    return isinstance(error, httpx.TransportError | ResourceExhaustedResponse)


class Patience:
    """When to try again: failures that may pass, a few times, and not once the time is up.

    A server that hangs takes the whole timeout for its first answer, and is not asked again.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._pauses = list(PAUSES_S)

    def pause_after(self, error: Exception) -> float | None:
        """Seconds to wait before the next attempt; None: there is none."""
        if not (self._pauses and _is_transient(error)):
            return None
        pause = self._pauses.pop(0)
        if isinstance(error, ResourceExhaustedResponse):
            pause = max(pause, error.retry_after_s)
        return pause if time.monotonic() + pause < self._end else None


def retry(call: Callable[[], T], seconds: float) -> T:
    """Call, and again with growing pauses while it fails in a way that may pass, for so long."""
    patience = Patience(seconds)
    while True:
        try:
            return call()
        except json.JSONDecodeError as error:
            raise ResponseHandlingException(error) from error
        except (UnexpectedResponse, ResponseHandlingException, httpx.HTTPError, QdrantException) as error:
            pause = patience.pause_after(error)
            if pause is None:
                raise
        time.sleep(pause)


async def aretry(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """`retry` without blocking the event loop."""
    patience = Patience(seconds)
    while True:
        try:
            return await call()
        except json.JSONDecodeError as error:
            raise ResponseHandlingException(error) from error
        except (UnexpectedResponse, ResponseHandlingException, httpx.HTTPError, QdrantException) as error:
            pause = patience.pause_after(error)
            if pause is None:
                raise
        await asyncio.sleep(pause)
