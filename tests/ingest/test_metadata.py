"""Front matter: what it may say, what it becomes, and what fails."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from ingest.front_matter import dump_front_matter, read_metadata, split_front_matter
from ingest.metadata import clean_metadata, coerce
from retrieve.fields import fields_of


def read(yaml: str) -> dict[str, Any]:
    metadata, body = split_front_matter(f"---\n{yaml}\n---\nbody\n")
    assert body == "body\n"
    return dict(metadata)


@pytest.mark.parametrize(
    ("yaml", "value"),
    [
        ("x: text", "text"),
        ("x: 3", 3),
        ("x: -2.5", -2.5),
        ("x: 1e3", 1000.0),
        ("x: true", True),
        ("x: no", "no"),
        ("x: 12:30", "12:30"),
        ("x: 007", "007"),
        ("x: '3'", "3"),
        ("x: 2024-02-14", datetime(2024, 2, 14, tzinfo=UTC)),
        ("x: '2024-02-14'", datetime(2024, 2, 14, tzinfo=UTC)),
        ("x: 2024-02-14T10:30:00+02:00", datetime(2024, 2, 14, 8, 30, tzinfo=UTC)),
        ("x: 2024-02-14 10:30", datetime(2024, 2, 14, 10, 30, tzinfo=UTC)),
        ("x: 2024-02-30", "2024-02-30"),
        ("x: [a, b]", ["a", "b"]),
        ("x: [1, 2.5]", [1.0, 2.5]),
        ("x: [1, a, true]", ["1", "a", "true"]),
        ("x: [1, null, 2]", [1, 2]),
        ("x: [[1, 2], 3]", [1, 2, 3]),
        ("x: 99999999999999999999", "99999999999999999999"),
        ("x: &a text", "text"),
        ("x: |\n  two\n  lines", "two\nlines"),
    ],
)
def test_values(yaml: str, value: object) -> None:
    found = read(yaml)["x"]
    assert found == value
    assert type(found) is type(value)


def test_what_is_empty_is_dropped() -> None:
    assert read("a:\nb: ~\nc: ''\nd: []\ne: {}\nf: [null]\ng: 0") == {"g": 0}


def test_nested_mappings_become_dotted_names() -> None:
    yaml = "author: {name: Ada, born: 1815}\npeople: [{name: A, age: 1}, {name: B}]"
    assert read(yaml) == {
        "author.name": "Ada",
        "author.born": 1815,
        "people.name": ["A", "B"],
        "people.age": [1],
    }


def test_a_users_names_are_kept() -> None:
    assert read("source: s\npath: p\ntext: t\nid: 7\n_dlx: u\n2024: year") == {
        "source": "s",
        "path": "p",
        "text": "t",
        "id": 7,
        "_dlx": "u",
        "2024": "year",
    }


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("title: [open", "line"),
        ("a: 1\nb: 'open", "line"),
        ("a: 1\n\tb: 2", "line 3"),
        ("a: 1\nb: 2\na: 3", "line 4"),
        ("just words", "not a list of fields"),
        ("- a\n- b", "not a list of fields"),
        ("_dl: 1", "_dl"),
        ("_dl.tenant: acme", "_dl.tenant"),
        ("_dl: {tenant: acme}", "_dl"),
        ("x: .nan", "'x'"),
        ("x: [.inf]", "'x'"),
        ("x: !!binary aGVsbG8=", "'x'"),
        ("x: !!python/object/apply:os.system [true]", "line 2"),
        ("x: !!int abc", "line 2"),
        ("x: !!timestamp never", "line 2"),
        ("a: &a [1]\nb: *a", "alias"),
        ("a: &a {b: 1}\n<<: *a", "alias"),
        ("[1, 2]: x", "line 2"),
        ('x: "\\ud800"', "line 2"),
        ("x: " + "[" * 5000, "nested"),
        ("\n".join(f"k{i}: 1" for i in range(300)), "300 fields"),
    ],
)
def test_broken_front_matter_fails_in_one_sentence(yaml: str, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("[", r"\[")):
        read(yaml)


def test_a_bomb_does_not_explode() -> None:
    bomb = "a: &a [x, x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
    )
    with pytest.raises(InputError, match="alias"):
        read(bomb)


@pytest.mark.parametrize("text", ["", "# heading\n", "---", "---\n\n---\n\ntext\n", "text\n---\na: 1\n---\n"])
def test_what_is_not_front_matter_is_body(text: str) -> None:
    assert split_front_matter(text) == ({}, text)


def test_front_matter_that_is_not_closed_fails() -> None:
    with pytest.raises(InputError, match="never closed"):
        split_front_matter("---\ntitle: x\n\n# Heading\n")


@pytest.mark.parametrize(("text", "body"), [("---\na: 1\n...\nb\n", "b\n"), ("---\na: 1\n---", "")])
def test_closing(text: str, body: str) -> None:
    assert split_front_matter(text) == ({"a": 1}, body)
    assert split_front_matter("---\n---\nb") == ({}, "b")


LOOKALIKES = [
    "no",
    "007",
    "1e5",
    "12e34",
    "0x1f",
    "~",
    "null",
    "2024-01-01x",
    "- a",
    "a: b",
    "#",
    "1_000",
    "<<",
    "next\x85line",
    "a\u2028b",
    "two\nlines",
]
SCALARS = st.one_of(
    st.text(min_size=1, max_size=30).map(str.strip).filter(bool),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9998, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(LOOKALIKES),
)
NAMES = st.text(min_size=1, max_size=10).map(str.strip).filter(lambda n: n and not n.startswith("_dl"))


VALUES = st.one_of(SCALARS, st.lists(SCALARS, min_size=1, max_size=4))


@given(data=st.dictionaries(NAMES, VALUES, max_size=6), body=st.text())
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_back(data: dict[str, Any], body: str) -> None:
    body = body.replace("\r", "\n")
    metadata = clean_metadata(data)
    found, rest = split_front_matter(dump_front_matter(metadata, body))
    assert (found, rest) == (metadata, body)
    assert fields_of(found) == fields_of(metadata)


@given(text=st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_fails_cleanly(text: str) -> None:
    with contextlib.suppress(InputError):
        clean_metadata(read_metadata(text))


def test_widened_types() -> None:
    zone = timezone(timedelta(hours=1))
    assert coerce(3, "float") == 3.0
    assert coerce([1, 2], "keyword") == ["1", "2"]
    assert coerce(True, "keyword") == "true"
    assert coerce(datetime(2024, 1, 1, tzinfo=zone), "keyword") == "2024-01-01T00:00:00+01:00"
    assert coerce(datetime(2024, 1, 1, tzinfo=UTC), "keyword") == "2024-01-01"
    assert coerce(datetime(2024, 1, 1, 9, 30, tzinfo=UTC), "keyword") == "2024-01-01T09:30:00+00:00"
    assert coerce("x", "keyword") == "x"
