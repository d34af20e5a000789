"""--convert-only: a folder of markdown that mirrors the tree, whose bodies citations count in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.front_matter import split_front_matter
from ingest.writing import target_names
from tests.ingest.stored import Ran, payloads

Run = Callable[..., Ran]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def convert(sync: Run, docs: Path, out: Path) -> Run:
    return lambda *words: sync(*(words or (docs,)), "--convert-only", "--out", out)


def written(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def test_the_tree_is_mirrored_and_no_store_is_touched(convert: Run, out: Path, home: Path) -> None:
    ran = convert()
    assert ran.code == 0
    assert ran.report.keys() == {"documents", "failed", "seconds"}
    assert (ran.report["documents"], ran.report["failed"]) == (3, [])
    assert written(out) == {"pump.md", "valve.md", "sub/led.md"}
    assert not home.exists()
    assert (
        out / "pump.md"
    ).read_text() == "---\nauthor: Ada\nyear: 2024\n---\n# Pump\n\nThe pump runs at noon.\n"
    assert (out / "valve.md").read_text() == "The valve is made of brass and opens slowly.\n"
    metadata, body = split_front_matter((out / "sub" / "led.md").read_text())
    assert metadata == {"title": "Lights", "language": "en"}
    assert body.startswith("# Lights\n\nA red light")
    assert (out / "pump.md").stat().st_mode & 0o777 == 0o644


def test_bodies_are_what_offsets_count_in(sync: Run, convert: Run, docs: Path, out: Path) -> None:
    (docs / "dos.txt").write_bytes("Zwölf Boxkämpfer\r\njagen 日本 quer.\r\n".encode() * 90)
    (docs / "rule.md").write_text("---\n\nA rule and no front matter.\n")
    sync(docs)
    convert()
    assert len({payload["_dl"]["document"] for payload in payloads()}) == 5
    for payload in payloads():
        ours = payload["_dl"]
        name = Path(ours["document"]).with_suffix(".md")
        _, body = split_front_matter((out / name).read_bytes().decode())
        assert body[ours["start"] : ours["end"]] == ours["text"]


def test_names_that_would_meet_keep_their_suffix(convert: Run, docs: Path, out: Path) -> None:
    (docs / "page.html").write_text("<p>From HTML.</p>")
    (docs / "page.md").write_text("From markdown.\n")
    (docs / "page.txt").write_text("From text.\n")
    convert()
    assert {"page.html.md", "page.md.md", "page.txt.md", "valve.md"} <= written(out)
    assert (out / "page.md.md").read_text() == "From markdown.\n"


SEGMENTS = st.sampled_from(["a", "a.md", "a.txt", "a.md.md", "b.html", "a.html.md", "c.d.txt", "a.txt.md"])
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)


@given(paths=st.sets(PATHS.filter(lambda path: "." in path.rpartition("/")[2]), max_size=12))
def test_no_two_files_are_written_to_one_name(paths: set[str]) -> None:
    targets = target_names(paths)
    assert targets.keys() == paths
    assert len(set(targets.values())) == len(paths)
    for path, target in targets.items():
        assert target.endswith(".md")
        assert target.rpartition("/")[0] == path.rpartition("/")[0]


def test_the_rest_of_the_folder_stays(convert: Run, out: Path) -> None:
    out.mkdir()
    (out / "mine.md").write_text("Mine.\n")
    (out / "pump.md").write_text("An older one.\n")
    assert convert().code == 0
    assert (out / "mine.md").read_text() == "Mine.\n"
    assert "noon" in (out / "pump.md").read_text()
    assert written(out) == {"mine.md", "pump.md", "valve.md", "sub/led.md"}


def test_converting_again_does_not_read_its_own_results(convert: Run, docs: Path, sync: Run) -> None:
    inside = docs / "converted"
    for _ in range(2):
        ran = sync(docs, "--convert-only", "--out", inside)
        assert ran.report["documents"] == 3
        assert "lies among the documents" in ran.err
    assert written(inside) == {"pump.md", "valve.md", "sub/led.md"}


def test_a_hidden_folder_is_no_trap(docs: Path, sync: Run, out: Path) -> None:
    for folder in (docs / ".converted", out):
        assert "lies among" not in sync(docs, "--convert-only", "--out", folder).err


def test_a_file_that_fails_leaves_nothing_and_the_others_come(convert: Run, docs: Path, out: Path) -> None:
    (docs / "bad.md").write_text("---\nauthor: [Ada\n---\nText.\n")
    ran = convert()
    assert (ran.code, ran.report["documents"]) == (1, 3)
    assert ran.failed().keys() == {"bad.md"}
    assert "bad.md" not in written(out)


def test_originals_are_never_overwritten(convert: Run, docs: Path, sync: Run) -> None:
    before = (docs / "pump.md").read_text()
    ran = sync(docs, "--convert-only", "--out", docs)
    assert (ran.code, ran.out) == (2, "")
    assert "would overwrite" in ran.err
    assert (docs / "pump.md").read_text() == before
    assert not (docs / "valve.md").exists()


def test_odd_targets_fail_alone(convert: Run, docs: Path, out: Path, tmp_path: Path) -> None:
    (out / "pump.md").mkdir(parents=True)
    (out / "sub").symlink_to(tmp_path)
    ran = convert()
    assert (ran.code, ran.report["documents"]) == (1, 1)
    assert ran.failed().keys() == {"pump.md", "sub/led.html"}
    assert "leads out of" in ran.failed()["sub/led.html"]
    assert not (tmp_path / "led.md").exists()


def test_out_must_be_a_folder_and_go_with_convert_only(run: Run, docs: Path, out: Path) -> None:
    out.write_text("a file")
    for words, line in (
        ((docs, "--convert-only", "--out", out), "not a folder"),
        ((docs, "--convert-only"), "--convert-only and --out DIR go together"),
        ((docs, "--out", out), "--convert-only and --out DIR go together"),
        ((docs / "nowhere", "--convert-only", "--out", out), "no such file or folder"),
    ):
        ran = run(*words)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert line in ran.err
    assert out.read_text() == "a file"


def test_two_roots_with_the_same_path_are_not_mixed(sync: Run, docs: Path, out: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "pump.md").write_text("Another pump.\n")
    ran = sync(docs, other, "--convert-only", "--out", out)
    assert (ran.code, ran.report["documents"]) == (1, 3)
    assert "convert the two apart" in ran.failed()["pump.md"]
