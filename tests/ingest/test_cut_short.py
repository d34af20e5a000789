"""A commit in a Qdrant server that a crash cut short: no label of it stays that the ledger does not know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.ingest.stored import Ran, payloads
from tests.retrieve.conftest import double
from tests.retrieve.qdrant_double import Fault, QdrantDouble

__all__ = ["double"]


def test_labels_of_a_run_that_died_do_not_outlive_the_next(
    sync: Callable[..., Ran], docs: Path, home: Path, double: QdrantDouble
) -> None:
    place = ("--set", "store.kind=server", "--set", f"store.url={double.url}")
    assert sync(docs, "--tenant", "acme", *place).counts() == (3, 0, 0, 0)
    left = [1]

    def dies(request: str) -> Fault | None:
        left[0] -= request.startswith("PUT") and "/points" in request
        return 403 if left[0] < 0 or ("/points/delete" in request) else None

    double.fault = dies
    assert sync(docs, "--tenant", "wrong", *place).code == 2
    double.fault = lambda request: None
    assert {payload["_dl"]["tenant"] for payload in payloads(*place[1::2])} == {"wrong"}
    assert sync(docs, "--tenant", "acme", *place).counts() == (0, 3, 0, 0)
    assert {payload["_dl"]["tenant"] for payload in payloads(*place[1::2])} == {"acme"}


def test_documents_that_only_a_run_that_died_wrote_go_with_their_files(
    sync: Callable[..., Ran], docs: Path, home: Path, double: QdrantDouble
) -> None:
    place = ("--set", "store.kind=server", "--set", f"store.url={double.url}")
    sync(docs, *place)
    (docs / "new.md").write_text("Not for long.\n")
    left = [1]

    def dies(request: str) -> Fault | None:
        left[0] -= request.startswith("PATCH")
        return 403 if left[0] < 0 else None

    double.fault = dies
    assert sync(docs, *place).code == 2
    double.fault = lambda request: None
    assert len(payloads(*place[1::2])) == 4
    (docs / "new.md").unlink()
    assert sync(docs, *place).counts() == (0, 0, 3, 1)
    assert len(payloads(*place[1::2])) == 3
