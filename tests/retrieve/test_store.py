"""What both stores do alike."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import numpy as np
import pytest

from configs.errors import StoreError
from retrieve.filters import Filter, IsEmpty, MatchAny, MatchValue, Range, parse_filter
from retrieve.store.base import Record, SearchRequest, Store
from tests.retrieve.samples import (
    DIMENSION,
    fill,
    make_chunk,
    make_document,
    pages,
    request_for,
    vectors_for,
    writing,
)


def test_an_empty_store_is_valid(store: Store) -> None:
    info = store.info()
    assert (info.chunks, info.documents, info.embedder, info.dimension) == (0, 0, None, None)
    request = SearchRequest("anything", np.ones(DIMENSION, dtype=np.float32), 5, 50)
    assert store.search(request) == []
    assert list(store.scroll()) == []
    assert store.facet("_dl.document") == {}
    assert store.side("ledger") is None


def test_what_was_written_is_found_first(store: Store) -> None:
    chunks = fill(store, [make_document(n) for n in range(30)])
    for chunk in chunks[::7]:
        best = store.search(request_for(chunk))[0]
        assert best.id == chunk.id
        assert best.text == chunk.text
        assert best.document == chunk.document.path
        assert best.section == ("Pages",)
        assert best.relevance == pytest.approx(1, abs=1e-5)
        assert best.coverage == pytest.approx(1, abs=1e-5)


def test_the_payload_comes_back_as_it_was(store: Store) -> None:
    moment = datetime(2024, 2, 29, 12, tzinfo=UTC)
    metadata = {"author": "Ann", "pages": 3, "price": 1.5, "draft": False, "seen": moment, "tags": ["a", "b"]}
    (chunk,) = fill(store, [make_document(1, metadata, tenant="north", access=["staff"])])
    payload = chunk.payload()
    assert list(store.scroll()) == [{"id": chunk.id, **payload}]
    assert store.search(request_for(chunk))[0].payload == payload


def test_info_counts_chunks_documents_and_fields(store: Store) -> None:
    document = make_document(1, {"author": "Ann", "pages": 3})
    chunks = [make_chunk(document, ordinal) for ordinal in range(3)]
    with writing(store) as writer:
        writer.upsert(chunks, vectors_for(chunks))
        writer.commit()
    info = store.info()
    assert (info.chunks, info.documents, info.embedder, info.dimension) == (3, 1, "tests", DIMENSION)
    assert info.fields["author"] == "keyword"
    assert info.fields["pages"] == "integer"
    assert info.fields["_dl.document"] == "keyword"


def test_a_field_is_there_from_the_first_chunk_that_has_it(store: Store) -> None:
    first, second = (
        make_chunk(make_document(1, {"author": "Ann"})),
        make_chunk(make_document(2, {"size": "9"})),
    )
    with writing(store, fields={"author": "keyword", "size": "keyword", "colour": "keyword"}) as writer:
        writer.upsert([first], vectors_for([first]))
        writer.commit()
        assert {"author", "size", "colour"} & store.info().fields.keys() == {"author"}
        writer.upsert([second], vectors_for([second]))
        writer.commit()
    assert {"author", "size", "colour"} & store.info().fields.keys() == {"author", "size"}
    assert store.facet("size") == {"9": 1}
    wanted = Filter(must=(MatchValue("size", "9"),))
    assert [point["id"] for point in store.scroll(wanted)] == [second.id]


def test_records_bring_their_fields_with_the_types_that_are_expected(store: Store) -> None:
    chunk = make_chunk(make_document(1, {"seen": datetime(2024, 1, 2, tzinfo=UTC), "size": 3}))
    (vector,) = vectors_for([chunk])
    with writing(store, fields={"seen": "datetime", "size": "float", "colour": "keyword"}) as writer:
        writer.put([Record(chunk.id, chunk.payload(), vector)])
        writer.commit()
    fields = store.info().fields
    assert (fields["seen"], fields["size"], fields.get("colour")) == ("datetime", "float", None)
    since = Filter(must=(Range("seen", gte=datetime(2024, 1, 1, tzinfo=UTC)), Range("size", gt=2.5)))
    assert [point["id"] for point in store.scroll(since)] == [chunk.id]


def test_nothing_is_visible_before_the_commit(store: Store) -> None:
    fill(store, [make_document(1)])
    before = store.info().generation
    chunk = make_chunk(make_document(2))
    with writing(store) as writer:
        writer.upsert([chunk], vectors_for([chunk]))
        writer.delete_documents([make_document(1).id])
        (writer.side / "ledger").write_text("two")
        assert pages(store) == ["page-1.md"]
        assert store.info().generation == before
    assert pages(store) == ["page-1.md"]  # left without a commit
    assert store.side("ledger") is None


def test_deleting_documents_and_chunks(store: Store) -> None:
    chunks = fill(store, [make_document(n) for n in range(6)])
    with writing(store) as writer:
        writer.delete_documents([make_document(1).id, make_document(2).id, make_document(99).id])
        writer.delete_chunks([chunks[3].id, make_chunk(make_document(99)).id])
        writer.commit()
    assert pages(store) == ["page-0.md", "page-4.md", "page-5.md"]
    assert store.info().chunks == 3


def test_replacing_a_documents_chunks(store: Store) -> None:
    document = make_document(1)
    fill(store, [document, make_document(2)])
    new = make_chunk(document, version="two")
    with writing(store) as writer:
        writer.delete_documents([document.id])
        writer.upsert([new], vectors_for([new]))
        writer.commit()
    assert pages(store) == ["page-1.md", "page-2.md"]
    assert store.search(request_for(new))[0].text == new.text


def test_a_store_can_be_emptied_and_filled_for_another_embedder(store: Store) -> None:
    document = make_document(1)
    fill(store, [document])
    with writing(store) as writer:
        writer.delete_documents([document.id])
        writer.commit()
    assert store.info().chunks == 0
    assert store.info().embedder is None
    assert list(store.scroll()) == []
    chunk = make_chunk(document)
    with writing(store, embedder="wider", dimension=3) as writer:
        writer.upsert([chunk], np.array([[1, 0, 0]], dtype=np.float32))
        writer.commit()
    assert pages(store) == ["page-1.md"]
    assert (store.info().embedder, store.info().dimension) == ("wider", 3)


def test_writing_goes_on_after_a_commit(store: Store) -> None:
    with writing(store) as writer:
        for number in range(3):
            chunk = make_chunk(make_document(number))
            writer.upsert([chunk], vectors_for([chunk]))
            writer.commit()
            assert store.info().chunks == number + 1


def test_a_commit_without_changes_publishes_nothing(store: Store) -> None:
    fill(store, [make_document(1)])
    before = store.info().generation
    with writing(store) as writer:
        writer.commit()
    assert store.info().generation == before


def test_side_files_are_published_with_the_chunks(store: Store) -> None:
    chunk = make_chunk(make_document(1))
    with writing(store) as writer:
        ledger = sqlite3.connect(writer.side / "ledger.sqlite")
        ledger.execute("create table files (path)")
        for number in range(2):  # the connection stays open over commits
            ledger.execute("insert into files values (?)", (f"{number}",))
            ledger.commit()
            writer.upsert([chunk], vectors_for([chunk]))
            writer.commit()
            path = store.side("ledger.sqlite")
            assert path is not None
            published = sqlite3.connect(path)
            assert published.execute("select count(*) from files").fetchone() == (number + 1,)
            published.close()
        ledger.execute("insert into files values ('unpublished')")
        ledger.commit()
        ledger.close()
    with writing(store) as writer:
        ledger = sqlite3.connect(writer.side / "ledger.sqlite")
        assert ledger.execute("select count(*) from files").fetchone() == (2,)
        ledger.close()


def test_facets(store: Store) -> None:
    metadata = [
        {"author": "Ann", "tags": ["a", "b"], "year": 2023, "draft": True, "price": 1.5},
        {"author": "Ann", "tags": ["b"], "year": 2024, "draft": False, "price": 1.5},
        {"author": "Ben", "year": 2024, "price": 2.0},
    ]
    fill(store, [make_document(n, m) for n, m in enumerate(metadata)])  # type: ignore[arg-type]
    assert store.facet("author") == {"Ann": 2, "Ben": 1}
    assert store.facet("tags") == {"b": 2, "a": 1}
    assert store.facet("year") == {2024: 2, 2023: 1}
    assert store.facet("draft") == {True: 1, False: 1}
    assert store.facet("price") == {1.5: 2, 2.0: 1}
    assert store.facet("author", Filter(must=(MatchValue("year", 2024),))) == {"Ann": 1, "Ben": 1}
    assert store.facet("author", limit=1) == {"Ann": 2}
    assert store.facet("no such field") == {}


def test_extents(store: Store) -> None:
    first, last = datetime(1998, 5, 1, tzinfo=UTC), datetime(2024, 2, 29, 12, tzinfo=UTC)
    metadata = [
        {"year": 2023, "seen": last, "price": 1.5, "marks": [3, 9], "author": "Ann"},
        {"year": 2**60 + 1, "seen": first, "price": -2.0, "marks": [1]},
        {"seen": datetime(2001, 1, 1, tzinfo=UTC), "a b": 7},
        {},
    ]
    fill(store, [make_document(n, m) for n, m in enumerate(metadata)])  # type: ignore[arg-type]
    assert store.extent("year") == (2023, 2**60 + 1)
    assert store.extent("seen") == (first, last)
    assert store.extent("price") == (-2.0, 1.5)
    assert store.extent("marks") == (1, 9)
    assert store.extent("a b") == (7, 7)
    assert store.extent("_dl.ordinal") == (0, 0)
    assert store.extent("seen", Filter(must=(Range("year", gte=0),))) == (first, last)
    assert store.extent("seen", Filter(must=(Range("year", lt=3000),))) == (last, last)
    assert store.extent("price", Filter(must=(MatchValue("author", "Ben"),))) is None
    assert store.extent("author") is None
    assert store.extent("no such field") is None


def test_search_keeps_to_its_filter_and_limit(store: Store) -> None:
    documents = [make_document(n, {"year": 2020 + n % 3}) for n in range(30)]
    chunks = fill(store, documents)
    where = Filter(must=(Range("year", gte=2021, lt=2022),))
    expected = sorted(d.path for d in documents if d.metadata["year"] == 2021)
    found = store.search(request_for(chunks[0], limit=50, filter=where))
    assert sorted(p.document for p in found) == expected
    assert len(store.search(request_for(chunks[0], limit=4))) == 4
    assert store.search(request_for(chunks[0], filter=Filter(must=(MatchAny("year", ()),)))) == []


def test_a_field_may_change_its_type(store: Store) -> None:
    fill(store, [make_document(1, {"size": 1, "code": 5})])
    fill(store, [make_document(2, {"size": 2.5, "code": "x"})])
    assert store.info().fields["size"] == "float"
    assert store.info().fields["code"] == "keyword"
    assert pages(store, Filter(must=(Range("size", gte=1.0),))) == ["page-1.md", "page-2.md"]
    assert pages(store, Filter(must=(MatchValue("code", "x"),))) == ["page-2.md"]
    assert {payload["_dl"]["document"]: payload["code"] for payload in store.scroll()} == {
        "page-1.md": 5,
        "page-2.md": "x",
    }


def test_fields_of_any_name_can_be_filtered(store: Store) -> None:
    names = ["a.b", "a b", "ü☃", 'say "x"', "back\\slash", "x[0]", "%22", "%25", "_dl.x", "-"]
    fill(
        store,
        [
            make_document(1, {name: f"yes {name}" for name in names}),
            make_document(2, {name: f"no {name}" for name in names}),
            make_document(3),
        ],
    )
    fields = store.info().fields
    for name in names:
        assert fields[name] == "keyword"
        where = parse_filter({"must": [{"key": name, "match": {"value": f"yes {name}"}}]}, fields)
        assert pages(store, where) == ["page-1.md"]
        assert pages(store, Filter(must=(IsEmpty(name),))) == ["page-3.md"]
        assert store.facet(name) == {f"yes {name}": 1, f"no {name}": 1}
        assert {payload.get(name) for payload in store.scroll()} == {f"yes {name}", f"no {name}", None}


def test_a_store_of_another_embedder_is_refused(store: Store) -> None:
    fill(store, [make_document(1)])
    with pytest.raises(StoreError, match=r"'tests'.*'other'"), writing(store, embedder="other"):
        pass
    assert pages(store) == ["page-1.md"]


def test_one_writer_at_a_time(store: Store) -> None:
    with writing(store), pytest.raises(StoreError, match="written by process"), writing(store, wait_s=0.2):
        pass
    with writing(store, wait_s=0.2):
        pass
