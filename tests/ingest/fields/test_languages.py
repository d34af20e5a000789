"""Languages: tags and names to BCP 47, and what a text is written in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from ingest.fields.languages import detect_language, language_tag

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("en", "en"),
        ("EN-us", "en-US"),
        ("en_GB", "en-GB"),
        ("eng", "en"),
        ("ger", "de"),
        ("deu", "de"),
        ("iw", "he"),
        ("zh-hans-cn", "zh-Hans-CN"),
        ("sr-Latn", "sr-Latn"),
        ("es-419", "es-419"),
        ("pt_BR.UTF-8", "pt-BR"),
        ("en-GB-oxendict", "en-GB"),
        ("English", "en"),
        ("British English", "en-GB"),
        ("English (UK)", "en"),
        ("deutsch", "de"),
        ("Français", "fr"),
        ("Französisch", "fr"),
        ("日本語", "ja"),
        ("русский", "ru"),
    ],
)
def test_tags(text: str, tag: str) -> None:
    assert language_tag(text) == tag


@pytest.mark.parametrize(
    "text", ["", "xx", "und", "mul", "english and french", "plain", "x-custom", "e" * 100]
)
def test_what_is_no_language(text: str) -> None:
    assert language_tag(text) is None


@given(text=st.text(max_size=70) | st.text("abcdefgEN-_", max_size=12))
def test_a_tag_is_its_own_tag(text: str) -> None:
    tag = language_tag(text)
    if tag is not None:
        assert re.fullmatch(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?", tag)
        assert language_tag(tag) == tag


def test_every_code_and_name_has_one_tag() -> None:
    for code, name in Locale("en").languages.items():
        for text in (str(code), name):
            tag = language_tag(text)
            assert tag is None or language_tag(tag) == tag, text


TEXTS = {
    "en": """The valve is made of brass and opens slowly. It must be closed by hand whenever the pump has
        stopped, since nothing else keeps the water from running back.""",
    "de": """Das Ventil ist aus Messing und öffnet langsam. Es muss von Hand geschlossen werden, sobald die
        Pumpe steht, denn sonst hält nichts das Wasser zurück, das in den Tank läuft.""",
    "fr": """La vanne est en laiton et s'ouvre lentement. Il faut la fermer à la main dès que la pompe
        s'arrête, car rien d'autre n'empêche l'eau de refluer vers le réservoir.""",
    "ja": """弁は真鍮でできており、ゆっくりと開きます。ポンプが止まったら必ず手で閉めてください。
        そうしないと水が逆流してしまいます。弁の点検は毎年一度、専門の技術者が行います。
        記録は管理室に保管されています。作業中は電源を切っておかなければなりません。""",
}


@pytest.mark.parametrize("language", TEXTS)
def test_prose_tells_its_language(language: str) -> None:
    assert detect_language(TEXTS[language]) == language
    assert detect_language(f"# A\n\n```python\nfor x in y: print(x)\n```\n\n{TEXTS[language]}") == language


def test_the_handbook_is_english() -> None:
    for page in sorted(DOCS.glob("*.md"))[:8]:
        assert detect_language(page.read_text(encoding="utf-8")) == "en"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The pump runs at noon.",
        "12 13 14 15 " * 50,
        "| a | b |\n|---|---|\n" + "| 1.5 | 2.5 |\n" * 50,
        "```\n" + TEXTS["en"] + "\n```\n",
        "Xq zzv kjw. " * 3,
    ],
)
def test_what_is_short_or_no_prose_has_none(text: str) -> None:
    assert detect_language(text) is None


def test_markers_without_end_take_no_time() -> None:
    for text in ("](" * 50_000, "```\n~~~\n" * 20_000, "<" * 100_000, "`" * 100_000):
        assert detect_language(text) is None
