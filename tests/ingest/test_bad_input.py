"""What people get wrong: one clear line each, the right exit code, and the other files go on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.settings import load_settings
from ingest import ledger
from retrieve.store import open_store
from tests.ingest.stored import Ran, stored

Run = Callable[..., Ran]


def check_line(ran: Ran, *words: str) -> None:
    """It could not run, and said why in one line."""
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1
    for word in words:
        assert word in ran.err


def check_others(ran: Ran, failed: str, *words: str) -> None:
    """One file failed with a line; the three others came in."""
    assert (ran.code, ran.counts()) == (1, (3, 0, 0, 0))
    assert ran.failed().keys() == {failed}
    for word in words:
        assert word in ran.failed()[failed]
    assert "\n" not in ran.failed()[failed]
    assert "Traceback" not in ran.err
    assert set(stored()) == {"pump.md", "valve.txt", "sub/led.html"}


def test_an_empty_folder_is_no_error(sync: Run, run: Run, tmp_path: Path, home: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = sync(tmp_path / "empty")
    assert (ran.code, ran.counts(), ran.report["chunks"]) == (0, (0, 0, 0, 0), 0)
    assert run(tmp_path / "empty").out.startswith("0 documents, 0 chunks: 0 added, 0 updated")
    assert not home.exists()


def test_a_missing_path(sync: Run, docs: Path, tmp_path: Path) -> None:
    check_line(sync(tmp_path / "nowhere"), f"{tmp_path}/nowhere: no such file or folder")
    check_line(sync(tmp_path / "no*where.md"), "no*where.md: no file matches")
    ran = sync(docs, tmp_path / "nowhere")
    assert (ran.code, ran.counts()) == (1, (3, 0, 0, 0))


def test_a_binary_named_html(sync: Run, docs: Path) -> None:
    (docs / "page.html").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    check_others(sync(docs), "page.html", "not HTML: its content is a PNG image; rename it or leave it out")


def test_a_binary_without_a_signature(sync: Run, docs: Path) -> None:
    (docs / "page.html").write_bytes(bytes(range(256)) * 20)
    check_others(sync(docs), "page.html", "its content is binary")


def test_invalid_utf8_is_read_with_a_note(sync: Run, docs: Path) -> None:
    (docs / "latin.txt").write_bytes("Ein Gruß aus dem Café.\n".encode("latin-1"))
    ran = sync(docs)
    assert (ran.code, ran.counts()) == (0, (4, 0, 0, 0))
    assert ran.err == "note: latin.txt: not valid UTF-8 (byte 7); read as cp1252\n"
    assert stored()["latin.txt"] == ["Ein Gruß aus dem Café."]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("---\nauthor: [Ada\n---\nText.\n", "front matter: line 3: "),
        (
            "---\ntitle: a: b\n---\nText.\n",
            "front matter: line 2: mapping values are not allowed in this context",
        ),
        ("---\ntitle: never closed\n\nText.\n", "front matter: opened on line 1 and never closed"),
        ("---\n- a\n- b\n---\nText.\n", "front matter: line 2: not a list of fields"),
        ("---\n_dl.tenant: mine\n---\nText.\n", "names that begin with '_dl' are Draftline's own"),
    ],
)
def test_broken_front_matter(sync: Run, docs: Path, text: str, words: str) -> None:
    (docs / "broken.md").write_text(text)
    check_others(sync(docs), "broken.md", words)


def test_a_file_of_200_mb(sync: Run, docs: Path) -> None:
    with (docs / "huge.txt").open("wb") as file:
        file.truncate(200_000_000)
    check_others(sync(docs), "huge.txt", "200 MB is more than ingest.max_file_mb = 100")
    ran = sync(docs)
    assert (ran.code, ran.failed().keys()) == (1, {"huge.txt"}), "it stays listed"


def test_a_file_that_is_not_a_file(sync: Run, docs: Path) -> None:
    os.mkfifo(docs / "pipe.txt")
    check_others(sync(docs), "pipe.txt", "not a regular file")


def test_a_pdf_that_is_none(sync: Run, docs: Path) -> None:
    (docs / "paper.pdf").write_text("Only words.")
    check_others(sync(docs), "paper.pdf", "not a PDF: it does not begin with %PDF-")


def test_a_file_of_an_unknown_kind(sync: Run, run: Run, docs: Path) -> None:
    (docs / "table.xyz").write_text("?")
    assert "1 file of other kinds skipped" in run(docs).out
    ran = sync(docs / "table.xyz")
    assert (ran.code, ran.failed()) == (1, {"table.xyz": "no converter for .xyz"})


def damage_manifest(store: Path) -> None:
    (store / "manifest.json").write_text("{")


def truncate_shard(store: Path) -> None:
    largest = max(store.glob("shard-*/**/*"), key=lambda path: path.stat().st_size)
    os.truncate(largest, 100)


def lose_shard(store: Path) -> None:
    shutil.rmtree(next(store.glob("shard-*")))


def lose_side(store: Path) -> None:
    shutil.rmtree(next(store.glob("side-*")))


def damage_ledger(store: Path) -> None:
    path = next(store.glob(f"side-*/{ledger.FILE}"))
    path.write_bytes(b"?" * path.stat().st_size)


def make_newer(store: Path) -> None:
    manifest = json.loads((store / "manifest.json").read_text())
    (store / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))


@pytest.mark.parametrize(
    "damage", [damage_manifest, truncate_shard, lose_shard, lose_side, damage_ledger, make_newer]
)
def test_a_corrupt_store(sync: Run, run: Run, docs: Path, home: Path, damage: Callable[[Path], None]) -> None:
    sync(docs)
    damage(home / "store")
    words = ("has format 99", "upgrade") if damage is make_newer else ("is damaged", "ingest again")
    for what in ((docs,), ("status",), ("remove", docs)):
        check_line(run("--json", *what), *words)
    (docs / "pump.md").write_text("Another.\n")
    check_line(sync(docs), *words)
    shutil.rmtree(home / "store")
    assert sync(docs).counts() == (3, 0, 0, 0)


def test_a_store_of_another_embedder(sync: Run, docs: Path, home: Path) -> None:
    sync(docs)
    path = home / "store" / "manifest.json"
    path.write_text(path.read_text().replace("all-minilm-l6-v2", "another-embedder"))
    (docs / "pump.md").write_text("Another.\n")
    check_line(sync(docs), "holds vectors of the embedder 'another-embedder'", "python -m ingest reembed")


def test_a_home_that_is_a_file(sync: Run, docs: Path, home: Path) -> None:
    home.write_text("a file")
    check_line(sync(docs), str(home))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--profile", "lab"), ("--profile: unknown profile 'lab'; there are: ", "default")),
        (("--set", "ingest.chunk_token=9"), ("no setting is called", "did you mean 'ingest.chunk_tokens'?")),
        (("--set", "ingest.chunk_tokens=few"), ("ingest.chunk_tokens = 'few' is not valid",)),
        (("--set", "ingest.rules=[{pathh: x}]"), ("ingest.rules[0]",)),
        (("--speed", "9"), ("unrecognized arguments: --speed", "--help")),
    ],
)
def test_an_unknown_profile_key_value_or_option(
    sync: Run, docs: Path, home: Path, words: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    check_line(sync(docs, *words), *expected)
    assert not home.exists()


def test_no_path_at_all(run: Run) -> None:
    check_line(run("--json"), "PATH")
    check_line(run("remove"), "PATH")


def test_no_model_and_no_network(
    run: Run, docs: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAFTLINE_MODELS", str(tmp_path / "no-models"))
    ran = run("--json", docs)
    check_line(ran, "all-minilm-l6-v2", str(tmp_path / "no-models"), "python -m configs fetch")
    assert not home.exists()


def test_a_model_that_is_lost_later_matters_only_when_it_is_needed(
    sync: Run, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(docs)
    monkeypatch.setenv("DRAFTLINE_MODELS", str(tmp_path / "no-models"))
    assert sync(docs).counts() == (0, 0, 3, 0)
    (docs / "pump.md").write_text("Another.\n")
    check_line(sync(docs), "all-minilm-l6-v2")
    assert open_store(load_settings()).info().documents == 3
