"""Questions that the store's headings suggest."""

from __future__ import annotations

from pathlib import Path

from app.examples import look_at, suggest
from configs.settings import load_settings
from retrieve.store import open_store
from tests.retrieve.samples import fill, make_document


def test_only_what_the_chat_may_answer_from_is_suggested(tmp_path: Path) -> None:
    settings = load_settings(env={"DRAFTLINE_HOME": str(tmp_path)})
    documents = [make_document(0), make_document(1, tenant="acme"), make_document(2, access=["board"])]
    fill(open_store(settings), documents)
    assert look_at(settings).examples == ("What does page-0.md say about “Pages”?",)
    opened = load_settings(overrides=["retrieve.all_tenants=true"], env={"DRAFTLINE_HOME": str(tmp_path)})
    assert len(look_at(opened).examples) == 2


def test_each_question_is_about_another_document() -> None:
    headings = {
        (f"{name}.md", ordinal): heading
        for name in "abcdefg"
        for ordinal, heading in enumerate(["Title", "Limits", "Limits"])
    }
    questions = suggest(headings)
    assert len(questions) == 3
    assert questions[0] == "What does a.md say about “Limits”?"
    assert len({question.split()[2] for question in questions}) == 3


def test_a_heading_that_asks_is_taken_as_it_is() -> None:
    assert suggest({("a.md", 0): "Why so fast?"}) == ("Why so fast?",)


def test_no_headings_no_questions() -> None:
    assert suggest({}) == ()
