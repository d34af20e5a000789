"""The user's rules: fields out of paths, and out of texts by patterns."""

from __future__ import annotations

import pickle
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest

from configs.errors import SettingsError
from configs.sections import FieldRule
from configs.settings import load_settings
from ingest.fields.rules import Given, compile_rules
from ingest.front_matter import read_metadata
from ingest.plan import recipe_of


def apply(document: str = "a.md", body: str = "", metadata: Any = None, **rule: Any) -> Given | None:
    (compiled,) = compile_rules([FieldRule.model_validate(rule)])
    return pickle.loads(pickle.dumps(compiled)).apply(document, body, metadata or {})  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("template", "path", "fields"),
    [
        ("reports/{year}/{team}/*", "reports/2024/north/q1.md", {"year": "2024", "team": "north"}),
        ("reports/{year}/**", "reports/2024/a/b/c.md", {"year": "2024"}),
        ("**/{team}-{quarter}.pdf", "x/y/north-q1.pdf", {"team": "north", "quarter": "q1"}),
        ("{name}.md", "deep/down/file.md", {"name": "file"}),
        ("[ab]/{x.y}/*", "b/3/f.md", {"x.y": "3"}),
        ("{a}/{b}", "one/two", {"a": "one", "b": "two"}),
    ],
)
def test_paths_give_fields(template: str, path: str, fields: dict[str, str]) -> None:
    given = apply(path, path=template)
    assert given is not None
    assert (given.metadata, given.origin) == (fields, "path")


@pytest.mark.parametrize(
    ("template", "path"),
    [("reports/{year}/*", "reports/2024/a/b.md"), ("{a}/{b}", "one"), ("x/{y}.md", "x/y.txt")],
)
def test_other_paths_give_none(template: str, path: str) -> None:
    assert apply(path, path=template) is None


def test_a_file_name_that_is_no_text_still_gives_text() -> None:
    given = apply("r/\udcff/a.md", path="r/{x}/*")
    assert given is not None
    assert given.metadata == {"x": "?"}


def test_a_path_can_give_what_is_not_in_it() -> None:
    given = apply("hr/pay.md", path="hr/**", put={"team": "people", "level": 3})
    assert given is not None
    assert given.metadata == {"team": "people", "level": 3}


def test_put_takes_what_front_matter_may_hold() -> None:
    put = (
        "{day: 2024-01-01, quoted: '2024-01-01', at: 2024-01-01T10:30:00+02:00, tags: [a, b], "
        "days: [2024-01-01], level: 3, share: 0.5, open: true, reply: no, time: 12:30, number: 007}"
    )
    settings = load_settings(None, [f"ingest.field_rules=[{{path: '**', put: {put}}}]"])
    (rule,) = compile_rules(settings.ingest.field_rules)
    given = rule.apply("a.md", "", {})
    assert given is not None
    assert given.metadata == read_metadata(put)
    assert given.metadata["day"] == given.metadata["quoted"] == datetime(2024, 1, 1, tzinfo=UTC)
    assert (given.metadata["tags"], given.metadata["reply"]) == (["a", "b"], "no")
    assert isinstance(recipe_of("markdown", None, (), settings), str)


def test_put_takes_dates_of_python() -> None:
    given = apply(path="**", put={"day": date(2024, 1, 1)})
    assert given is not None
    assert given.metadata == {"day": datetime(2024, 1, 1, tzinfo=UTC)}


def test_patterns_find_the_first_or_all() -> None:
    body = "See C-1234,\nthen C-2345 and C-1234."
    one = apply(body=body, pattern=r"(?P<contract>C-\d{4})")
    every = apply(body=body, pattern=r"(?P<contract>C-\d{4})", all=True)
    assert one is not None
    assert every is not None
    assert (one.metadata, one.origin) == ({"contract": "C-1234"}, "pattern")
    assert every.metadata == {"contract": ["C-1234", "C-2345"]}
    assert apply(body="nothing", pattern=r"(?P<contract>C-\d{4})", put={"kind": "contract"}) is None


def test_patterns_look_where_they_are_told() -> None:
    rule = {"pattern": r"(?P<version>\d+\.\d+)"}
    assert apply("v1.2/a.md", "3.4", within="path", **rule).metadata == {"version": "1.2"}  # type: ignore[union-attr]
    found = apply(metadata={"title": ["Guide", "to 5.6"]}, within="title", **rule)
    assert found is not None
    assert found.metadata == {"version": "5.6"}
    assert apply(metadata={}, within="title", **rule) is None


def test_a_path_narrows_a_pattern() -> None:
    rule = {"path": "contracts/{client}/*", "pattern": r"No\. (?P<number>\d+)"}
    found = apply("contracts/acme/a.md", "No. 17", **rule)
    assert found is not None
    assert found.metadata == {"client": "acme", "number": "17"}
    listed = apply("contracts/acme/a.md", "No. 17, No. 18", all=True, **rule)
    assert listed is not None
    assert listed.metadata == {"client": "acme", "number": ["17", "18"]}
    assert apply("contracts/acme/a.md", "none", **rule) is None
    assert apply("other/acme/a.md", "No. 17", **rule) is None


def test_groups_that_took_no_part_give_nothing() -> None:
    found = apply(body="b", pattern=r"(?P<a>a)|(?P<b>b)")
    assert found is not None
    assert found.metadata == {"b": "b"}


def test_a_pattern_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.fields.rules.SECONDS", 0.2)
    given = apply(body="a" * 60 + "!", pattern=r"(?P<x>(a|aa)+)$")
    assert given is not None
    assert given.metadata == {}
    assert given.notes == ("ingest.field_rules[0]: its pattern took more than 0.2 s here and was given up",)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("{}", "a path or a pattern"),
        ("{path: 'a/*'}", "it gives no field"),
        ("{path: '{a}/{a}'}", "names a field twice"),
        ("{path: '{_dl.tenant}/*'}", "Draftline's own"),
        ("{path: 'a', put: {_dl.tenant: x}}", "Draftline's own"),
        ("{pattern: '(?P<_dl>x)'}", "Draftline's own"),
        ("{pattern: '(?P<a'}", "not a regular expression"),
        ("{pattern: 'abc'}", "no named group"),
        (
            "{pattern: '(?P<a\\d'}",
            "pattern = '(?P<a\\d' is not valid: not a regular expression",
        ),
        ("{pattern: '(?P<a>b)', wihtin: title}", "not known there; did you mean 'within'?"),
        ("{pth: 'a'}", "field_rules[0].pth is not known there; did you mean 'path'?"),
        ("{path: ' '}", "it must not be empty"),
        ("{path: 'a', put: {_dl.tenant: x}}", "put: '_dl.tenant' is no name"),
        ("{path: 'a', put: {d: }}", "put.d = null is not valid: it must be text, a number, a date"),
        ("{path: 'a', put: {d: {x: 1}}}", "put.d = {x: 1} is not valid: it must be text"),
        ("{path: 'a', put: {d: .inf}}", "it must be text, a number"),
    ],
)
def test_a_rule_that_cannot_be_is_an_error_of_the_settings(rule: str, words: str) -> None:
    with pytest.raises(SettingsError, match=r"field_rules\[0\]") as error:
        load_settings(None, [f"ingest.field_rules=[{rule}]"])
    assert words in str(error.value)


def test_a_field_that_cannot_be_is_an_error_of_the_settings() -> None:
    for fields, words in (
        ("{_dl.x: {}}", "Draftline's own"),
        ("{' x': {}}", "single spaces"),
        ("{x: {type: date}}", "type"),
        ("{x: {typ: 1}}", "x.typ is not known there; did you mean 'type'?"),
        ("{x: {frob: 1}}", "x.frob is not known there; there are: type, unit"),
        ("{x: datetime}", "x = 'datetime' is not valid: write it as {name: value}"),
        ("{x: {model: ''}}", "x.model = '' is not valid: it must not be empty"),
        ("{x: {values: []}}", "name one at least"),
        ("{x: {values: [2024]}}", "it must be text; write it in quotation marks"),
        ("{x: {type: bool, unit: km}}", "a unit is for"),
        ("{x: {type: float, values: [a]}}", "values are for"),
        ("{x: {also: [z]}, y: {also: [z]}}", "z is a name of two fields: x and y"),
        ("{x: {also: [y]}, y: {}}", "y is a name of two fields"),
    ):
        with pytest.raises(SettingsError, match=re.escape(words)):
            load_settings(None, [f"ingest.fields={fields}"])
