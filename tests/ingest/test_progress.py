"""Progress: a bar in a terminal, a line a stage in a log, nothing with --json."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ingest.progress import Stages


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=120)


def work(stages: Stages) -> None:
    with stages:
        stages.stage("converting", 2, "files")
        stages.show("docs/[odd] name.md")
        stages.advance()
        stages.note("note: [a].md: a guess")
        stages.advance()
        stages.stage("embedding", 3, "chunks")
        stages.advance(3)


def written(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def test_a_log_gets_a_line_a_stage() -> None:
    log = console(terminal=False)
    work(Stages(log))
    assert written(log) == "converting 2 files\nnote: [a].md: a guess\nembedding 3 chunks\n"


def test_with_json_only_notes_are_left() -> None:
    for on in (console(terminal=False), console(terminal=True)):
        work(Stages(on, quiet=True))
        assert written(on) == "note: [a].md: a guess\n"


def test_a_terminal_gets_a_bar_that_goes_away() -> None:
    terminal = console(terminal=True)
    work(Stages(terminal))
    text = written(terminal)
    assert "note: [a].md: a guess" in text
    assert "embedding" in text
    assert "3/3" in text
    assert text.endswith("\x1b[2K"), "the bar is wiped"


def test_the_bar_is_taken_down_after_an_error() -> None:
    terminal = console(terminal=True)
    stages = Stages(terminal)

    def fail() -> None:
        with stages:
            stages.stage("converting", 2, "files")
            raise OSError

    with pytest.raises(OSError):
        fail()
    assert written(terminal).endswith("\x1b[?25h\r\x1b[1A\x1b[2K"), "the cursor is back"
