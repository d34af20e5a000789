"""Reference spans found in a real store."""

from __future__ import annotations

from collections.abc import Callable

from configs.settings import Settings
from evaluate.dataset import Item, Span
from evaluate.references import Place, Reference, locate
from retrieve.store import open_store

from .conftest import BODY, LOCK, make_chunk, make_document


def item(*quotes: str, document: str = "ingest.md") -> Item:
    spans = tuple(Span(document=document, quote=quote) for quote in quotes)
    return Item(id="a", question="Q?", answer="A.", spans=spans)


def find(settings: Settings, wanted: Item) -> Reference:
    store = open_store(settings)
    try:
        return locate([wanted], store)["a"]
    finally:
        store.close()


def test_a_span_is_found_across_chunks(settings: Settings, store_chunks: Callable[..., None]) -> None:
    document, cut = make_document(), BODY.index("waits")
    store_chunks(make_chunk(document, cut, len(BODY)), make_chunk(document, 0, cut - 1))
    start = BODY.index(LOCK)
    assert find(settings, item(LOCK)).spans == ((Place("ingest.md", start, start + len(LOCK)),),)


def test_overlapping_chunks_give_the_body_once(settings: Settings, store_chunks: Callable[..., None]) -> None:
    document = make_document()
    store_chunks(make_chunk(document, 0, 40), make_chunk(document, 20, len(BODY)))
    assert len(find(settings, item(LOCK)).spans[0]) == 1


def test_a_path_under_two_roots_has_two_places(settings: Settings, store_chunks: Callable[..., None]) -> None:
    one, two = make_document(), make_document(body="Preface. " + BODY, root="/other")
    store_chunks(make_chunk(one, 0, len(one.body)), make_chunk(two, 0, len(two.body)))
    (places,) = find(settings, item(LOCK)).spans
    assert sorted(place.start for place in places) == [BODY.index(LOCK), 9 + BODY.index(LOCK)]


def test_what_is_not_in_the_store_is_missing(settings: Settings, store_chunks: Callable[..., None]) -> None:
    store_chunks(make_chunk(make_document(), 0, len(BODY)))
    wanted = item(LOCK, "never written")
    reference = find(settings, wanted)
    assert len(reference.spans) == 1
    assert reference.missing == (wanted.spans[1],)
    assert find(settings, item(LOCK, document="other.md")).spans == ()
