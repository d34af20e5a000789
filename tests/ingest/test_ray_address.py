"""A Ray cluster that is not there is told at once; Ray itself would try for ever."""

from __future__ import annotations

import socket

import pytest

from configs.errors import InputError
from ingest.ray_engine import check_reachable


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_whether_somebody_listens(form: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = form.format(server.getsockname()[1])
        check_reachable(address)
    with pytest.raises(InputError, match=r"ingest\.ray_address.*cannot be reached"):
        check_reachable(address)


@pytest.mark.parametrize("address", [None, "auto", "local"])
def test_rays_own_words_are_its_own(address: str | None) -> None:
    check_reachable(address)


def test_what_is_no_address() -> None:
    with pytest.raises(InputError, match="host:port"):
        check_reachable("somewhere:else")
