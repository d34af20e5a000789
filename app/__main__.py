"""``python -m app``: open the chat."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from configs.cli import Command, Context, run_main
from configs.errors import DraftlineError, ExitCode
from configs.settings import ENV_PREFIX, Settings

_START_S = 60.0
_STOP_S = 10.0


def chat(context: Context) -> int:
    """Serve the chat page until Ctrl-C."""
    settings = context.settings
    _check_models(settings)
    _note_empty_store(context)
    port = _free_port(settings)
    command = [sys.executable, "-m", "app.server", str(port)]
    with subprocess.Popen(command, env=page_env(context), stdout=sys.stderr) as page:
        try:
            url = f"http://{_shown_host(settings.app.host)}:{port}"
            _wait_until_it_listens(page, port, settings)
            if context.args.json:
                context.emit({"url": url})
            context.say(f"Draftline is at {url} (Ctrl-C ends it)")
            code = page.wait()
        finally:
            _end(page)
    if code:
        raise DraftlineError(f"the chat's server ended by itself (exit code {code}); its messages are above")
    return ExitCode.OK


def page_env(context: Context) -> dict[str, str]:
    """The environment from which the page's process loads the settings that this one has."""
    settings = context.settings
    env = {
        **os.environ,
        "DRAFTLINE_PROFILE": settings.profile,
        "DRAFTLINE_HOME": str(settings.home),
        "DRAFTLINE_MODELS": str(settings.models_dir),
    }
    model = context.args.model
    for item in [*context.args.overrides, *([f"models.answer={model}"] if model else [])]:
        key, _, value = item.partition("=")
        env[ENV_PREFIX + key.strip().upper().replace(".", "__")] = value
    return env


def _check_models(settings: Settings) -> None:
    from configs.models import model_path

    model_path(settings.models.embed, settings, role="embed")
    model_path(settings.models.answer, settings, role="answer")


def _note_empty_store(context: Context) -> None:
    from retrieve.store import open_store

    store = open_store(context.settings)
    try:
        chunks = store.info().chunks
    finally:
        store.close()
    if not chunks:
        context.note("nothing has been ingested yet; in another terminal: python -m ingest PATH")


def _free_port(settings: Settings) -> int:
    host, port = settings.app.host, settings.app.port
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except socket.gaierror:
        raise DraftlineError(f"app.host = {host!r} is no address of this machine") from None
    except OSError as error:
        raise DraftlineError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another with --set app.port=PORT"
        ) from None


def _wait_until_it_listens(page: subprocess.Popen[bytes], port: int, settings: Settings) -> None:
    url = f"http://{_shown_host(settings.app.host)}:{port}/_stcore/health"
    # Without proxies: the page is on this machine, whatever http_proxy says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if page.poll() is not None:
            return
        try:
            with opener.open(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise DraftlineError(f"the chat did not come up at {url} within {_START_S:.0f} s")


def _shown_host(host: str) -> str:
    if host in ("0.0.0.0", "::", ""):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _end(page: subprocess.Popen[bytes]) -> None:
    if page.poll() is None:
        page.terminate()
        try:
            page.wait(_STOP_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            page.kill()


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "examples:\n  python -m app\n  python -m app --set app.port=8600 --profile gpu"


COMMANDS = (Command("chat", "open the chat in the browser", chat, _configure, model=True),)


def main() -> int:
    """Run a command of this package."""
    return run_main("app", "The chat: questions, answers and their sources.", COMMANDS, default="chat")


if __name__ == "__main__":
    sys.exit(main())
