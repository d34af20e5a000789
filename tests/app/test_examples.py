"""Questions that the store's headings suggest."""

from __future__ import annotations

from app.examples import suggest


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
