"""``python -m retrieve`` as people and programs call it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.settings import load_settings
from retrieve.__main__ import main
from retrieve.embed import Embedder
from retrieve.store import open_store
from retrieve.store.manifest import FILE
from tests.retrieve.test_retriever import FACTS, fact_document, write

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    home: Path, embedder: Embedder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """The command in this process, with the embedder that is loaded already: (exit code, stdout, stderr)."""
    monkeypatch.setattr("retrieve.retriever.load_embedder", lambda settings: embedder)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["retrieve", *arguments])
        code = main()
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def filled_home(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    settings = load_settings(env={"DRAFTLINE_HOME": str(home)})
    documents = [fact_document(name) for name in FACTS if name != "bread"]
    write(
        open_store(settings),
        embedder,
        [*documents, fact_document("bread", tenant="north", access=("staff",))],
    )
    return home


@pytest.fixture
def filled(filled_home: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """DRAFTLINE_HOME is one with documents in it; to be read only."""
    monkeypatch.setenv("DRAFTLINE_HOME", str(filled_home))
    return filled_home


def test_json(run: Run, filled: Path) -> None:
    code, out, _ = run("--json", "What causes the tides?", "--top-k", "2")
    answer = json.loads(out)
    assert code == 0
    assert list(answer) == ["id", "question", "plan", "passages"]
    assert list(answer["plan"]) == ["semantic_query", "filter", "relaxed", "explanation", "conditions"]
    assert len(answer["passages"]) == 2
    assert list(answer["passages"][0]) == ["id", "text", "score", "metadata"]
    assert answer["passages"][0]["text"] == FACTS["tides"]
    assert answer["passages"][0]["metadata"]["topic"] == "tides"
    assert answer["passages"][0]["metadata"]["_dl.document"] == "tides.md"


def test_for_people(run: Run, filled: Path) -> None:
    code, out, _ = run("What causes the tides?")
    assert code == 0
    assert "1. tides.md > Pages" in out
    assert "relevance 0." in out
    assert FACTS["tides"] in out
    assert "query: What causes the tides?" in out


def test_nothing_found(run: Run, filled: Path) -> None:
    code, out, _ = run("Who won the chess championship in 1972?")
    assert code == 0
    assert "No passage in the store is about this." in out


def test_filter_and_labels(run: Run, filled: Path) -> None:
    condition = json.dumps({"must_not": [{"key": "topic", "match": {"value": "tides"}}]})
    _, out, _ = run("--json", "What causes the tides?", "--filter", condition)
    assert all(p["metadata"]["topic"] != "tides" for p in json.loads(out)["passages"])
    question = "How long does sourdough bread bake?"
    for labels, found in (
        ([], False),
        (["--tenant", "north"], False),
        (["--tenant", "north", "--access", "board", "--access", "staff"], True),
    ):
        _, out, _ = run("--json", question, *labels)
        assert bool(json.loads(out)["passages"]) == found


def test_an_empty_store_says_how_to_fill_it(run: Run) -> None:
    code, out, err = run("--json", "What causes the tides?")
    assert code == 0
    assert json.loads(out)["passages"] == []
    assert "python -m ingest" in err


def lines(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def test_batch(run: Run, filled: Path, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"id": "a", "question": "What causes the tides?"}\n\n{"id": 2, "question": "krill?"}\n')
    code, out, _ = run("--batch", str(file))
    assert code == 0
    assert [answer["id"] for answer in lines(out)] == ["a", 2]
    assert lines(out)[0]["passages"][0]["text"] == FACTS["tides"]


def test_bad_lines_of_a_batch(run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = ["{", "[]", '{"id": 1}', '{"id": 2, "question": 5}', '{"id": 3, "question": " "}']
    good = '{"id": 4, "question": "What causes the tides?"}'
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join([*bad, good])))
    code, out, _ = run("--batch", "-")
    answers = lines(out)
    assert code == 1
    assert [answer["id"] for answer in answers] == [None, None, 1, 2, 3, 4]
    assert ["error" in answer for answer in answers] == [True] * 5 + [False]
    assert list(answers[0]) == ["id", "error"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a question"),
        (["  "], "the question is empty"),
        (["x", "--batch", "y"], "give a question, or --batch"),
        (["--batch", "no-such-file"], "cannot read --batch no-such-file"),
        (["x", "--filter", "{"], "--filter is not JSON"),
        (["x", "--filter", '{"must": [{"key": "topik", "match": {"value": "a"}}]}'], "did you mean 'topic'"),
        (["x", "--top-k", "0"], "at least 1"),
        (["x", "--top-k", "many"], "invalid int value"),
        (["x", "--tenant", ""], "label is empty"),
        (["x", "--set", "retrieve.topk=3"], "did you mean 'retrieve.top_k'"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(run: Run, filled: Path, arguments: list[str], message: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_a_damaged_store_is_one_line_and_exit_2(run: Run, filled: Path) -> None:
    manifest = filled / "store" / FILE
    whole = manifest.read_bytes()
    manifest.write_text("{")
    code, out, err = run("What causes the tides?")
    manifest.write_bytes(whole)
    assert (code, out) == (2, "")
    assert "is damaged" in err
    assert len(err.strip().splitlines()) == 1


def test_help_and_an_empty_store_load_neither_torch_nor_qdrant_client(home: Path) -> None:
    code = """
import sys
from retrieve.__main__ import main
sys.argv = ["retrieve", "--json", "hello"]
assert main() == 0
heavy = {"torch", "transformers", "sentence_transformers", "qdrant_client"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_an_earlier_question_says_what_a_follow_up_is_about(filled: Path, run: Run) -> None:
    code, out, _ = run("And for how long?", "--after", "Who may hold the lock of the store?", "--json")
    found = json.loads(out)
    assert (code, found["plan"]["topic"]) == (0, "Who may hold the lock of the store?")
    assert "hold the lock" in found["passages"][0]["text"]
    assert run("--batch", "-", "--after", "Who?")[0] == 2
