"""The connection to a Qdrant server: how it is made, retried, and what its failures mean."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from configs.errors import StoreError
from configs.settings import Settings

ATTEMPTS = 4
T = TypeVar("T")


def connect(settings: Settings) -> QdrantClient:
    """A client for the server that the settings name; makes no connection yet."""
    key = settings.store.api_key
    return QdrantClient(
        url=settings.store.url,
        api_key=key.get_secret_value() if key else None,
        timeout=max(1, round(settings.store.timeout_s)),
        check_compatibility=False,
    )


@contextlib.contextmanager
def server_errors(doing: str) -> Iterator[None]:
    """Turn what qdrant-client raises into StoreError."""
    try:
        yield
    except UnexpectedResponse as error:
        detail = error.content.decode("utf-8", "replace")[:200]
        raise StoreError(f"the Qdrant server refused while {doing}: {error.status_code} {detail}") from error
    except (ResponseHandlingException, httpx.HTTPError, QdrantException) as error:
        raise StoreError(
            f"the Qdrant server cannot be reached while {doing} ({error}); see store.url and store.timeout_s"
        ) from error


def retry(call: Callable[[], T]) -> T:
    """Call, and again with growing pauses when the connection fails."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return call()
        except (ResponseHandlingException, httpx.HTTPError):
            time.sleep(0.2 * 4**attempt)
    return call()
