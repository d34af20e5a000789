"""Copies of a text: known by keys that depend on nothing else, shown once, with all their places."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import qdrant_edge as edge
from hypothesis import given
from hypothesis import strategies as st

from ingest.chunk import Span, make_chunks
from ingest.duplicates import Duplicates, labels_of, with_copy_keys
from retrieve.copies import distinct, with_copies
from retrieve.resemblance import copy_keys, inclusion, resemblance, shingles
from retrieve.schema import RESERVED_FIELDS, Chunk, Passage
from retrieve.store.edge import EdgeStore
from retrieve.store.manifest import read_manifest
from retrieve.visibility import visible_to
from tests.retrieve.samples import make_document
from tests.retrieve.test_expand import as_passage
from tests.retrieve.test_search import searcher, write

WORDS = ["".join(map(chr, (97 + n % 26, 97 + n // 26 % 26, 97 + n // 7 % 26))) for n in range(600)]
LABELS = labels_of(None, ())
EXACT, NEAR = 281436194168069, (321304369061839, 2470918400826361)


def text_of(seed: int, count: int = 120) -> list[str]:
    return random.Random(seed).choices(WORDS, k=count)


def changed(words: Sequence[str], *places: int) -> list[str]:
    return [f"{word}x" if at in places else word for at, word in enumerate(words)]


def chunk(number: int, words: Sequence[str], mode: Duplicates = "near", **labels: object) -> Chunk:
    """A document of one chunk."""
    body = " ".join(words)
    document = dataclasses.replace(make_document(number), body=body, **labels)  # type: ignore[arg-type]
    (made,) = make_chunks(document, with_copy_keys([Span(0, len(body))], document, mode))
    return made


def shared(a: str, b: str, *, near: bool = True) -> bool:
    return bool({*copy_keys(a, LABELS, near=near)} & {*copy_keys(b, LABELS, near=near)})


def test_alike_texts_share_a_key_and_others_do_not() -> None:
    close = far = 0
    for seed in range(100):
        words = text_of(seed)
        one, half = changed(words, 7), changed(words, *range(0, 120, 6))
        assert resemblance(shingles(" ".join(words)), shingles(" ".join(one))) > 0.9
        close += shared(" ".join(words), " ".join(one))
        far += shared(" ".join(words), " ".join(half))
    assert close >= 99
    assert far <= 15


@given(st.text(max_size=200), st.text(max_size=20), st.booleans())
def test_any_text_has_keys_that_case_and_marks_do_not_change(text: str, labels: str, near: bool) -> None:
    keys = copy_keys(text, labels, near=near)
    assert keys == copy_keys(f"  {text}\n**", labels, near=near)
    assert len(set(keys)) == (0 if not shingles(text) else 8 if near else 1)
    assert all(0 <= key < 2**52 for key in keys)
    assert not {*keys} & {*copy_keys(text, f"{labels}!", near=near)}


def test_keys_stay_what_they_are() -> None:
    assert copy_keys("The pump runs at noon.", LABELS, near=False) == (EXACT,)
    assert copy_keys("The pump runs at noon.", LABELS, near=True)[:2] == NEAR


def test_texts_with_other_numbers_say_something_else() -> None:
    report = " ".join([*text_of(1), "in", "2019"])
    assert shared(report, report.upper())
    assert not shared(report, report.replace("2019", "2020"))


def test_exact_keys_are_those_of_the_words() -> None:
    words = text_of(2)
    assert shared(" ".join(words), "\n".join(words).title() + "!", near=False)
    assert not shared(" ".join(words), " ".join(changed(words, 5)), near=False)


@given(st.text(max_size=60), st.text(max_size=60))
def test_measures_of_likeness(a: str, b: str) -> None:
    left, right = shingles(a), shingles(b)
    assert resemblance(left, right) == resemblance(right, left) <= (inclusion(left, right) or 1)
    assert resemblance(left, left) == 1


def test_scripts_without_spaces_are_compared_by_character() -> None:
    text = "".join(chr(0x4E00 + n) for n in text_numbers(120))
    assert shared(text, text[:60] + "\u3042" + text[61:])
    assert resemblance(shingles(text), shingles(text[:60])) < 0.6


def text_numbers(count: int) -> list[int]:
    return random.Random(5).sample(range(2000), count)


def test_what_repeats_a_better_passage_is_left_out_within_the_same_labels_only() -> None:
    words = text_of(3)
    best = chunk(1, words, tenant="north")
    near = chunk(2, changed(words, 40), tenant="north")
    south = chunk(3, words, tenant="south")
    closed = chunk(4, words, tenant="north", access=("hr",))
    other = chunk(5, text_of(4), tenant="north")
    found = [as_passage(each) for each in (best, near, south, closed, other)]
    assert distinct(found) == [found[0], found[2], found[3], found[4]]
    apart = [
        as_passage(chunk(1, words, "off", tenant="north")),
        as_passage(chunk(2, words, "exact", tenant="north")),
    ]
    assert distinct([*apart, found[1]]) == [apart[0], found[1]]


def test_rows_below_different_headers_are_no_copies() -> None:
    rows = "| a pump | 7 |"
    body = f"| What | Weight |\n|---|---|\n| x | y |\n{rows}"
    document = dataclasses.replace(make_document(1), body=body)
    bare, headed = Span(body.index(rows), len(body)), Span(body.index(rows), len(body), header=(0, 29))
    one, two = with_copy_keys([bare, headed], document, "near")
    assert not {*one.copies} & {*two.copies}


def test_copies_are_told_with_their_places() -> None:
    words = text_of(6)
    best, near, other = chunk(1, words), chunk(2, changed(words, 3)), chunk(3, text_of(7))
    (passage,) = with_copies([as_passage(best)], map(as_passage, (best, near, other)))
    assert [(copy.document, copy.start, copy.text) for copy in passage.copies] == [
        ("page-2.md", 0, near.text)
    ]
    assert passage.to_json()["also_in"] == ["page-2.md"]
    assert "also_in" not in as_passage(best).to_json()
    assert "_dl.copies" not in passage.metadata()


def test_what_is_shown_by_itself_is_no_copy_of_another() -> None:
    words = text_of(9, 60)
    for number in range(1, 6):
        pair = [as_passage(chunk(1, words)), as_passage(chunk(2, changed(words, *range(10, 10 + number))))]
        shown = with_copies(distinct(pair), pair)
        assert [len(passage.copies) for passage in shown] in ([1], [0, 0])


@pytest.fixture
def crowded(tmp_path: Path) -> EdgeStore:
    """Two hundred near copies of one text, and three others about the same words."""
    store, words = EdgeStore(tmp_path / "store"), text_of(8)
    chunks = [chunk(n, changed(words, n % 100), tenant="north") for n in range(200)]
    others = [[*words[: 60 - 5 * n], *text_of(20 + n)] for n in range(3)]
    chunks += [chunk(300 + n, each, tenant="north") for n, each in enumerate(others)]
    chunks += [chunk(400, words, tenant="south"), chunk(401, words, tenant="north", access=("hr",))]
    write(store, chunks)
    return store


def test_copies_do_not_crowd_out_the_others(crowded: EdgeStore) -> None:
    def paths(found: Sequence[Passage]) -> list[str]:
        return [passage.document for passage in found]

    search, where = searcher(crowded), visible_to("north", ())
    found = search.candidates(" ".join(text_of(8)), where, 5)
    best, *others = paths(found)
    assert best.startswith("page-")
    assert {"page-300.md", "page-301.md", "page-302.md"} <= {*others}
    assert not {"page-400.md", "page-401.md"} & {best, *others}
    first, *_ = search.choose(" ".join(text_of(8)), found, where, 5)
    assert len({copy.document for copy in first.copies}) > 100
    assert not {"page-400.md", "page-401.md"} & {copy.document for copy in first.copies}
    unseen = search.candidates(" ".join(text_of(8)), visible_to("south", ()), 5)
    assert paths(unseen) == ["page-400.md"]
    assert search.choose("any", unseen, visible_to("south", ()), 5)[0].copies == ()


def test_a_store_that_an_older_version_made_gets_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrieve.store import edge_writer, shard

    store, folder = EdgeStore(tmp_path / "store"), tmp_path / "store"
    older = {name: kind for name, kind in RESERVED_FIELDS.items() if name != "_dl.copies"}
    with monkeypatch.context() as patched:
        patched.setattr(edge_writer, "RESERVED_FIELDS", older)
        write(store, [chunk(1, text_of(1))])
    write(store, [chunk(2, text_of(2))])
    opened = edge.EdgeShard.load(str(folder / str(read_manifest(folder).shard)))
    assert not shard.unindexed(opened, RESERVED_FIELDS)
    opened.close()
    store.close()
