"""The commands around the page: ``python -m app``, ``draftline`` and the demo."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from app import console, demo
from app.__main__ import page_env
from app.server import flags
from configs.cli import Context
from configs.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]


def context(settings: Settings, overrides: list[str], model: str | None = None) -> Context:
    args = Namespace(overrides=overrides, model=model, json=False)
    return Context(args, settings, StringIO(), Console(file=StringIO()))


def test_the_page_gets_the_command_lines_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAFTLINE__ANSWER__MAX_TOKENS", "7")
    overrides = [
        "answer.max_tokens=9",
        "ingest.rules=[{path: 'a/**', access: [x]}]",
        "store.collection=other",
        "answer.seed = 3",
        "retrieve.today=2026-01-02",
    ]
    settings = load_settings("cluster", [*overrides, "models.answer=./mine"])
    theirs = load_settings(env=page_env(context(settings, overrides, model="./mine")))
    assert theirs.model_dump() == settings.model_dump()
    assert theirs.answer.max_tokens == 9


def test_streamlit_is_told_to_stay_at_home(
    settings: Settings, make_settings: Callable[..., Settings]
) -> None:
    words = flags(settings, 8501)
    for word in (
        "--server.enableXsrfProtection=true",
        "--server.enableCORS=true",
        "--browser.gatherUsageStats=false",
        "--server.fileWatcherType=none",
        "--runner.magicEnabled=false",
        "--logger.hideWelcomeMessage=true",
        "--server.allowedHosts=localhost",
    ):
        assert word in words
    public = flags(make_settings("app.host=0.0.0.0"), 8501)
    assert not any("allowedHosts" in word for word in public)


@contextmanager
def python(*words: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A command of ours, in a process group of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_the_app_says_where_it_is_and_ends_on_ctrl_c(home: Path) -> None:
    with python("app", "--json", "--set", "app.port=0") as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=5) as response:
            assert b"<title>" in response.read()
        port = int(url.rpartition(":")[2])
        assert handshake(port, origin=url) == 101
        assert handshake(port, origin="http://evil.example") == 403
        assert handshake(port, origin=url, host="evil.example") == 403
        # As a terminal does: to the whole group.
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert "python -m ingest" in errors
    assert "external IP" not in errors, "an unknown origin made the server look itself up in the web"


def handshake(port: int, origin: str, host: str = "localhost") -> int:
    """The status with which the page's WebSocket answers a browser that shows this origin."""
    headers = {
        "Host": f"{host}:{port}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Origin": origin,
    }
    connection = HTTPConnection("localhost", port, timeout=10)
    connection.request("GET", "/_stcore/stream", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_port_in_use_is_one_line(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with python("app", "--set", f"app.port={port}", "--set", "app.host=127.0.0.1") as process:
            out, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert errors.strip().splitlines()[-1].startswith(f"error: cannot listen on 127.0.0.1:{port}")
    assert "--set app.port=PORT" in errors


def test_no_model_is_one_line_and_exit_2(home: Path, tmp_path: Path) -> None:
    with python("app", env={"DRAFTLINE_MODELS": str(tmp_path / "none")}) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "python -m configs fetch" in errors
    assert "Traceback" not in errors


def test_draftline_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert console.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in (*console.PACKAGES, "ask"):
        assert f"  {name}" in shown
    assert console.main([]) == 0


def test_draftline_names_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert console.main(["injest"]) == 2
    assert capsys.readouterr().err.startswith("error: there is no command 'injest'; there are: ingest")


@pytest.mark.parametrize(
    ("words", "prog"),
    [
        (["app", "--no-such"], "draftline app"),
        (["ask", "--no-such", "x"], "draftline generate"),
        (["generate", "ask"], "draftline generate ask"),
    ],
)
def test_draftline_is_the_name_in_errors(
    words: list[str], prog: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)
    assert console.main(words) == 2
    assert f"(see {prog} --help)" in " ".join(capsys.readouterr().err.split())


def test_the_demo_shows_its_commands_and_stops_at_the_first_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        ran.append(command[1:])
        return subprocess.CompletedProcess(command, 2 if "ingest" in command else 0)

    monkeypatch.setattr(subprocess, "run", run)
    assert demo.main(["Why", "so?"]) == 2
    assert ran == [["-m", "configs", "fetch"], ["-m", "ingest", "./docs"]]
    shown = capsys.readouterr().out
    assert "$ python -m ingest ./docs" in shown
    assert "exit code 2" in shown


def test_the_demo_asks_its_question_and_says_what_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        ran.append(command[1:])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    assert demo.main(["-what?"]) == 0
    assert ran[-1] == ["-m", "generate", "ask", "--", "-what?"]
    assert "What next" in capsys.readouterr().out
