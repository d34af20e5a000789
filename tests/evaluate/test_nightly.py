"""The command: gates, exit codes, what is kept; a real store and embedder, answers made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.cli import run_main
from configs.settings import Settings
from evaluate import history
from evaluate.__main__ import COMMANDS
from evaluate.nightly import gates, sum_up
from evaluate.records import Outcome

from .conftest import BODY, LOCK, answer_json, citation_json, make_chunk, make_document

CHUNK = make_chunk(make_document(), 0, len(BODY))


class HandmadeAnswerer:
    """Answers what it was told to; the engine has its own tests."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.closed = 0

    def ask(self, question: str) -> HandmadeAnswerer:
        self.current = self.answers[question]
        if isinstance(self.current, BaseException):
            raise self.current
        return self

    def to_json(self) -> dict[str, Any]:
        return dict(self.current)

    def close(self) -> None:
        self.closed += 1


GOOD = answer_json(LOCK, passages=(CHUNK,), citations=(citation_json(CHUNK, LOCK),))
NOTHING = answer_json()


@pytest.fixture
def nightly(
    home: Path, tmp_path: Path, store_chunks: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Run the command over one answerable and one unanswerable question with the given answers."""
    dataset = tmp_path / "set.jsonl"
    lines = [
        {
            "id": "lock",
            "question": "How long?",
            "answer": LOCK,
            "spans": [{"document": "ingest.md", "quote": LOCK}],
        },
        {"id": "price", "question": "How much?", "answerable": False},
    ]
    dataset.write_text("\n".join(json.dumps(line) for line in lines))
    store_chunks(CHUNK)

    def run(answerable: Any, unanswerable: Any, *arguments: str) -> int:
        answerer = HandmadeAnswerer({"How long?": answerable, "How much?": unanswerable})
        monkeypatch.setattr("generate.answer.open_answerer", lambda settings: answerer)
        # One at a time: the handmade answerer keeps its answer in itself.
        words = ["--set", f"evaluate.dataset={dataset}", "--set", "generate.max_running=1", *arguments]
        code = run_main("evaluate", "", COMMANDS, default="nightly", argv=["nightly", *words])
        assert answerer.closed
        return code

    return run


def test_a_good_run_passes_and_is_kept(
    nightly: Callable[..., int], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert nightly(GOOD, NOTHING, "--json") == 0
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert summary["passed"] is True
    assert (summary["questions"], summary["answered"], summary["abstained"]) == (2, 1, 1)
    assert summary["headline"]["rouge_l"] == 1
    assert summary["headline"]["ttft_s"] == 0.5
    assert "pass  citation_overlap 1.000, at least 0.800" in err
    (run,) = history.load(settings, pytest.fail)
    assert str(run.started.year) in Path(summary["record"]).name
    assert not run.limited
    assert "passed" in Path(summary["report"]).read_text()
    assert [path.suffix for path in (history.folder(settings) / "runs").iterdir()] == [".json"]


@pytest.mark.parametrize(
    ("answerable", "unanswerable", "line"),
    [
        (
            answer_json(
                "Then it gives up.", passages=(CHUNK,), citations=(citation_json(CHUNK, "gives up"),)
            ),
            NOTHING,
            "FAIL citation_overlap 0.000, at least 0.800 (evaluate.min_citation_overlap)",
        ),
        (GOOD, GOOD, "FAIL abstention 0.000, at least 1.000 (evaluate.min_abstention)"),
        (NOTHING, NOTHING, "FAIL context_recall 0.000, at least 0.800 (evaluate.min_context_recall)"),
        (
            answer_json(LOCK, passages=(CHUNK,), citations=(citation_json(CHUNK, LOCK, shift=1),)),
            NOTHING,
            "FAIL citation_truth 0.000, at least 1.000 (a citation that is not true is a bug)",
        ),
        (ZeroDivisionError("oh"), NOTHING, "lock: ZeroDivisionError: oh"),
    ],
)
def test_a_gate_or_an_error_ends_in_1_and_says_why(
    nightly: Callable[..., int],
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    answerable: Any,
    unanswerable: Any,
    line: str,
) -> None:
    assert nightly(answerable, unanswerable) == 1
    assert line in " ".join(capsys.readouterr().err.split())
    assert len(history.load(settings, pytest.fail)) == 1


def test_a_threshold_can_be_set(nightly: Callable[..., int]) -> None:
    assert nightly(GOOD, GOOD, "--set", "evaluate.min_abstention=0") == 0


def test_a_limited_run_is_marked(nightly: Callable[..., int], settings: Settings) -> None:
    assert nightly(GOOD, NOTHING, "--limit", "1") == 0
    (run,) = history.load(settings, pytest.fail)
    assert run.limited
    assert [outcome.id for outcome in run.outcomes] == ["lock"]


def test_an_interrupted_run_keeps_nothing(nightly: Callable[..., int], settings: Settings) -> None:
    assert nightly(KeyboardInterrupt(), NOTHING) == 130
    assert not history.folder(settings).exists()


def test_an_empty_store_is_said_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main("evaluate", "", COMMANDS, default="nightly", argv=[]) == 2
    assert "python -m ingest ./docs" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["0", "-1", "x"])
def test_a_bad_limit_is_refused(home: Path, capsys: pytest.CaptureFixture[str], limit: str) -> None:
    assert run_main("evaluate", "", COMMANDS, default="nightly", argv=["--limit", limit]) == 2
    assert "--limit" in capsys.readouterr().err


def test_history_lists_runs(nightly: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main("evaluate", "", COMMANDS, argv=["history"]) == 0
    assert "no runs yet" in capsys.readouterr().err
    nightly(GOOD, NOTHING)
    nightly(GOOD, GOOD)
    capsys.readouterr()
    assert run_main("evaluate", "", COMMANDS, argv=["history"]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert "citation_overlap" in header
    assert "pass" in first
    assert "FAIL" in second
    assert run_main("evaluate", "", COMMANDS, argv=["history", "--json"]) == 0
    passed = [json.loads(line)["passed"] for line in capsys.readouterr().out.splitlines()]
    assert passed == [True, False]


def test_means_leave_out_what_is_undefined(settings: Settings) -> None:
    base: dict[str, Any] = {"question": "Q?", "answerable": True, "reference": "A."}
    outcomes = [
        Outcome(id="a", scores={"answered": 1.0, "context_precision": None}, **base),
        Outcome(id="b", scores={"answered": 0.0, "context_precision": 0.5}, **base),
        Outcome(id="c", error="broken", **base),
    ]
    assert sum_up(outcomes) == {"answered": 0.5, "context_precision": 0.5}
    assert all(gate.passed and gate.value is None for gate in gates(sum_up(outcomes), settings.evaluate))
