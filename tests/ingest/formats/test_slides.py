"""Presentations: titles, levels, tables, charts, notes, and the order of reading."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from tests.ingest.formats.files import convert, saved


def box(slide: Any, text: str, left: float, top: float) -> Any:
    shape = slide.shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(0.5))
    shape.text_frame.text = text
    return shape


def deck() -> Any:
    presentation = Presentation()
    core = presentation.core_properties
    core.title, core.author, core.created = "Pumps 2024", "Ada Byron", datetime(2024, 3, 1)
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text = "Why pumps"
    frame = slide.placeholders[1].text_frame
    frame.text = "They move water"
    for text, level in (("up", 1), ("far", 1), ("They last", 0)):
        line = frame.add_paragraph()
        line.text, line.level = text, level
    run = frame.paragraphs[-1].add_run()
    run.text = " (source)"
    run.hyperlink.address = "https://example.org/p"
    slide.notes_slide.notes_text_frame.text = "Say it slowly.\nThen pause."
    return presentation


def test_a_deck() -> None:
    presentation = deck()
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = "Numbers"
    box(slide, "Below", 1, 6)
    box(slide, "Right", 6, 1.5)
    box(slide, "Left", 1, 1.6)
    table = slide.shapes.add_table(3, 2, Inches(1), Inches(3), Inches(4), Inches(1)).table
    for y, row in enumerate([["Part", "Size"], ["Valve", "10"], ["", "20 | 30"]]):
        for x, text in enumerate(row):
            table.cell(y, x).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    converted = convert(saved(presentation), ".pptx")
    assert converted.body == (
        "## Why pumps\n\n"
        "- They move water\n\t- up\n\t- far\n- They last [(source)](https://example.org/p)\n\n"
        "Notes: Say it slowly.\nThen pause.\n\n"
        "## Numbers\n\nLeft\n\nRight\n\n"
        "| Part | Size |\n| --- | --- |\n| Valve | 10 |\n| Valve | 20 \\| 30 |\n\n"
        "Below\n"
    )
    assert (converted.metadata["title"], converted.metadata["author"]) == ("Pumps 2024", "Ada Byron")
    slides = [(region.page, converted.body[region.start : region.end]) for region in converted.regions]
    assert [(page, text.split("\n")[0]) for page, text in slides] == [(1, "## Why pumps"), (2, "## Numbers")]
    assert slides[1][1].endswith("Below\n")


def test_charts_are_their_numbers() -> None:
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    data = CategoryChartData()
    data.categories = ["Q1", "Q2"]
    data.add_series("Pumps", (10, 12.5))
    data.add_series("Valves", (3, None))
    place = Inches(1), Inches(1), Inches(4), Inches(3)
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, data)
    assert convert(saved(presentation), ".pptx").body == (
        "## Slide 1\n\n|  | Pumps | Valves |\n| --- | --- | --- |\n| Q1 | 10 | 3 |\n| Q2 | 12.5 |  |\n"
    )


def test_hidden_slides_and_pictures_are_left_out_with_a_note() -> None:
    presentation = deck()
    presentation.slides[0]._element.set("show", "0")
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    group = slide.shapes.add_group_shape()
    box_in_group = group.shapes.add_textbox(Inches(1), Inches(1), Inches(1), Inches(1))
    box_in_group.text_frame.text = "# In a group"
    converted = convert(saved(presentation), ".pptx")
    assert converted.body == "## Slide 2\n\n\\# In a group\n"
    assert converted.notes == ("left out: hidden slides (1)",)
    assert converted.regions[0].page == 2
