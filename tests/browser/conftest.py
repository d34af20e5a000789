"""A real Chromium, and the real server with the page in a process of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Playwright, Request, sync_playwright

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_chromium() -> str | None:
    """The browser that $CHROMIUM names, else the first one on PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.skip("BROWSER TESTS DID NOT RUN: no Chromium on PATH and $CHROMIUM is not set")
    browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
    yield browser
    browser.close()


class Visit:
    """A visit to the page, which notes what the page should never do."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.foreign: list[str] = []
        self.dialogs: list[str] = []
        page.set_default_timeout(20_000)
        page.on("request", self._note_request)
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))

    def _note_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.hostname not in ("localhost", "127.0.0.1"):
            self.foreign.append(request.url)

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.page.get_by_text("Ask your documents").first.wait_for()

    def ask(self, question: str) -> None:
        """Type a question and send it; returns once it stands on the page."""
        box = self.page.get_by_placeholder("Ask your documents")
        box.fill(question)
        box.press("Enter")
        self.page.locator(".dl-question", has_text=question).wait_for()

    def wait_for_end(self) -> None:
        """Wait until no answer is being written."""
        self.page.locator(".dl-cursor").wait_for(state="detached", timeout=90_000)
        self.page.get_by_role("button", name="Stop").wait_for(state="detached", timeout=90_000)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        visit = Visit(context.new_page())
        yield visit
        assert visit.foreign == []
        assert visit.dialogs == []


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], env: dict[str, str], url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server process for as long as the block lasts."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}) as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    with opener.open(f"{url}/_stcore/health", timeout=1):
                        break
                except OSError:
                    assert process.poll() is None, "the server ended by itself"
                    assert time.monotonic() < deadline, "the server did not come up"
                    time.sleep(0.1)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def scripted_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page with the scripted answerer, behind the flags of the real one."""
    from app.server import flags
    from configs.settings import load_settings

    port = free_port()
    env = {"DRAFTLINE_HOME": str(tmp_path_factory.mktemp("home")), "PYTHONPATH": _path_with(ROOT)}
    script = str(Path(__file__).with_name("page.py"))
    command = [sys.executable, "-m", "streamlit", "run", script, *flags(load_settings(env=env), port)]
    with running(command, env, f"http://localhost:{port}"):
        yield f"http://localhost:{port}"


def _path_with(folder: Path) -> str:
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))


@pytest.fixture
def start_app(home: Path) -> Callable[[], object]:
    """Start the real thing: ``with start_app() as url``."""

    @contextmanager
    def start_app() -> Iterator[str]:
        url = f"http://localhost:{(port := free_port())}"
        command = [sys.executable, "-m", "app", "--set", f"app.port={port}", "--set", "answer.max_tokens=48"]
        with running(command, {"DRAFTLINE_HOME": str(home)}, url):
            yield url

    return start_app
