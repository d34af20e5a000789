"""Report and history: what is written, that it is escaped, and that it is whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from configs.settings import Settings
from evaluate import history, report
from evaluate.records import Citation, Gate, Outcome, Run

HOSTILE = '<script>alert("x")</script>'
FIRST = datetime(2026, 11, 1, 3, 30, tzinfo=UTC)


def make_outcome(name: str = "a", **changes: Any) -> Outcome:
    base: dict[str, Any] = {
        "id": name,
        "question": "Q?",
        "answerable": True,
        "reference": "A.",
        "answer": "B.",
    }
    return Outcome(**(base | changes))


def make_run(day: int = 0, overlap: float | None = 0.9, **changes: Any) -> Run:
    base: dict[str, Any] = {
        "started": FIRST + timedelta(days=day),
        "seconds": 12.0,
        "draftline": "0.1.0",
        "profile": "default",
        "dataset": "set.jsonl",
        "limited": False,
        "models": {"answer": "a", "embed": "b"},
        "store": {"documents": 1, "chunks": 2, "generation": "g"},
        "headline": {"citation_overlap": overlap, "rouge_l": 0.25},
        "gates": (Gate(metric="citation_overlap", value=overlap, minimum=0.8, source="evaluate.x"),),
        "undefined": {},
        "failed": {},
        "outcomes": (make_outcome(),),
    }
    return Run(**(base | changes))


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_nothing_in_the_report_is_executed_or_loaded() -> None:
    cited = Citation(marker=1, passage_id="p", document=HOSTILE, quote=HOSTILE, start=0, end=3)
    bad = make_outcome(
        question=HOSTILE, answer=HOSTILE, reference=HOSTILE, citations=(cited,), scores={"answered": 0}
    )
    worse = make_outcome("b", error=HOSTILE)
    page = Page(report.render([make_run(outcomes=(bad, worse), dataset=HOSTILE)]))
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    assert page.text.count(HOSTILE) == 7


def test_gates_and_other_numbers_are_shown() -> None:
    page = Page(report.render([make_run(overlap=0.5, undefined={"rouge_l": 3}, failed={"semantic": 2})]))
    assert "failed" in page.text
    assert "0.500" in page.text
    assert "0.250" in page.text
    assert "rouge_l undefined for 3" in page.text
    assert "semantic raised for 2" in page.text
    assert "passed" in Page(report.render([make_run()])).text


def test_the_trend_covers_whole_runs_only() -> None:
    runs = [make_run(0, 0.5), make_run(1, 0.1, limited=True), make_run(2, None), make_run(3, 1.0)]
    (line,) = report.trend(runs)
    assert line.metric == "citation_overlap"
    assert line.points == f"0.0,{report.HEIGHT / 2} {float(report.WIDTH)},0.0"
    (drawn,) = Page(report.render(runs)).all("polyline")
    assert drawn["points"] == line.points
    assert report.trend(runs[:2]) == []


def test_the_trend_keeps_the_last_runs() -> None:
    runs = [make_run(day) for day in range(report.TREND_RUNS + 5)]
    (line,) = report.trend(runs)
    assert len(line.points.split()) == report.TREND_RUNS


def test_worst_first_and_the_good_left_out() -> None:
    outcomes = [
        make_outcome("good", scores={"answered": 1.0, "citation_overlap": 1.0}),
        make_outcome("half", scores={"answered": 1.0, "citation_overlap": 0.0, "semantic_similarity": 0.9}),
        make_outcome(
            "poorer half", scores={"answered": 1.0, "citation_overlap": 0.0, "semantic_similarity": 0.2}
        ),
        make_outcome("none", scores={"answered": 0.0, "context_recall": 0.0}),
        make_outcome("error", error="broken"),
    ]
    assert [outcome.id for outcome in report.worst(outcomes)] == ["error", "none", "poorer half", "half"]


def test_runs_are_read_back_oldest_first(settings: Settings) -> None:
    late, early = make_run(2), make_run(1)
    for run in (late, early):
        history.save(run, settings)
    complaints: list[str] = []
    (history.folder(settings) / "runs" / "2026-11-02.json").write_text("{}")
    assert history.load(settings, complaints.append) == [early, late]
    assert len(complaints) == 1
    assert "2026-11-02.json: not a run record" in complaints[0]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    history.write_whole(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        history.write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
