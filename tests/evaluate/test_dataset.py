"""The golden set: its file form, its errors, and that the one we ship fits the handbook."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from configs.errors import InputError
from configs.settings import load_settings
from evaluate.dataset import Item, Span, load_dataset, spread
from ingest.convert.base import load_converter
from ingest.convert.kinds import kind_of

ROOT = Path(__file__).parents[2]
GOLDEN = load_dataset(ROOT / "tests/golden/handbook.jsonl")


@cache
def converted(document: str) -> str:
    path = ROOT / "docs" / document
    kind = kind_of(document)
    assert kind is not None
    return load_converter(kind, load_settings().ingest).convert(path.read_bytes(), path.suffix).body


@pytest.mark.parametrize("span", [pytest.param(span, id=item.id) for item in GOLDEN for span in item.spans])
def test_every_quote_stands_once_in_the_converted_handbook(span: Span) -> None:
    assert converted(span.document).count(span.quote) == 1


def test_the_golden_set_is_large_enough() -> None:
    answerable = [item for item in GOLDEN if item.answerable]
    assert len(answerable) >= 40
    assert len(GOLDEN) - len(answerable) >= 10
    pages = {path.name for path in (ROOT / "docs").iterdir() if path.is_file()}
    assert len(pages) >= 14
    assert pages - {document for item in GOLDEN for document in item.documents} <= {"index.md"}


GOOD = '{"id": "a", "question": "Q?", "answer": "A.", "spans": [{"document": "x.md", "quote": "q"}]}'


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([GOOD, "{"], "line 2: not JSON"),
        ([GOOD, "", GOOD], "line 3: the id 'a' is taken"),
        (["[]"], "line 1: input should be a valid dictionary"),
        (['{"id": "a"}'], "line 1: question: field required"),
        (['{"id": "a", "question": " "}'], "line 1: question: string should have at least 1 character"),
        (['{"id": "a", "question": "Q?"}'], "line 1: an answerable question needs an answer"),
        (['{"id": "a", "question": "Q?", "answerable": false, "answer": "A."}'], "has no answer"),
        (['{"id": "a", "question": "Q?", "anwser": "A."}'], "line 1: anwser: extra inputs"),
        ([GOOD.replace('"quote": "q"', '"quote": ""')], "line 1: spans.0.quote: string should have"),
        (["", ""], "no questions"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as error:
        load_dataset(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the dataset"):
        load_dataset(tmp_path / "missing.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": "\xe9"}')
    with pytest.raises(InputError, match=r"not UTF-8 \(byte 8\)"):
        load_dataset(tmp_path / "latin.jsonl")


def test_a_limit_takes_items_evenly() -> None:
    items = [Item(id=str(number), question="Q?", answerable=False) for number in range(10)]
    assert [item.id for item in spread(items, 3)] == ["0", "3", "6"]
    assert spread(items, None) == spread(items, 99) == items
