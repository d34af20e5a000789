"""The chat page with a scripted answerer, to be run by Streamlit: the question chooses the reply."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from app.answering import Service
from app.chat import Page, render
from app.examples import Corpus
from app.history import Chats
from tests.app.scripted import ABSTAINED, FAILED, GOOD, Reply, ScriptedAnswerer, passage

BEACON = "http://beacon.example/p.png"
HOSTILE = (
    f"<script>alert(1)</script><img src='{BEACON}' onerror='alert(2)'> ![b]({BEACON}) "
    f"[c](javascript:alert(3)) <iframe src='{BEACON}'></iframe><style>@import url({BEACON})</style>"
    "<svg onload=alert(4)> :material/home:"
)
REPLIES = {
    "slow": Reply("word " * 400, quotes=(), pause_s=0.05),
    "hostile": Reply(HOSTILE, passages=(passage(HOSTILE, HOSTILE, (HOSTILE,)),), quotes=((1, HOSTILE),)),
    "nothing": ABSTAINED,
    "failing": FAILED,
}


def reply(question: str) -> Reply:
    """The reply whose name the question begins with; a good one for any other."""
    return REPLIES.get(question.split(" ")[0], GOOD)


@st.cache_resource(show_spinner=False)
def _page() -> Page:
    corpus = Corpus(40, 7, ("What does ingest.md say about “Two at once”?", f"hostile {HOSTILE}", "Why?"))
    answerer = ScriptedAnswerer(reply)
    return Page(
        Service(lambda: answerer), Chats(Path(os.environ["DRAFTLINE_HOME"]) / "chats"), lambda: corpus
    )


if __name__ == "__main__":
    render(_page())
