"""A server that is gone, slow, failing or something else, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configs.errors import StoreError
from configs.settings import Settings
from retrieve.store import open_store, redo, server_client, server_writer
from retrieve.store.base import Store
from retrieve.store.server import ServerStore
from tests.aside import run
from tests.retrieve.qdrant_double import Fault, QdrantDouble
from tests.retrieve.samples import fill, make_chunk, make_document, pages, request_for, vectors_for, writing

QUERY = "/points/query/batch"


@pytest.fixture
def store(
    double: QdrantDouble, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServerStore]:
    monkeypatch.setattr(server_client, "PAUSES_S", (0.01, 0.02, 0.04))
    store = open_store(make_settings("store.kind=server", f"store.url={double.url}"))
    assert isinstance(store, ServerStore)
    fill(store, [make_document(n, {"n": n}) for n in range(5)])
    yield store
    store.close()


@pytest.fixture
def reopened(
    store: ServerStore, double: QdrantDouble, make_settings: Callable[..., Settings]
) -> Iterator[Callable[[], ServerStore]]:
    """Opens the same store again, as another process would."""
    opened: list[ServerStore] = []

    def again() -> ServerStore:
        found = open_store(make_settings("store.kind=server", f"store.url={double.url}"))
        assert isinstance(found, ServerStore)
        opened.append(found)
        return found

    yield again
    for one in opened:
        one.close()


@pytest.fixture
def hasty(
    store: ServerStore, double: QdrantDouble, make_settings: Callable[..., Settings]
) -> Iterator[Store]:
    """The same store for somebody who waits for a second only."""
    hasty = open_store(make_settings("store.kind=server", f"store.url={double.url}", "store.timeout_s=1"))
    yield hasty
    hasty.close()


def at(path: str, *faults: Fault) -> Callable[[str], Fault | None]:
    """These faults, one for each of the first requests to a path."""
    left = list(faults)
    return lambda request: left.pop(0) if path in request and left else None


def at_step(step: int) -> Callable[[str], Fault | None]:
    """A refusal of the request that changes something after ``step`` others did."""
    left = [step]

    def fault(request: str) -> Fault | None:
        if not (request.startswith(("PUT", "PATCH")) or "/points/delete" in request):
            return None
        left[0] -= 1
        return 403 if left[0] < 0 else None

    return fault


def relabel(store: Store, tag: str) -> None:
    """Give all documents but one another label, and delete that one; side files say so."""
    documents = [make_document(n, {"n": n, "tag": tag}) for n in range(4)]
    chunks = [make_chunk(document, version=tag) for document in documents]
    with writing(store) as writer:
        (writer.side / "labels").write_text(tag)
        writer.delete_documents([make_document(n).id for n in range(5)])
        writer.upsert(chunks, vectors_for(chunks))
        writer.commit()


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "the disk is full")


CHUNK = make_chunk(make_document(3))


@pytest.mark.parametrize(
    "faults", [(500,), (503, 502, 504), ("close",), ("close", "close", 500), ("cut",)], ids=str
)
def test_a_failure_that_passes_is_not_noticed(
    double: QdrantDouble, store: ServerStore, faults: tuple[Fault, ...]
) -> None:
    """A node that goes down closes its connections, and until its replica takes over there are errors."""
    double.fault = at(QUERY, *faults)
    assert store.search(request_for(CHUNK))[0].id == CHUNK.id
    double.fault = at("/points/scroll", *faults)
    assert len(pages(store)) == 5
    double.fault = at("GET /collections/draftline", *faults)
    assert store.info().chunks == 5
    double.fault = at("/facet", *faults)
    assert len(store.facet("n")) == 5


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (500, r"failed again and again while searching: 500 .*told to fail.*lost a node"),
        ("close", r"server at http://127\.0\.0\.1:\d+ cannot be reached while searching.*store\.url"),
        (403, r"wants another key while searching.*store\.api_key"),
        (400, "refused while searching: 400 .*told to fail"),
        ("elsewhere", r"searching is no Qdrant server \(404 .*store\.url"),
        ("garbage", r"no Qdrant server, or of another version.*store\.url"),
    ],
)
def test_a_failure_that_stays_is_one_clear_line(
    double: QdrantDouble, store: ServerStore, fault: Fault, message: str
) -> None:
    double.fault = at(QUERY, *[fault] * 20)
    with pytest.raises(StoreError, match=message) as caught:
        store.search(request_for(CHUNK))
    assert "\n" not in str(caught.value)
    asked = sum(QUERY in request for request in double.requests)
    assert asked == (4 if fault in (500, "close") else 1)  # what cannot pass is not tried again


def test_a_server_that_hangs_is_asked_once(double: QdrantDouble, hasty: Store) -> None:
    double.fault = at(QUERY, *["hang"] * 20)
    with pytest.raises(
        StoreError, match=r"server at http://\S+ did not answer in time while searching; see store"
    ):
        hasty.search(request_for(CHUNK))
    assert sum(QUERY in request for request in double.requests) == 1


def test_a_busy_server_is_asked_again(double: QdrantDouble, store: ServerStore) -> None:
    double.fault = at(QUERY, 429, 429)
    assert store.search(request_for(CHUNK))[0].id == CHUNK.id


class TestAsync:
    def test_many_at_once_over_one_connection_pool(self, store: ServerStore) -> None:
        async def ask() -> list[str]:
            chunks = [make_chunk(make_document(n % 5)) for n in range(20)]
            found = await asyncio.gather(*(store.asearch(request_for(chunk)) for chunk in chunks))
            await store.aclose()
            assert [passages[0].id for passages in found] == [chunk.id for chunk in chunks]
            return [passage.id for passage in found[0]]

        chunk = make_chunk(make_document(0))
        expected = [passage.id for passage in store.search(request_for(chunk))]
        assert run(ask()) == expected
        assert run(ask()) == expected  # another loop, another connection

    @pytest.mark.parametrize("fault", [500, "close", "cut"])
    def test_a_failure_that_passes(self, double: QdrantDouble, store: ServerStore, fault: Fault) -> None:
        async def ask() -> str:
            try:
                return (await store.asearch(request_for(CHUNK)))[0].id
            finally:
                await store.aclose()

        double.fault = at(QUERY, fault)
        assert run(ask()) == CHUNK.id

    def test_a_hanging_server_holds_nobody_else_up(self, double: QdrantDouble, hasty: ServerStore) -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        async def ask() -> None:
            ticking = asyncio.create_task(tick())
            with pytest.raises(StoreError, match="did not answer in time"):
                await hasty.asearch(request_for(CHUNK))
            ticking.cancel()
            await hasty.aclose()

        double.fault = at(QUERY, "hang")
        run(ask())
        assert ticks > 5

    def test_an_embedded_store_answers_too(self, tmp_path: Path) -> None:
        from retrieve.store.edge import EdgeStore

        store = EdgeStore(tmp_path)
        (chunk,) = fill(store, [make_document(1)])
        assert run(store.asearch(request_for(chunk)))[0].id == chunk.id


class TestWriting:
    def test_batches_are_sent_again(self, double: QdrantDouble, store: ServerStore) -> None:
        double.fault = at("/points?wait=true", 500, "close", 503)
        fill(store, [make_document(n) for n in range(5, 9)])
        assert len(pages(store)) == 9
        assert all("wait=true" in request and "ordering=medium" in request for request in double.writes())

    def test_a_server_that_stays_away_leaves_what_was_published(
        self, double: QdrantDouble, store: ServerStore
    ) -> None:
        double.fault = at("/points?wait=true", *[500] * 20)
        with pytest.raises(StoreError, match="failed again and again while writing"):
            fill(store, [make_document(7)])
        double.fault = at("nothing")
        assert len(pages(store)) == 5
        fill(store, [make_document(7)])
        assert len(pages(store)) == 6

    @pytest.mark.parametrize("step", range(6))
    def test_a_commit_that_was_cut_short_is_finished(
        self, double: QdrantDouble, store: ServerStore, reopened: Callable[[], ServerStore], step: int
    ) -> None:
        """Documents must not carry labels that the side files know nothing of, whatever is run next."""
        with writing(store) as writer:
            (writer.side / "labels").write_text("old")
            writer.commit()
        before = int(store.info().generation)
        double.fault = at_step(step)
        with contextlib.suppress(StoreError):
            relabel(store, "new")
        double.fault = at("nothing")
        again = reopened()
        labels = again.side("labels")
        assert labels is not None
        assert labels.read_text() == ("old" if step < 5 else "new")
        again.recover()
        labels = again.side("labels")
        assert labels is not None
        assert labels.read_text() == "new"
        assert {payload["tag"] for payload in again.scroll()} == {"new"}
        assert int(again.info().generation) == before + 1
        assert again.info().documents == 4  # the fifth was deleted
        again.recover()
        assert int(again.info().generation) == before + 1

    def test_a_commit_that_all_but_this_folder_know_of_is_finished_here(
        self,
        store: ServerStore,
        reopened: Callable[[], ServerStore],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(server_writer, "write_manifest", full)
            with pytest.raises(OSError, match="full"):
                relabel(store, "new")
        again = reopened()
        assert again.side("labels") is None  # which state these files belong to is not known here
        generation = again.info().generation
        with writing(again):
            labels = again.side("labels")
            assert labels is not None
            assert labels.read_text() == "new"
        assert again.info().generation == generation

    def test_no_ledger_is_believed_where_two_machines_wrote_and_one_died(
        self, double: QdrantDouble, store: ServerStore, tmp_path: Path, reopened: Callable[[], ServerStore]
    ) -> None:
        other = ServerStore(store.versions._client, "draftline", tmp_path / "other")
        fill(other, [make_document(9, {"tag": "theirs"})], labels="theirs")
        assert other.side("labels") is not None
        double.fault = at_step(3)
        with pytest.raises(StoreError):
            relabel(store, "new")
        double.fault = at("nothing")
        assert other.side("labels") is None  # what has begun may have changed what it speaks of
        fill(other, [make_document(8, {"tag": "theirs"})], labels="theirs")
        assert other.side("labels") is not None
        ids = {payload["id"] for payload in store.scroll()}
        again = reopened()
        again.recover()
        assert {payload["id"] for payload in again.scroll()} == ids  # it is not made for what is there now
        assert again.side("labels") is None
        assert other.side("labels") is None

    def test_a_ledger_of_the_same_number_of_commits_is_not_that_of_this_state(
        self, store: ServerStore, tmp_path: Path
    ) -> None:
        other = ServerStore(store.versions._client, "draftline", tmp_path / "other")
        fill(store, [make_document(5)], labels="mine")
        published = store.versions.published()
        assert published is not None
        store.versions.drop(published.name)
        for _ in range(published.manifest.generation):
            fill(other, [make_document(9)], labels="theirs")
        assert other.info().generation == str(published.manifest.generation)
        assert other.side("labels") is not None
        assert store.side("labels") is None

    @pytest.mark.parametrize("learned", [False, True])
    def test_two_machines_that_died_over_one_state(
        self,
        double: QdrantDouble,
        store: ServerStore,
        tmp_path: Path,
        reopened: Callable[[], ServerStore],
        monkeypatch: pytest.MonkeyPatch,
        learned: bool,
    ) -> None:
        """Whoever comes back first must not believe its ledger over the other's half commit."""
        other = ServerStore(store.versions._client, "draftline", tmp_path / "other")
        with monkeypatch.context() as patch:
            if learned:  # ours was published, and this folder has not learned of it
                patch.setattr(server_writer, "write_manifest", full)
            else:
                double.fault = at_step(1)
            with pytest.raises((StoreError, OSError)):
                relabel(store, "new")
        double.fault = at_step(3)
        with pytest.raises(StoreError):
            relabel(other, "theirs")
        double.fault = at("nothing")
        again = reopened()
        again.recover()
        assert again.side("labels") is None
        other.recover()
        assert not (tmp_path / "other" / redo.FILE).exists()

    def test_a_writer_whose_state_was_replaced_meanwhile_writes_nothing(
        self, store: ServerStore, tmp_path: Path
    ) -> None:
        other = ServerStore(store.versions._client, "draftline", tmp_path / "other")
        with writing(store) as writer:
            chunk = make_chunk(make_document(7))
            writer.upsert([chunk], vectors_for([chunk]))
            fill(other, [make_document(9)], labels="theirs")
            with pytest.raises(StoreError, match="another machine has written"):
                writer.commit()
        assert "page-7.md" not in pages(store)
        assert other.side("labels") is not None

    def test_a_commit_that_the_server_refuses_for_good_is_given_up(
        self, double: QdrantDouble, store: ServerStore, reopened: Callable[[], ServerStore]
    ) -> None:
        before = int(store.info().generation)
        double.fault = lambda request: 413 if "/points?wait" in request else None
        with pytest.raises(StoreError, match="refused while writing: 413"):
            relabel(store, "new")
        again = reopened()
        again.recover()
        assert again.side("labels") is None
        assert int(again.info().generation) == before + 1
        double.fault = at("nothing")
        fill(again, [make_document(7)], labels="mine")
        assert len(pages(again)) == 6
        assert again.side("labels") is not None

    def test_a_damaged_log_is_named(
        self, double: QdrantDouble, store: ServerStore, reopened: Callable[[], ServerStore]
    ) -> None:
        double.fault = at_step(2)
        with pytest.raises(StoreError):
            relabel(store, "new")
        double.fault = at("nothing")
        log = store._folder / redo.FILE
        whole = log.read_bytes()
        again = reopened()
        for damage in (b"", whole[:1000], b"{}", whole[: len(whole) // 2]):
            log.write_bytes(damage)
            with pytest.raises(
                StoreError, match=r"commit\.redo, .*cannot be read.*delete it and .*manifest\.json"
            ):
                again.recover()
        log.unlink()
        (log.parent / "manifest.json").unlink()
        assert again.side("labels") is None

    def test_a_commit_to_a_collection_that_is_gone_is_forgotten(
        self, double: QdrantDouble, store: ServerStore, reopened: Callable[[], ServerStore]
    ) -> None:
        double.fault = at_step(2)
        with pytest.raises(StoreError):
            relabel(store, "new")
        double.fault = at("nothing")
        published = store.versions.published()
        assert published is not None
        store.versions.drop(published.name)
        again = reopened()
        fill(again, [make_document(1)])
        assert len(pages(again)) == 1

    def test_random_failures_while_writing_and_reading(
        self, double: QdrantDouble, store: ServerStore
    ) -> None:
        """Each commit replaces every document; what fails is made good by the next that does not."""
        rng = random.Random(5)
        documents = [make_document(n) for n in range(5)]

        def flaky(request: str) -> Fault | None:
            return rng.choice([500, "close", "cut"]) if "/points" in request and rng.random() < 0.15 else None

        double.fault = flaky
        done = 0
        for version in range(12):
            chunks = [make_chunk(document, version=str(version)) for document in documents]
            try:
                with writing(store) as writer:
                    writer.delete_documents([document.id for document in documents])
                    writer.upsert(chunks, vectors_for(chunks))
                    writer.commit()
            except StoreError:
                continue
            done += 1
            double.fault = at("nothing")
            texts = {payload["_dl"]["text"] for payload in store.scroll()}
            assert texts == {chunk.text for chunk in chunks}
            double.fault = flaky
        assert done > 5

    def test_a_reader_goes_on_while_another_version_takes_over(
        self, double: QdrantDouble, store: ServerStore
    ) -> None:
        stop, wrong, counts = threading.Event(), list[object](), set[int]()

        def read() -> None:
            while not stop.is_set():
                try:
                    counts.add(len(store.search(request_for(CHUNK, limit=50))))
                except BaseException as error:
                    wrong.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        for number in range(4):
            records = list(store.records())
            with writing(store, fields={"n": "integer"}, rebuild=f"again {number}") as writer:
                writer.put(records)
                writer.commit()
        stop.set()
        thread.join()
        assert (wrong, counts) == ([], {5})
