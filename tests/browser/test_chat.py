"""The chat in a real browser, with scripted answers: what people see and click."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.app.scripted import QUOTE
from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser


def test_a_question_is_answered_beside_its_marked_source(visit: Visit, scripted_url: str) -> None:
    visit.open(scripted_url)
    visit.ask("What happens at two ingests?")
    visit.wait_for_end()
    expect(visit.page.locator(".dl-card mark").first).to_have_text(QUOTE)
    answer = visit.page.locator(".dl-answer").bounding_box()
    card = visit.page.locator(".dl-card").first.bounding_box()
    assert answer is not None
    assert card is not None
    assert card["x"] > answer["x"] + answer["width"] - 1
    visit.page.locator(".dl-marker").click()
    expect(visit.page.locator(".dl-card:target")).to_contain_text("ingest.md")
    assert "chat=" in visit.page.url
    expect(visit.page.locator(".dl-question")).to_be_visible()


def test_the_answer_grows_while_it_is_written_and_stop_keeps_it(visit: Visit, scripted_url: str) -> None:
    visit.open(scripted_url)
    visit.ask("slow one")
    answer = visit.page.locator(".dl-answer")
    lengths = set()
    for _ in range(6):
        lengths.add(len(answer.inner_text()))
        visit.page.wait_for_timeout(300)
    assert len(lengths) >= 3
    visit.page.get_by_role("button", name="Stop").click()
    expect(visit.page.get_by_text("Stopped.")).to_be_visible(timeout=5_000)
    kept = len(answer.inner_text())
    assert max(lengths) <= kept < 1500
    visit.ask("And another?")
    visit.wait_for_end()
    expect(visit.page.locator("mark").first).to_have_text(QUOTE)


def test_a_reload_and_a_click_lose_nothing_of_an_answer_in_the_making(
    visit: Visit, scripted_url: str
) -> None:
    visit.open(scripted_url)
    visit.ask("slow two")
    expect(visit.page.locator(".dl-answer")).to_contain_text("word")
    visit.page.wait_for_url(re.compile("chat="))
    visit.page.reload()
    answer = visit.page.locator(".dl-answer")
    expect(answer).to_contain_text("word")
    before = len(answer.inner_text())
    visit.page.get_by_role("button", name="This chat").click()
    visit.page.wait_for_timeout(800)
    assert len(answer.inner_text()) > before
    visit.page.keyboard.press("Escape")
    visit.page.get_by_role("button", name="Stop").click()
    expect(visit.page.get_by_text("Stopped.")).to_be_visible(timeout=5_000)


def test_a_reload_keeps_a_conversation(visit: Visit, scripted_url: str) -> None:
    visit.open(scripted_url)
    visit.ask("Will this stay?")
    visit.wait_for_end()
    visit.page.reload()
    expect(visit.page.locator(".dl-question")).to_have_text("Will this stay?")
    expect(visit.page.locator(".dl-card mark").first).to_have_text(QUOTE)
    visit.page.get_by_role("button", name="New chat").click()
    expect(visit.page.locator(".dl-question")).to_have_count(0)
    visit.page.get_by_role("button", name="Will this stay?").first.click()
    expect(visit.page.locator(".dl-question")).to_have_text("Will this stay?")


def test_documents_answers_and_titles_are_inert(visit: Visit, scripted_url: str) -> None:
    visit.open(scripted_url)
    visit.page.get_by_role("button", name="hostile").click()
    visit.page.locator(".dl-card").wait_for()
    visit.wait_for_end()
    visit.page.reload()
    expect(visit.page.locator(".dl-card mark").first).to_contain_text("<script>alert(1)</script>")
    visit.page.wait_for_timeout(500)
    drawn = visit.page.locator(".stMain")
    for tag in ("script", "img", "iframe", "svg[onload]", "a[href^=javascript]", "a[href^=http]"):
        expect(drawn.locator(tag)).to_have_count(0)
    # The fixture asserts that no dialog opened and that nothing but this machine was contacted.


def test_two_people_are_answered_at_the_same_time(visit: Visit, scripted_url: str) -> None:
    other = Visit(visit.page.context.new_page())
    visit.open(scripted_url)
    other.open(scripted_url)
    visit.ask("slow three")
    other.ask("Meanwhile?")
    expect(other.page.locator("mark").first).to_have_text(QUOTE)
    # A page in the background does not draw, so it has nothing that stands still to be clicked.
    visit.page.bring_to_front()
    visit.page.get_by_role("button", name="Stop").click()
    expect(visit.page.get_by_text("Stopped.")).to_be_visible(timeout=5_000)


@pytest.mark.parametrize(
    ("question", "shown"), [("nothing", "Nothing close enough"), ("failing", "fell over")]
)
def test_abstention_and_errors_are_said(visit: Visit, scripted_url: str, question: str, shown: str) -> None:
    visit.open(scripted_url)
    visit.ask(question)
    expect(visit.page.get_by_text(shown)).to_be_visible()


def test_the_page_fits_a_phone(visit: Visit, scripted_url: str) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    visit.open(scripted_url)
    visit.ask("Is it narrow?")
    visit.wait_for_end()
    card = visit.page.locator(".dl-card").first.bounding_box()
    assert card is not None
    assert card["x"] >= 0
    assert card["x"] + card["width"] <= 390
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
