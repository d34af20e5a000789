"""The command line: its commands, what they print where, and how a second run stays light."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import StoreError
from ingest.__main__ import main
from retrieve.store.lock import write_lock
from tests.ingest.stored import Ran, stored

Run = Callable[..., Ran]

ROOT = Path(__file__).parents[2]
LIGHT = """
import sys
from ingest.__main__ import main
code = main(sys.argv[1:])
heavy = {"torch", "transformers", "sentence_transformers", "trafilatura", "tokenizers", "pypdfium2"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


def python(*words: object) -> Ran:
    ran = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def test_a_first_run_prints_one_object_and_a_second_loads_no_model(docs: Path, home: Path) -> None:
    first = python("-m", "ingest", "--json", docs)
    assert (first.code, first.err, first.out.count("\n")) == (0, "", 1)
    assert first.counts() == (3, 0, 0, 0)
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    second = python("-c", LIGHT, "--json", docs)
    assert (second.code, second.err) == (0, "[]\n")
    assert second.counts() == (0, 0, 3, 0)
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before, "nothing was written"


def test_help_names_the_commands(capfd: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (["--help"], ("sync:", "status", "remove", "--tenant", "other commands")),
        (["sync", "--help"], ("--convert-only", "--tenant", "--access", "--json", "examples:")),
        (["remove", "--help"], ("PATH",)),
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
        out = capfd.readouterr().out
        assert all(word in out for word in expected)


def test_the_summary_for_people(run: Run, docs: Path) -> None:
    (docs / "bad.html").write_bytes(b"\x89PNG\r\n\x1a\n")
    (docs / "other.xyz").write_text("?")
    ran = run(docs)
    total, *rest = ran.out.splitlines()
    assert ran.code == 1
    assert total.startswith("3 documents, 3 chunks: 3 added, 0 updated, 0 unchanged, 0 deleted (")
    assert rest[0] == "1 file of other kinds skipped (.xyz 1)"
    assert rest[1] == "1 failed:"
    assert rest[2].startswith("  bad.html: not HTML: ")
    assert ran.err.splitlines() == ["converting 4 files", "embedding and storing 3 chunks"]


def test_json_is_all_of_stdout_with_failures_too(sync: Run, docs: Path) -> None:
    (docs / "bad.html").write_bytes(b"\x89PNG\r\n\x1a\n")
    (docs / "latin.txt").write_bytes(b"caf\xe9")
    ran = sync(docs)
    assert ran.code == 1
    assert [json.loads(line)["added"] for line in ran.out.splitlines()] == [4]
    assert ran.err.startswith("note: latin.txt: ")


def test_status_of_nothing(run: Run, home: Path) -> None:
    ran = run("status", "--json")
    assert ran.code == 0
    assert ran.report == {
        "documents": 0,
        "chunks": 0,
        "embedder": None,
        "fields": {},
        "roots": [],
        "failed": [],
    }
    assert run("status").out == "0 documents, 0 chunks\n"
    assert not home.exists()


def test_status_tells_roots_fields_and_failures(run: Run, docs: Path) -> None:
    (docs / "bad.html").write_bytes(b"\x89PNG\r\n\x1a\n")
    run(docs)
    found = run("status", "--json").report
    assert (found["documents"], found["chunks"], found["embedder"]) == (3, 3, "all-minilm-l6-v2")
    assert found["fields"] == {
        "author": "keyword",
        "language": "keyword",
        "title": "keyword",
        "year": "integer",
    }
    (root,) = found["roots"]
    assert (root["path"], root["documents"], root["chunks"]) == (str(docs), 3, 3)
    assert [failure["path"] for failure in found["failed"]] == [str(docs / "bad.html")]
    lines = run("status").out.splitlines()
    assert lines[0] == "3 documents, 3 chunks"
    assert lines[1].startswith(f"  {docs}: 3 documents, 3 chunks, newest ingested 2")
    assert lines[2] == "fields: author (keyword), language (keyword), title (keyword), year (integer)"
    assert lines[3] == "1 failed:"
    assert lines[4].startswith(f"  {docs / 'bad.html'}: not HTML")


def test_status_of_a_path_lists_what_is_there(run: Run, docs: Path) -> None:
    (docs / "bad.md").write_text("---\ntitle: [\n---\n")
    with zipfile.ZipFile(docs / "all.zip", "w") as archive:
        archive.writestr("deep/pump.md", "# Packed\n\nA pump in an archive.\n")
    run(docs)
    found = run("status", "--json", docs / "sub", docs / "bad.md", docs / "all.zip" / "deep").report
    names = [Path(one["path"]).relative_to(docs).as_posix() for one in found["found"]]
    assert names == ["all.zip/deep/pump.md", "sub/led.html"]
    assert (found["documents"], [Path(one["path"]).name for one in found["failed"]]) == (2, ["bad.md"])
    told = run("status", docs / "sub")
    assert "sub/led.html: 1 chunk, ingested 2" in told.out
    for words in (["status", docs / "nothing"], ["status", docs, "--fields"]):
        assert run(*words).code == 2


def test_a_part_of_an_archive_is_not_removed_alone(run: Run, docs: Path) -> None:
    with zipfile.ZipFile(docs / "all.zip", "w") as archive:
        archive.writestr("pump.md", "# Packed\n")
    run(docs)
    ran = run("remove", docs / "all.zip" / "pump.md")
    assert (ran.code, f"a part of {docs}/all.zip goes with it: remove that" in ran.err) == (2, True)
    assert run("remove", "--json", docs / "all.zip").report["deleted"] == 1


def test_options_of_one_sync_do_not_go_with_others(run: Run, docs: Path, tmp_path: Path) -> None:
    for words in (["--watch", "--report", "x"], ["--convert-only", "--out", tmp_path, "--engine", "ray"]):
        ran = run(docs, *words)
        assert (ran.code, "are for one sync" in ran.err) == (2, True)


def test_a_report_is_refused_before_anything_runs_where_it_cannot_be_written(
    run: Run, docs: Path, tmp_path: Path
) -> None:
    for place, words in (
        (tmp_path / "none" / "x.json", f"there is no folder {tmp_path / 'none'}"),
        (docs, "it is a folder; name a file"),
    ):
        ran = run(docs, "--report", place)
        assert (ran.code, words in ran.err) == (2, True)
    assert not (tmp_path / "none").exists()
    assert run(docs, "--report", tmp_path / "x.json").code == 0
    assert json.loads((tmp_path / "x.json").read_text())["paths"]


def test_a_home_that_cannot_be_made_is_named(
    run: Run, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DRAFTLINE_HOME", "/proc/x")
    ran = run(docs)
    assert ran.code == 2
    assert "error: cannot write the store in /proc/x" in ran.err
    assert "see DRAFTLINE_HOME" in ran.err
    assert "Traceback" not in ran.err
    with pytest.raises(StoreError, match="cannot be made: Not a directory"):
        write_lock(tmp_path / "file" / "home", 0).__enter__()


def test_remove_takes_out_files_folders_and_roots(run: Run, docs: Path) -> None:
    run(docs)
    ran = run("remove", docs / "sub", "--json")
    assert (ran.code, ran.report) == (0, {"deleted": 1, "failed": []})
    assert set(stored()) == {"pump.md", "valve.txt"}
    (docs / "pump.md").unlink()
    ran = run("remove", docs / "pump.md", docs / "nothing")
    assert ran.code == 1
    assert ran.out.startswith("1 document removed (")
    assert f"  {docs / 'nothing'}: nothing there was ingested" in ran.out
    assert run("remove", docs).code == 0
    assert stored() == {}
    assert run("status", "--json").report["roots"] == []
    ran = run("remove", docs)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "nothing there was ingested; `python -m ingest status` lists the roots" in ran.err


def test_what_was_removed_comes_back_with_the_next_run(run: Run, docs: Path) -> None:
    run(docs)
    run("remove", docs / "pump.md")
    assert run("--json", docs).counts() == (1, 0, 2, 0)


def test_a_failure_can_be_removed(run: Run, docs: Path) -> None:
    (docs / "bad.html").write_bytes(b"\x89PNG\r\n\x1a\n")
    run(docs)
    assert run("remove", docs / "bad.html", "--json").report["deleted"] == 0
    assert run("status", "--json").report["failed"] == []


def test_a_path_called_like_a_command(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("status").mkdir()
    Path("status", "a.txt").write_text("A.\n")
    assert run("--json", "--", "status").counts() == (1, 0, 0, 0)
    assert run("--json", "./status").counts() == (0, 0, 1, 0)
