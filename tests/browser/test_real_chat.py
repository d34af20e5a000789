"""The whole house behind the page: real ingest, real store, real models, a real browser."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, Visit

pytestmark = pytest.mark.browser

FERRY = (
    "# The ferry\n\nThe ferry to Skarholm leaves the north pier every morning at seven o'clock. "
    "Tickets are sold on board by the captain.\n"
)
BEES = (
    "# Keeping bees\n\nA healthy bee colony needs about twenty kilograms of honey for the winter. "
    "The hives are wrapped in straw in November.\n"
)
LIGHTHOUSE = (
    "# The lighthouse\n\nThe lighthouse keeper of Skarholm is called Ingrid Vestergaard. "
    "She paints the lighthouse door red every spring.\n"
)


class StartApp(Protocol):
    def __call__(self) -> AbstractContextManager[str]: ...


def ingest(folder: Path, home: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "ingest", str(folder)],
        cwd=ROOT,
        env={**os.environ, "DRAFTLINE_HOME": str(home)},
        check=True,
        timeout=90,
    )


def test_a_document_that_arrives_while_the_chat_answers_is_cited_next(
    visit: Visit, start_app: StartApp, home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "island"
    folder.mkdir()
    (folder / "ferry.md").write_text(FERRY)
    (folder / "bees.md").write_text(BEES)
    ingest(folder, home)
    page = visit.page
    with start_app() as url:
        visit.open(url)
        expect(page.get_by_text("2 documents are ready")).to_be_visible()
        visit.ask("When does the ferry to Skarholm leave the pier?")
        (folder / "lighthouse.md").write_text(LIGHTHOUSE)
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        ingest(folder, home)
        visit.wait_for_end()
        quotes = page.locator(".dl-card", has_text="ferry.md").locator("mark")
        expect(quotes.first).to_be_visible()
        assert all(quote in FERRY for quote in quotes.all_inner_texts())
        expect(page.locator(".dl-figures")).to_contain_text("tokens/s")

        visit.ask("Who is the lighthouse keeper of Skarholm?")
        visit.wait_for_end()
        turn = page.locator("[class*=st-key-turn-]").last
        expect(turn.locator(".dl-card", has_text="lighthouse.md").locator("mark").first).to_be_visible()

        page.reload()
        expect(page.locator(".dl-question")).to_have_count(2)
        expect(page.locator(".dl-card", has_text="lighthouse.md").last).to_be_attached()

        visit.ask("What did the parliament of Peru decide about copper taxes?")
        visit.wait_for_end()
        expect(page.locator(".dl-abstained")).to_be_visible()
