"""The chat page, which Streamlit runs anew for every visit and click.

What must outlive a run lives elsewhere: answers in the making in `app.answering`, conversations in
`app.history`. How things look is in `app.sources` and chat.css.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import sources
from app.answering import Job, Service
from app.examples import Corpus, look_at
from app.history import Chat, ChatError, Chats, DamagedChatError, Turn, new_chat
from configs.errors import DraftlineError
from configs.settings import Settings, load_settings

# How often a page that waits looks up, so that a click or a closed tab ends its run soon.
_TICK_S = 0.25


@dataclass(frozen=True)
class Page:
    """What a run of the page works with."""

    service: Service
    chats: Chats
    corpus: Callable[[], Corpus]
    """Looks at the store; raises StoreError if it cannot be read."""


def main() -> None:
    """Show the page with the settings of this process's environment."""
    settings = load_settings()
    chats = _kept_chats(settings) if settings.app.chats else _passing_chats()
    render(Page(_service(settings), chats, partial(look_at, settings)))


@st.cache_resource(show_spinner=False)
def _service(_settings: Settings) -> Service:
    def open_answerer():  # type: ignore[no-untyped-def]
        from generate.answer import open_answerer

        return open_answerer(_settings)

    return Service(open_answerer)


@st.cache_resource(show_spinner=False)
def _kept_chats(_settings: Settings) -> Chats:
    return Chats(_settings.home / "chats")


def _passing_chats() -> Chats:
    chats: Chats = st.session_state.setdefault("chats", Chats(None))
    return chats


def render(page: Page) -> None:
    """Draw the page: earlier conversations, this one's turns, and the answer being written."""
    st.set_page_config("Draftline", page_icon="✒️", layout="wide")
    st.html(Path(__file__).with_name("chat.css"))
    page.service.warm_up()
    # Asked before the conversation is read: an answer that ends in between is in what is read then,
    # and once more after, for one that another page has started in between.
    job = page.service.job(st.query_params.get("chat", ""))
    chat = _open_chat(page)
    job = job or page.service.job(chat.id)
    _sidebar(page, chat)
    question = st.chat_input("Ask your documents", disabled=job is not None, key="question")
    if not chat.turns:
        question = _welcome(page) or question
    last = len(chat.turns) - 1
    for position, turn in enumerate(chat.turns):
        if job is None or position != last:
            _show_turn(turn, f"s{position}")
    if question and question.strip() and job is None:
        _ask(page, chat, question.strip())
    if job is not None:
        _watch(page, job, f"s{last}")


def _open_chat(page: Page) -> Chat:
    wanted = st.query_params.get("chat")
    if wanted is not None:
        try:
            return page.chats.load(wanted)
        except ChatError as error:
            st.html(sources.note_html(str(error), "error"))
            if isinstance(error, DamagedChatError):
                _delete_button(page, wanted)
    # An empty conversation is kept with the session, so that a second click asks in the same one.
    chat: Chat = st.session_state.setdefault("new_chat", new_chat())
    return chat


def _ask(page: Page, chat: Chat, question: str) -> None:
    try:
        page.service.ask(page.chats, chat, question)
    except DraftlineError as error:
        st.html(sources.note_html(str(error), "error"))
        return
    except OSError as error:
        reason = (
            f"this conversation cannot be saved in {error.filename or 'DRAFTLINE_HOME'} ({error.strerror})"
        )
        st.html(sources.note_html(reason, "error"))
        return
    st.session_state.pop("new_chat", None)
    st.query_params["chat"] = chat.id
    st.rerun()


def _show_turn(turn: Turn, key: str) -> None:
    left, right = _columns(key)
    with left:
        st.html(sources.question_html(turn))
        if turn.answer:
            st.html(sources.answer_html(turn, key))
        _show_ending(turn)
    cards = sources.sources_html(turn, key)
    if cards:
        right.html(cards)


def _columns(key: str) -> tuple[DeltaGenerator, DeltaGenerator]:
    left, right = st.container(key=f"turn-{key}").columns([3, 2], gap="medium")
    return left, right


def _show_ending(turn: Turn) -> None:
    match turn.state:
        case "failed":
            st.html(sources.note_html(turn.error, "error"))
        case "stopped":
            st.html(sources.note_html("Stopped."))
        case "answering":
            st.html(sources.note_html("The app was closed before this answer was done. Ask again."))
        case "done" if turn.abstained and not turn.sources:
            st.html(sources.note_html("Nothing close enough was found. Try other words, or ingest more."))
    if turn.figures is not None and turn.figures.tokens:
        st.html(sources.figures_html(turn.figures))


def _watch(page: Page, job: Job, key: str) -> None:
    """Follow an answer until it is done, then draw the page anew with what was saved.

    A click or a reload may end this run at any of its `html` calls; the answer goes on without it.
    """
    left, right = _columns(key)
    question = left.empty()
    question.html(sources.question_html(job.turn))
    answer, note, cards = left.empty(), left.empty(), right.empty()
    left.button("Stop", key=f"stop-{key}", icon=":material/stop_circle:", on_click=job.cancel)
    version = 0
    while job.running:
        turn = job.turn
        if turn.answer:
            answer.html(sources.answer_html(turn, key, writing=True))
        if turn.sources:
            question.html(sources.question_html(turn))
            cards.html(sources.sources_html(turn, key))
        note.html(sources.note_html(_progress(page, job, turn)))
        version = job.wait(version, _TICK_S)
    st.rerun()


def _progress(page: Page, job: Job, turn: Turn) -> str:
    seconds = f"{time.monotonic() - job.started:.0f} s"
    if job.cancelled:
        return f"Stopping · {seconds}"
    if turn.answer:
        return f"Writing · {seconds}"
    if turn.sources:
        return f"Reading {len(turn.sources)} passages · {seconds}"
    return f"{'Searching' if page.service.ready else 'Loading the model'} · {seconds}"


def _welcome(page: Page) -> str | None:
    """What to do when nothing was asked yet; returns the example that was clicked."""
    try:
        corpus = page.corpus()
    except DraftlineError as error:
        st.html(sources.note_html(str(error), "error"))
        return None
    st.html('<h1 class="dl-title">Ask your documents</h1>')
    if not corpus.chunks:
        st.html(
            '<p class="dl-lead">Nothing has been ingested yet. In a terminal, run</p>'
            "<pre><code>python -m ingest ./docs</code></pre>"
            '<p class="dl-lead">with a folder of your own, then reload this page.</p>'
        )
        return None
    st.html(
        f'<p class="dl-lead">{corpus.documents:,} documents are ready. Answers quote them: every numbered '
        "mark leads to the passage beside it, with the quoted words highlighted.</p>"
    )
    chosen = None
    with st.container(key="examples"):
        for number, example in enumerate(corpus.examples):
            if st.button(sources.plain_label(example), key=f"example-{number}"):
                chosen = example
    return chosen


def _sidebar(page: Page, chat: Chat) -> None:
    with st.sidebar:
        st.html('<p class="dl-brand">Draftline</p>')
        st.button("New chat", key="new", icon=":material/add:", on_click=_go_to, args=[None], width="stretch")
        if chat.turns:
            _manage(page, chat)
        with st.container(key="chats", gap=None):
            for entry in page.chats.list():
                st.button(
                    sources.plain_label(entry.title),
                    key=f"chat-{entry.id}",
                    type="secondary" if entry.id == chat.id else "tertiary",
                    on_click=_go_to,
                    args=[entry.id],
                    width="stretch",
                )


def _manage(page: Page, chat: Chat) -> None:
    with st.popover("This chat", icon=":material/edit:", width="stretch"):
        title = st.text_input("Title", chat.title, key=f"title-{chat.id}", max_chars=60)
        if title.strip() and title != chat.title:
            page.chats.rename(chat.id, title)
            st.rerun()
        _delete_button(page, chat.id)


def _delete_button(page: Page, chat_id: str) -> None:
    st.button("Delete", key="delete", icon=":material/delete:", on_click=_delete, args=[page.chats, chat_id])


def _delete(chats: Chats, chat_id: str) -> None:
    chats.delete(chat_id)
    _go_to(None)


def _go_to(chat_id: str | None) -> None:
    st.session_state.pop("new_chat", None)
    if chat_id is None:
        st.query_params.pop("chat", None)
    else:
        st.query_params["chat"] = chat_id


if __name__ == "__main__":
    main()
