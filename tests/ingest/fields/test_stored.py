"""Fields from files to the store: types, origins, statistics, and what changed settings convert again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.settings import load_settings
from ingest.fields.cache import FILE, AnswerCache
from retrieve.filters import parse_filter
from retrieve.store import open_store
from tests.ingest.stored import Ran, payloads

Run = Callable[..., Ran]
TYPED = ("--set", "ingest.fields={released: {type: datetime}, size: {unit: MB}}")


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Two reports that spell their fields differently, and a stray value."""
    folder = tmp_path / "reports"
    (folder / "2024").mkdir(parents=True)
    (folder / "2024" / "a.md").write_text(
        "---\nreleased: 5 March 2024\nsize: 3 GB\n---\nThe pump runs at noon.\n"
    )
    (folder / "b.md").write_text("---\nreleased: 2023-05-01\nsize: 20\n---\nThe valve opens slowly.\n")
    (folder / "c.md").write_text("---\nreleased: someday\nsize: large\n---\nThe light is red.\n")
    return folder


def found(field: str) -> dict[str, Any]:
    return {p["_dl"]["document"]: p.get(field) for p in payloads()}


def test_declared_types_win_over_what_was_stored(sync: Run, reports: Path) -> None:
    sync(reports)
    assert dict(open_store(load_settings()).info().fields)["released"] == "keyword"
    ran = sync(reports, *TYPED)
    assert ran.counts() == (0, 3, 0, 0)
    fields = dict(open_store(load_settings()).info().fields)
    assert (fields["released"], fields["size"]) == ("datetime", "float")
    assert found("released") == {
        "2024/a.md": "2024-03-05T00:00:00+00:00",
        "b.md": "2023-05-01T00:00:00+00:00",
        "c.md": None,
    }
    assert found("size") == {"2024/a.md": 3000.0, "b.md": 20.0, "c.md": None}
    since = {"must": [{"key": "released", "range": {"gte": "2024-01-01"}}]}
    store = open_store(load_settings())
    seen = [p["_dl"]["document"] for p in store.scroll(parse_filter(since, fields))]
    assert seen == ["2024/a.md"]
    assert sync(reports, *TYPED).counts() == (0, 0, 3, 0)


def test_a_unit_that_is_not_known_is_noted(run: Run, reports: Path) -> None:
    asked = ("--set", "ingest.fields={size: {unit: parsec}, weight: {unit: kg}}")
    ran = run(reports, *asked)
    assert "ingest.fields.size.unit: 'parsec' is no unit that is known" in ran.err
    assert "weight" not in ran.err
    assert "parsec" not in run(reports, *asked).err  # nothing was read anew


def test_what_does_not_fit_is_noted_with_its_file(run: Run, reports: Path) -> None:
    ran = run(reports, *TYPED)
    assert "note: c.md: released: 'someday' is no date" in ran.err
    assert "note: c.md: size: 'large' is no number" in ran.err


def test_a_chunk_knows_where_its_fields_came_from_and_how_long_its_document_is(
    sync: Run, reports: Path
) -> None:
    sync(reports, "--set", "ingest.field_rules=[{path: '{year}/*'}]")
    ours = {p["_dl"]["document"]: p["_dl"] for p in payloads()}
    assert ours["2024/a.md"]["origins"] == {
        "released": "front-matter",
        "size": "front-matter",
        "year": "path",
    }
    assert ours["2024/a.md"]["words"] == 5
    fields = open_store(load_settings()).info().fields
    short = parse_filter({"must": [{"key": "_dl.words", "range": {"lt": 5}}]}, fields)
    assert {p["_dl"]["words"] for p in open_store(load_settings()).scroll(short)} == {4}


def test_status_tells_values_and_ranges(sync: Run, run: Run, reports: Path) -> None:
    sync(reports, *TYPED, "--set", "ingest.field_rules=[{path: '**', put: {team: north}}]")
    told = json.loads(run("status", "--fields", "--json").out)["statistics"]
    assert told["team"] == {
        "type": "keyword",
        "documents": 3,
        "values": 1,
        "more": False,
        "commonest": [{"value": "north", "documents": 3}],
        "range": None,
        "from": {"path": 3},
    }
    assert told["size"]["range"] == [20.0, 3000.0]
    assert told["released"]["documents"] == 2
    lines = run("status", "--fields").out
    assert "team (keyword): 3 of 3; 1 value; north (3); from path 3" in lines
    assert "released (datetime): 2 of 3; 2 values; 2023-05-01 to 2024-03-05; from front-matter 2" in lines


class Signed:
    """A chat model that finds the same in every text."""

    asked = 0

    def complete(self, messages: Any, *, schema: Any, max_tokens: int, salt: str = "") -> str:
        type(self).asked += 1
        return json.dumps({"quote": "runs at noon", "value": "noon"})

    def close(self) -> None:
        pass


def test_the_chat_model_reads_once_and_its_answers_go_with_their_files(
    sync: Run, run: Run, reports: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generate.chat_model.open_chat", lambda settings: Signed())
    monkeypatch.setattr(Signed, "asked", 0)
    model = ("--set", "ingest.fields={hour: {model: the hour}}")
    sync(reports, *model)
    assert found("hour") == {"2024/a.md": "noon", "b.md": None, "c.md": None}
    (ours,) = [p["_dl"] for p in payloads() if p.get("hour")]
    assert ours["origins"]["hour"] == "model"
    assert Signed.asked == 3
    sync(reports, *model, "--set", "ingest.chunk_tokens=50")
    assert Signed.asked == 3
    run("remove", reports)
    assert AnswerCache(home / FILE).exists()
    assert b"runs at noon" not in (home / FILE).read_bytes()
