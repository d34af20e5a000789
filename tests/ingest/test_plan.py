"""What a run would do, decided from names, sizes, times and the ledger alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from configs.errors import InputError
from configs.settings import Settings
from ingest.compare import make_plan, require_any
from ingest.ledger import Entry, KnownFailure, Ledger
from ingest.plan import Plan, labels_of, recipe_of
from ingest.sources import Listing, Stamp
from retrieve.schema import FieldType
from retrieve.store.base import StoreInfo

Make = Callable[..., Settings]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("A.\n")
    (folder / "sub" / "b.md").write_text("B.\n")
    return folder


def planned(
    paths: Sequence[Path],
    settings: Settings,
    ledger: Ledger | None = None,
    fields: dict[str, FieldType] | None = None,
) -> Plan:
    info = StoreInfo(0, 0, None, None, fields or {}, "7")
    return make_plan([str(path) for path in paths], settings, ledger or Ledger(), info)


def done(plan: Plan, **fields: FieldType) -> Ledger:
    """The ledger after everything in a plan was ingested."""
    ledger = Ledger(roots=set(plan.put_roots))
    for task in plan.tasks:
        content = hashlib.sha256(task.source.file.read_bytes()).hexdigest()
        entry = Entry(task.source.key, "id", task.source.stamp, content, task.recipe, 1, fields, "now")
        ledger.documents[entry.key] = entry
    return ledger


def names(entries: Sequence[Entry]) -> list[str]:
    return [entry.key[1] for entry in entries]


def tasks(plan: Plan) -> list[str]:
    return [task.source.path for task in plan.tasks]


def test_new_files_are_tasks_and_known_ones_are_fine(folder: Path, settings: Settings) -> None:
    first = planned([folder], settings)
    assert tasks(first) == ["a.md", "sub/b.md"]
    assert (first.put_roots, first.generation, first.is_idle()) == ([str(folder)], "7", False)
    again = planned([folder], settings, done(first))
    assert names(again.unchanged) == ["a.md", "sub/b.md"]
    assert again.is_idle()
    assert not again.has_cleaning()


def test_a_touched_file_is_read_and_a_changed_one_converted(folder: Path, settings: Settings) -> None:
    ledger = done(planned([folder], settings))
    os.utime(folder / "a.md", ns=(1, 1))
    plan = planned([folder], settings, ledger)
    assert names(plan.touched) == ["a.md"]
    assert plan.is_idle(), "a new time alone is no reason to load a model or to write"
    (folder / "a.md").write_text("Z.\n")
    assert tasks(planned([folder], settings, ledger)) == ["a.md"]


def test_a_file_of_the_same_size_and_time_is_not_opened(
    folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = done(planned([folder], settings))
    monkeypatch.setattr(Path, "open", lambda *arguments: pytest.fail("a file was opened"))
    assert planned([folder], settings, ledger).is_idle()


def test_what_is_gone_is_gone_only_where_we_looked(folder: Path, settings: Settings) -> None:
    ledger = done(planned([folder], settings))
    (folder / "a.md").unlink()
    (folder / "sub" / "b.md").unlink()
    assert names(planned([folder], settings, ledger).gone) == ["a.md", "sub/b.md"]
    assert names(planned([folder / "sub"], settings, ledger).gone) == ["sub/b.md"]
    missing = folder.parent / "missing"
    with pytest.raises(InputError, match=r"missing: no such file or folder"):
        planned([missing], settings, ledger)


def test_a_larger_root_takes_over(folder: Path, settings: Settings) -> None:
    inner = done(planned([folder / "sub"], settings))
    plan = planned([folder], settings, inner)
    assert (plan.put_roots, plan.drop_roots) == ([str(folder)], [str(folder / "sub")])
    assert names(plan.gone) == ["b.md"]
    assert tasks(plan) == ["a.md", "sub/b.md"]


@pytest.mark.parametrize(
    ("override", "renewed"),
    [
        ("ingest.chunk_tokens=99", True),
        ("ingest.chunk_overlap=3", True),
        ("ingest.tenant=acme", True),
        ("ingest.access=[hr]", True),
        ("ingest.embed_batch=4", False),
        ("ingest.commit_every_s=1", False),
        ("retrieve.top_k=9", False),
    ],
)
def test_what_shapes_the_chunks_renews_them(
    folder: Path, make_settings: Make, override: str, renewed: bool
) -> None:
    ledger = done(planned([folder], make_settings()))
    assert bool(planned([folder], make_settings(override), ledger).tasks) is renewed


def test_the_order_of_labels_does_not_matter(settings: Settings) -> None:
    assert recipe_of("text", None, ["a", "b"], settings) == recipe_of("text", None, ["b", "a"], settings)
    assert recipe_of("text", None, [], settings) != recipe_of("html", None, [], settings)


def test_a_known_failure_waits_for_the_file_or_the_limits(folder: Path, make_settings: Make) -> None:
    settings = make_settings()
    task = planned([folder], settings).tasks[0]
    failure = KnownFailure(task.source.key, task.source.stamp, task.attempt, "it was broken")
    ledger = Ledger(failures={failure.key: failure}, roots={str(folder)})
    plan = planned([folder], settings, ledger)
    assert tasks(plan) == ["sub/b.md"]
    assert [(f.path, f.error) for f in plan.failures] == [("a.md", "it was broken")]
    assert "a.md" in tasks(planned([folder], make_settings("ingest.convert_timeout_s=300"), ledger))
    newer = Ledger(failures={failure.key: replace(failure, stamp=Stamp(1, 2, 3))})
    assert "a.md" in tasks(planned([folder], settings, newer))
    (folder / "a.md").unlink()
    assert planned([folder], settings, ledger).forgiven == [failure.key]


def test_a_field_that_became_a_keyword_converts_its_documents_again(folder: Path, settings: Settings) -> None:
    ledger = done(planned([folder], settings), year="integer")
    assert planned([folder], settings, ledger, {"year": "float"}).is_idle()
    assert tasks(planned([folder], settings, ledger, {"year": "keyword"})) == ["a.md", "sub/b.md"]


def test_labels_come_from_the_first_rule_that_matches(make_settings: Make) -> None:
    rules = (
        "ingest.rules=[{path: 'hr/**', access: [hr]}, {path: '*.md', tenant: null}, {path: '**', tenant: x}]"
    )
    ingest = make_settings("ingest.tenant=acme", "ingest.access=[all]", rules).ingest
    assert labels_of("hr/a.md", ingest) == ("acme", ("hr",))
    assert labels_of("x/a.md", ingest) == (None, ("all",))
    assert labels_of("x/a.txt", ingest) == ("x", ("all",))


def test_one_path_that_is_there_is_enough(tmp_path: Path) -> None:
    require_any(Listing(missing=1), ["a", "b"])
    with pytest.raises(InputError):
        require_any(Listing(missing=2), ["a", "b"])
