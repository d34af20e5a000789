"""What is stored, written to files again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.ingest.stored import Ran

Run = Callable[..., Ran]


def bodies(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.md")}


def test_markdown_is_what_convert_only_writes(run: Run, docs: Path, tmp_path: Path) -> None:
    long = "".join(f"# Part {i}\n\n" + f"Words of part {i}. " * 60 + "\n\n" for i in range(5))
    (docs / "long.md").write_text("---\nwhen: 2024-03-05\nname: [a, b]\nid: own\n---\n" + long)
    run(docs)
    ran = run("export", "--json", "--out", tmp_path / "copy")
    assert ran.report == {"documents": 4}
    run(docs, "--convert-only", "--out", tmp_path / "converted")
    assert bodies(tmp_path / "copy") == bodies(tmp_path / "converted")


def test_two_roots_have_a_folder_each(run: Run, docs: Path, tmp_path: Path) -> None:
    other = tmp_path / "more" / "docs"
    other.mkdir(parents=True)
    (other / "pump.md").write_text("# Another pump\n")
    run(docs, other)
    run("export", "--out", tmp_path / "copy")
    found = bodies(tmp_path / "copy")
    assert {name.partition("/")[0] for name in found} == {"docs", "docs-2"}
    assert sum(name.endswith("pump.md") for name in found) == 2


def test_one_file_of_all(run: Run, docs: Path, tmp_path: Path) -> None:
    run(docs, "--tenant", "acme")
    run("export", "--out", tmp_path, "--format", "jsonl")
    run("export", "--out", tmp_path, "--format", "parquet")
    lines = [json.loads(line) for line in (tmp_path / "documents.jsonl").read_text().splitlines()]
    rows = pq.read_table(tmp_path / "documents.parquet").to_pylist()
    assert [line["document"] for line in lines] == ["pump.md", "sub/led.html", "valve.txt"]
    assert [row["text"] for row in rows] == [line["text"] for line in lines]
    assert (lines[0]["metadata"], lines[0]["tenant"]) == ({"author": "Ada", "year": 2024}, "acme")
    assert json.loads(rows[0]["metadata"]) == lines[0]["metadata"]


def test_out_must_be_a_folder(run: Run, docs: Path, tmp_path: Path) -> None:
    run(docs)
    (tmp_path / "file").write_text("")
    ran = run("export", "--out", tmp_path / "file")
    assert (ran.code, "not a folder" in ran.err) == (2, True)


@pytest.mark.parametrize("place", ["docs", "docs/sub/new", "."])
def test_originals_are_not_written_over(run: Run, docs: Path, tmp_path: Path, place: str) -> None:
    run(docs)
    before = bodies(tmp_path)
    ran = run("export", "--out", tmp_path / place)
    assert (ran.code, f"{docs} was ingested; name a folder apart" in ran.err) == (2, True)
    assert bodies(tmp_path) == before


def test_the_folder_of_a_single_file_is_not_written_into(run: Run, docs: Path) -> None:
    run(docs / "pump.md")
    assert run("export", "--out", docs).code == 2
    assert run("export", "--out", docs / "copy").code == 0  # the next sync of pump.md sees nothing of it


def test_documents_without_text_are_counted(run: Run, docs: Path, tmp_path: Path) -> None:
    (docs / "empty.md").write_text("")
    run(docs)
    ran = run("export", "--out", tmp_path / "copy")
    assert (ran.code, "1 document without text left out" in ran.err) == (0, True)


def test_an_empty_store_gives_no_documents(run: Run, home: Path, tmp_path: Path) -> None:
    assert run("export", "--json", "--out", tmp_path / "copy").report == {"documents": 0}
