"""What the page does, in Streamlit's own harness."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.examples import Corpus
from app.history import Chats
from configs.errors import StoreError
from retrieve.filters import MatchValue
from retrieve.self_query.plan import Finding, QueryPlan, Relaxed
from tests.app.conftest import App
from tests.app.scripted import ABSTAINED, FAILED, GOOD, QUOTE, Reply, passage

Open = Callable[..., App]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> ![b](http://beacon.example/p.png)"


def test_an_empty_conversation_says_what_to_do_and_offers_examples(open_app: Open) -> None:
    app = open_app()
    assert "Ask your documents" in app.html
    assert "7 documents" in app.html
    labels = [app.test.button(key=f"example-{number}").label for number in range(3)]
    assert labels == ["What is a ledger\\?", "What \\*is\\* a \\_store\\_\\?", "Why\\?"]
    assert not list(app.chats.list())


def test_an_empty_store_is_explained_and_does_not_stop_the_page(open_app: Open) -> None:
    app = open_app(corpus=lambda: Corpus(0, 0))
    assert "python -m ingest" in app.html
    assert app.test.chat_input


def test_an_unreadable_store_is_one_clear_line(open_app: Open) -> None:
    def broken() -> Corpus:
        raise StoreError("the store in /data is <corrupt>")

    assert "the store in /data is &lt;corrupt&gt;" in open_app(corpus=broken).html


def test_an_answer_stands_beside_its_source_with_the_quote_marked(open_app: Open) -> None:
    app = open_app()
    app.ask("What happens at two ingests?")
    assert "What happens at two ingests?" in app.html
    assert f"<mark>{QUOTE}</mark>" in app.html
    assert 'href="#s0-1"' in app.html
    assert 'id="s0-1"' in app.html
    assert "Ingest › Two at once" in app.html
    assert "Also found (1)" in app.html
    assert "first word after 0.4 s" in app.html
    assert "640 prompt tokens from the cache" in app.html


def test_an_example_asks_its_question(open_app: Open) -> None:
    app = open_app()
    app.click("example-1")
    assert app.answerer.asked == [("What *is* a _store_?", [])]


def test_a_follow_up_carries_the_history(open_app: Open) -> None:
    app = open_app()
    app.ask("First?")
    app.ask("Second?")
    assert app.answerer.asked[1] == ("Second?", [("First?", GOOD.text)])


def test_how_a_question_was_read_is_said_below_it(open_app: Open) -> None:
    author = Finding(MatchValue("author", "<b>Osei</b>"), ((0, 4),), 1.0, "author is <b>Osei</b>: “Osei”")
    given_up = Relaxed(author, "dropped", "no passage that fulfils it is about the question")
    plan = QueryPlan("And when?", "And when?", (author,), relaxed=(given_up,), topic="What does it do?")
    app = open_app(reply=replace(GOOD, plan=plan))
    app.ask("And when?")
    for html in (app.html, open_app(chat=app.chat_id).html):
        assert "read together with “What does it do?”" in html
        assert "only where author is &lt;b&gt;Osei&lt;/b&gt;: “Osei”" in html
        assert "dropped: author is &lt;b&gt;Osei&lt;/b&gt;: “Osei” (no passage that fulfils it" in html


def test_a_blank_question_is_not_asked(open_app: Open) -> None:
    app = open_app()
    app.ask("   ")
    assert app.answerer.asked == []


def test_a_reload_shows_the_same_conversation(open_app: Open) -> None:
    app = open_app()
    app.ask("First?")
    chat_id = app.chat_id
    again = open_app(chat=chat_id)
    assert "First?" in again.html
    assert f"<mark>{QUOTE}</mark>" in again.html


def test_an_abstention_is_shown_as_such(open_app: Open) -> None:
    app = open_app(reply=ABSTAINED)
    app.ask("Who won the cup?")
    assert "dl-abstained" in app.html
    assert "Nothing close enough was found" in app.html
    assert 'class="dl-sources"' not in app.html


def test_an_error_is_one_line_under_the_partial_answer(open_app: Open) -> None:
    app = open_app(reply=FAILED)
    app.ask("Anything?")
    assert "Half an" in app.html
    assert "the model fell over; start it again" in app.html
    app.ask("Again?")
    assert len(app.answerer.asked) == 2


def test_an_answer_that_ends_while_the_page_is_drawn_is_shown(
    open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The conversation is read, then the answer ends: what was read is out of date."""
    app = open_app()
    load = Chats.load

    def slowly(self: Chats, chat_id: str) -> object:
        chat = load(self, chat_id)
        if threading.current_thread().name.startswith("answer-"):
            return chat
        deadline = time.monotonic() + 10
        while load(self, chat_id).turns[-1].state == "answering" and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        return chat

    monkeypatch.setattr(Chats, "load", slowly)
    app.ask("First?")
    assert f"<mark>{QUOTE}</mark>" in app.html
    assert "was closed before" not in app.html


def test_a_fault_of_ours_does_not_show_its_insides(open_app: Open) -> None:
    app = open_app(reply=Reply("", error=ZeroDivisionError("secret")))
    app.ask("Anything?")
    assert "a fault inside Draftline (ZeroDivisionError)" in app.html
    assert "secret" not in app.html


@pytest.mark.parametrize("place", ["question", "answer", "passage", "document", "section"])
def test_untrusted_text_is_escaped_everywhere(open_app: Open, place: str) -> None:
    found = passage(
        HOSTILE if place == "passage" else "Harmless.",
        HOSTILE if place == "document" else "a.md",
        (HOSTILE if place == "section" else "A",),
    )
    app = open_app(reply=Reply(HOSTILE if place == "answer" else "Yes.", passages=(found,), quotes=()))
    app.ask(HOSTILE if place == "question" else "Really?")
    assert "&lt;script&gt;" in app.html
    drawn = app.html.lower()
    assert "<script" not in drawn
    assert "<img" not in drawn


def test_rename_delete_and_go_between_conversations(open_app: Open) -> None:
    app = open_app()
    app.ask("First?")
    first = app.chat_id
    app.click("new")
    assert app.chat_id is None
    app.ask("Second?")
    second = app.chat_id
    app.test.text_input(key=f"title-{second}").set_value("*Mine*").run()
    assert app.test.button(key=f"chat-{second}").label == "\\*Mine\\*"
    app.click(f"chat-{first}")
    assert app.chat_id == first
    assert "First?" in app.html
    app.click("delete")
    assert [entry.id for entry in app.chats.list()] == [second]
    assert app.chat_id is None
    assert not app.test.exception


@pytest.mark.parametrize("chat_id", ["../../etc/passwd", "A" * 22, "x"])
def test_an_address_without_a_conversation_is_explained(open_app: Open, chat_id: str) -> None:
    app = open_app(chat=chat_id)
    assert "start a new chat" in app.html
    app.ask("Still here?")
    assert f"<mark>{QUOTE}</mark>" in app.html


def test_a_damaged_conversation_is_a_notice_and_can_be_deleted(open_app: Open, chats: Chats) -> None:
    app = open_app()
    app.ask("First?")
    (entry,) = chats.list()
    file = next(iter(chats.folder.glob("*.json")))
    file.write_text('{"id": 3')
    again = open_app(chat=entry.id)
    assert f"{file} cannot be read" in again.html
    assert again.test.button(key=f"chat-{entry.id}").label == "\\(cannot be read\\)"
    again.click("delete")
    assert not file.exists()


def test_an_answer_cut_off_by_the_app_closing_says_so(open_app: Open, chats: Chats) -> None:
    from app.history import new_chat

    chat = new_chat()
    chats.add_turn(chat, "Cut off?")
    assert "The app was closed before this answer was done" in open_app(chat=chat.id).html
