"""Files that hold many documents."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import records as module
from ingest.members import Member
from ingest.records import RecordLimits, holds_records, records


def members(tmp_path: Path, name: str, data: bytes, kind: str, **limits: int) -> list[Member]:
    file = tmp_path / name
    file.write_bytes(data)
    return list(records(file, kind, RecordLimits(**limits)))


def test_a_line_a_record(tmp_path: Path) -> None:
    lines = [
        '\ufeff{"id": "a-1", "x": 1}',
        "",
        "{broken",
        '{"id": "a-1"}',
        '{"id": "../x"}',
        "5",
        '{"_id": 12}',
    ]
    found = members(tmp_path, "a.jsonl", "\n".join(lines).encode(), "jsonl")
    assert [(one.name, one.error) for one in found] == [
        ("a-1.json", None),
        ("000002.json", "not valid JSON: column 2: expecting property name enclosed in double quotes"),
        ("000003.json", None),
        ("000004.json", None),
        ("000005.json", "not a record: it is a bare number or truth value"),
        ("000006.json", None),
    ]
    assert found[0].data == b'{"id": "a-1", "x": 1}'


def test_an_array_of_records(tmp_path: Path) -> None:
    data = b' [ {"id": "x", "t": "a],\\"[{"} ,\n{"b": [1, {"c": 2}]}\n]'
    found = members(tmp_path, "a.json", data, "json")
    assert [one.name for one in found] == ["x.json", "000002.json"]
    assert json.loads(found[1].data or b"") == {"b": [1, {"c": 2}]}
    assert holds_records(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("text", "yes"), [("{}", False), ("[1]", False), ("", False), ("\ufeff[\n {}]", True)]
)
def test_which_json_files_hold_records(tmp_path: Path, text: str, yes: bool) -> None:
    (tmp_path / "a.json").write_text(text)
    assert holds_records(tmp_path / "a.json") == yes
    (tmp_path / "b.txt").write_text(text)
    assert not holds_records(tmp_path / "b.txt")


def test_an_array_that_ends_in_the_middle(tmp_path: Path) -> None:
    found = members(tmp_path, "a.json", b'[{"a": 1}, {"b": ', "json")
    assert [one.error for one in found] == [None, "the file ends in the middle of its list"]


def test_records_beyond_the_limits(tmp_path: Path) -> None:
    found = members(tmp_path, "a.jsonl", b'{"a": 1}\n' * 5, "jsonl", records=2)
    assert [one.error for one in found] == [None, None, "records beyond the first 2 are left out"]
    large = b'{"a": "' + b"x" * 200_000 + b'"}\n{"b": 1}\n'
    found = members(tmp_path, "b.jsonl", large, "jsonl", record_bytes=100)
    assert [one.error is None for one in found] == [False, True]
    found = members(
        tmp_path, "c.json", b"[" + large.replace(b"\n", b",", 1).strip() + b"]", "json", record_bytes=100
    )
    assert [one.error is None for one in found] == [False, True]


MBOX = (
    b"From a@x Tue Mar 5\nSubject: one\n\nText.\n>From here\nFrom there\n\n"
    b"From b@x Tue Mar 6\nSubject: two\n\nMore.\n"
)


def test_a_mailbox(tmp_path: Path) -> None:
    found = members(tmp_path, "a.mbox", MBOX, "mbox")
    assert [one.name for one in found] == ["000001.eml", "000002.eml"]
    assert found[0].data == b"Subject: one\n\nText.\nFrom here\nFrom there\n\n"
    assert members(tmp_path, "b.mbox", b"hello\n", "mbox")[0].error == (
        "not a mailbox: it does not begin with a line 'From '"
    )


VALUES = st.recursive(
    st.text(alphabet='a"\\[]{},é\n', max_size=6) | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), min_size=1, max_size=5),
    st.booleans(),
    st.integers(1, 9),
)
def test_an_array_is_cut_where_json_cuts_it(
    values: list[dict[str, Any]], ascii_only: bool, block: int
) -> None:
    text = json.dumps(values, ensure_ascii=ascii_only)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        found = list(module._items(io.BytesIO(text.encode()), RecordLimits()))
    assert [json.loads(data) for data, _ in found] == values
