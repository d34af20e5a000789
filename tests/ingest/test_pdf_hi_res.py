"""unstructured's elements as markdown, and its strategy hi_res where it is installed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from configs.errors import InputError
from ingest.convert.pdf import PdfConverter
from ingest.convert.pdf.hi_res import markdown_of_elements
from tests.ingest.pdfs import drawn, lines


def element(category: str, text: str, **about: Any) -> Any:
    """What unstructured gives, which is installed on few machines."""
    known = {"page_number": 1, "coordinates": None, "category_depth": None, "text_as_html": None}
    return SimpleNamespace(category=category, text=text, metadata=SimpleNamespace(**known | about))


def test_elements_become_markdown() -> None:
    table = "<table><tr><th>Part</th><th>Count</th></tr><tr><td>valve<script>x</script></td></tr></table>"
    place = SimpleNamespace(
        points=((10, 20), (10, 40), (90, 40), (90, 20)), system=SimpleNamespace(width=100, height=200)
    )
    body, regions = markdown_of_elements(
        [
            element("Header", "Manual"),
            element("Title", "The pump", category_depth=1),
            element("NarrativeText", "It runs\nat noon.", coordinates=place, page_number=2),
            element("ListItem", "• a wrench", page_number=2),
            element("ListItem", "a lamp", page_number=2),
            element("CodeSnippet", "run()\n  now()", page_number=2),
            element("Table", "Part Count valve", text_as_html=table, page_number=3),
            element("Table", "a table without markup", page_number=3),
            element("PageNumber", "3"),
        ]
    )
    assert body == (
        "## The pump\n\nIt runs at noon.\n\n- a wrench\n- a lamp\n\n```\nrun()\n  now()\n```\n\n"
        "| Part | Count |\n| --- | --- |\n| valvex |  |\n\na table without markup\n"
    )
    assert (regions[1].page, regions[1].box) == (2, (0.1, 0.1, 0.9, 0.2))
    assert body[regions[1].start : regions[1].end] == "It runs at noon."


def test_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.convert.pdf.hi_res.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"unstructured is not installed: pip install -c \S+ -e '\.\[pdf\]'"):
        PdfConverter(way="hi_res").convert(drawn(lines("Words")), ".pdf")


def test_a_real_file() -> None:
    pytest.importorskip("unstructured_inference", reason="the extra pdf is not installed")
    try:
        found = PdfConverter(way="hi_res").convert(drawn(lines("The pump runs at noon.")), ".pdf")
    except InputError as error:
        pytest.skip(f"its layout model is not there: {error}")
    assert "pump" in found.body
