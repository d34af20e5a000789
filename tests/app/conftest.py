"""The page with a scripted answerer, run by Streamlit's own test harness."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.answering import Service
from app.chat import Page
from app.examples import Corpus
from app.history import Chats
from tests.app.scripted import GOOD, Reply, ScriptedAnswerer

CORPUS = Corpus(chunks=40, documents=7, examples=("What is a ledger?", "What *is* a _store_?", "Why?"))


@dataclass
class App:
    """A page under test and what stands behind it."""

    test: AppTest
    answerer: ScriptedAnswerer
    chats: Chats

    def ask(self, question: str) -> None:
        self.test.chat_input[0].set_value(question).run()
        assert not self.test.exception

    @property
    def chat_id(self) -> str | None:
        """The conversation that the page's address names."""
        value = self.test.query_params.get("chat")
        return value[0] if isinstance(value, list) else value

    @property
    def html(self) -> str:
        """All that the page drew as HTML, in order."""
        return "\n".join(element.body for element in self.test.html)

    def click(self, key: str) -> None:
        self.test.button(key=key).click().run()
        assert not self.test.exception


def run_page(page: object) -> None:
    """The script that the harness runs (its source is taken out of this file)."""
    from app.chat import render

    render(page)


@pytest.fixture
def chats(tmp_path: Path) -> Chats:
    return Chats(tmp_path / "chats")


@pytest.fixture
def open_app(chats: Chats, monkeypatch: pytest.MonkeyPatch) -> Callable[..., App]:
    """Open the page: ``open_app(reply=..., corpus=..., chat="id in the URL")``."""
    # The harness makes the script __main__ and leaves it there: spawned children would run it first.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])

    def open_app(reply: Reply = GOOD, corpus: Callable[[], Corpus] = lambda: CORPUS, chat: str = "") -> App:
        answerer = ScriptedAnswerer(lambda question: reply)
        page = Page(Service(lambda: answerer), chats, corpus)
        test = AppTest.from_function(run_page, default_timeout=10, kwargs={"page": page})
        if chat:
            test.query_params["chat"] = chat
        test.run()
        assert not test.exception
        return App(test, answerer, chats)

    return open_app
