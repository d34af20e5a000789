"""The frame of every command: first words, streams, exit codes."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from configs.cli import Command, Context, run_main
from configs.errors import InputError


def echo(context: Context) -> int:
    print("a library that prints")  # noqa: T201
    context.note("a note")
    context.say("for people")
    if context.args.json:
        context.emit({"words": context.args.words, "seed": context.settings.answer.seed, "path": "caf\udce9"})
    return 0


def fail(context: Context) -> int:
    kinds: dict[str, BaseException] = {
        "input": InputError("the question\nis empty [bold]"),
        "full": OSError(errno.ENOSPC, "No space left on device", "/data/store"),
        "interrupt": KeyboardInterrupt(),
        "bug": ZeroDivisionError("division by zero"),
    }
    raise kinds[context.args.kind]


def _words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*")


COMMANDS = [
    Command("echo", "say it", echo, _words, model=True),
    Command("fail", "fail", fail, lambda parser: parser.add_argument("kind")),
]


def run(*argv: str, default: str | None = "echo") -> int:
    return run_main("thing", "A thing.", COMMANDS, default, argv)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["echo", "a"], ["a"]),
        (["a", "fail"], ["a", "fail"]),
        (["-v", "echo", "a"], ["a"]),
        (["--set", "answer.seed=1", "echo", "a"], ["a"]),
        (["--profile=gpu", "--model", "echo", "echo"], []),
        (["--", "fail", "input"], ["fail", "input"]),
        (["echo", "--", "--json"], ["--json"]),
        (["--", "-x", "--profile"], ["-x", "--profile"]),
        (["is it -5 degrees?", "-5"], ["is it -5 degrees?", "-5"]),
        ([], []),
    ],
)
def test_the_first_word_is_a_command_if_it_is_ones_name(
    argv: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--json", *argv) == 0
    assert json.loads(capsys.readouterr().out)["words"] == expected


def test_json_is_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json", "--set", "answer.seed=-3", "a") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"words": ["a"], "seed": -3, "path": "caf\udce9"}
    assert captured.err.splitlines() == ["a library that prints", "a note"]


def test_people_get_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("a") == 0
    assert capsys.readouterr().out.splitlines() == ["a library that prints", "for people"]


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["fail", "input"], 2, "error: the question is empty [bold]"),
        (["fail", "full"], 2, "error: the disk is full while writing /data/store; free some space"),
        (["fail", "interrupt"], 130, "interrupted"),
        (["fail"], 2, "error: the following arguments are required: kind (see python -m thing fail --help)"),
        (["a", "--nope"], 2, "error: unrecognized arguments: --nope"),
        (["a", "--prof", "gpu"], 2, "error: unrecognized arguments: --prof gpu"),
        (["a", "--profile", "nope"], 2, "error: --profile: unknown profile 'nope'"),
        (["a", "--set", "answer.sed=1"], 2, "did you mean 'answer.seed'?"),
        (["a", "--set"], 2, "error: argument --set: expected one argument"),
    ],
)
def test_an_error_is_one_line_and_a_code(
    argv: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*argv) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert message in captured.err


def test_verbose_adds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fail", "input", "-v") == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback_and_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fail", "bug") == 2
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "error: a bug in Draftline: ZeroDivisionError: division by zero" in error


def test_without_a_default_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(default=None) == 2
    assert "required: COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_end_well(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(flag)
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(("draftline ", "usage: python -m thing"))


def test_the_console_script_is_named_in_messages(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["draftline thing"])
    assert run("a", "--nope") == 2
    assert "(see draftline thing --help)" in capsys.readouterr().err


def configs(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "configs", *argv]
    return subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False)


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m configs show | head -n 1"
    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_json_is_utf8_whatever_the_locale() -> None:
    ended = configs("show", "--json", "--set", "ingest.tenant=Zoë", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert json.loads(ended.stdout)["ingest.tenant"]["value"] == "Zoë"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_in_130(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "slow.py"
    script.write_text(
        "import sys, time\n"
        "from configs.cli import Command, run_main\n"
        "def slow(context):\n"
        "    context.note('started')\n"
        "    time.sleep(60)\n"
        "sys.exit(run_main('slow', 'Slow.', [Command('slow', 'Slow.', slow)], 'slow'))\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        assert child.stderr.readline() == "started\n"
        time.sleep(0.3)  # into the sleep, past the line being printed
        child.send_signal(how)
        started = time.monotonic()
        assert child.wait(timeout=20) == 130
        assert time.monotonic() - started < 10
        assert child.stderr.read() == "interrupted\n"


def test_a_caller_keeps_its_own_way_to_hear_of_sigterm() -> None:
    heard: list[int] = []

    def listen(context: Context) -> int:
        signal.raise_signal(signal.SIGTERM)
        return len(heard)

    command = Command("listen", "Listen.", listen)
    before = signal.signal(signal.SIGTERM, lambda signum, frame: heard.append(signum))
    try:
        assert run_main("thing", "A thing.", [command], "listen", []) == 1
    finally:
        signal.signal(signal.SIGTERM, before)
    assert run_main("thing", "A thing.", [command], "listen", []) == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_show_masks_secrets_and_names_sources() -> None:
    secret = {"DRAFTLINE__STORE__API_KEY": "hush", "DRAFTLINE__STORE__URL": "http://me:hush@db:6333"}
    shown = configs("show", **secret)
    assert "hush" not in shown.stdout
    values = json.loads(configs("show", "--json", **secret).stdout)
    assert values["store.api_key"] == {"value": "********", "source": "DRAFTLINE__STORE__API_KEY"}
    assert values["store.url"]["value"] == "http://me:********@db:6333"
    assert values["store.kind"] == {"value": "edge", "source": "default.yaml"}
