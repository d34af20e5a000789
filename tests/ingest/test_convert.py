"""Bytes of each kind to markdown, metadata and notes."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from configs.errors import InputError
from configs.settings import load_settings
from ingest.convert.base import Converted, load_converter, time_limit
from ingest.convert.encoding import decode
from ingest.convert.kinds import KINDS, SUFFIXES, converter_version, kind_of

PAGE = """<!doctype html><html lang="en-GB"><head><meta charset="utf-8"><title>Routers | Acme Docs</title>
<meta name="author" content="Ada Lovelace"><meta name="keywords" content="router, network">
<meta property="og:site_name" content="Acme Docs">
<meta property="article:published_time" content="2024-03-05T10:00:00Z">
<link rel="canonical" href="https://docs.acme.test/routers"></head>
<body><nav><a href="/">Home</a> <a href="/x">Shop</a></nav><main><h1>Routers</h1>
<p>The <strong>router</strong> has <a href="https://acme.test/led">four LEDs</a> on its front panel.</p>
<h2>Lights</h2><table><tr><th>LED</th><th>Meaning</th></tr><tr><td>green</td><td>all is well</td></tr></table>
<h3>Reset</h3><p>Hold the button for ten seconds until it blinks.</p>
<pre><code>router reset \\
  --hard
# not a heading
</code></pre><ul><li>First item of the list</li><li>Second item</li></ul></main>
<footer>Copyright 2024 Acme</footer></body></html>"""


def convert(kind: str, data: bytes) -> Converted:
    return load_converter(kind, load_settings().ingest).convert(data, f".{kind}")


def test_every_suffix_has_a_converter_with_a_version() -> None:
    for suffix, kind in SUFFIXES.items():
        assert kind_of(f"a/b{suffix.upper()}") == kind
        assert converter_version(kind)
        if not KINDS[kind].container:
            load_converter(kind, load_settings().ingest)
    assert kind_of("a.xyz") is None
    assert kind_of("html") is None


def test_a_page_keeps_its_structure_and_what_it_declares() -> None:
    page = convert("html", PAGE.encode())
    assert page.metadata == {
        "title": "Routers",
        "author": "Ada Lovelace",
        "date": datetime(2024, 3, 5, 10, tzinfo=UTC),
        "site": "Acme Docs",
        "language": "en",
        "url": "https://docs.acme.test/routers",
        "tags": ["router", "network"],
    }
    for part in (
        "# Routers\n",
        "## Lights\n",
        "### Reset\n",
        "[four LEDs](https://acme.test/led)",
        "| green |",
    ):
        assert part in page.body
    assert "router reset \\\n  --hard\n# not a heading\n" in page.body
    assert "Copyright" not in page.body
    assert "Shop" not in page.body


def test_a_page_that_declares_nothing_has_no_metadata() -> None:
    sentence = "A long sentence about the contract of 2020-01-01, which is not the date of this page."
    page = convert("html", f"<html><body><p>{sentence}</p></body></html>".encode())
    assert page == Converted(f"{sentence}\n", {})


def test_a_page_without_a_marked_article_keeps_headings_and_lists() -> None:
    page = convert(
        "html",
        b"""<html><head><title>Coffee machine</title></head><body><nav><ul><li>Home page</li></ul></nav>
        <h1>Coffee machine</h1><h2>Cleaning</h2>
        <p>Descale the machine every <b>90 days</b> with the powder that came in the box.</p>
        <h2>Error codes</h2><ul><li>E01: no water</li><li>E07: the grinder is blocked</li></ul>
        <p>The warranty lasts for two years from the day of the sale.</p></body></html>""",
    )
    for text in (
        "# Coffee machine",
        "## Cleaning",
        "## Error codes",
        "- E07: the grinder",
        "warranty",
    ):
        assert text in page.body
    assert "Home page" not in page.body


@pytest.mark.parametrize(
    "date",
    [
        "<p>Published 2020-01-01</p>",
        '<div><time datetime="2020-01-01">New Year</time></div>',
        '<script type="application/ld+json">{"datePublished": "2020-01-01"}</script>',
    ],
)
def test_a_page_may_say_its_date_in_many_places(date: str) -> None:
    page = f"<html><body><h1>Title</h1>{date}<p>{'Words of the page. ' * 20}</p></body></html>"
    assert convert("html", page.encode()).metadata["date"] == datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("page", ["", "  \n", "<!-- only a comment -->", "<html><body></body></html>"])
def test_an_empty_page_is_an_empty_document(page: str) -> None:
    assert convert("html", page.encode()) == Converted("", {})


def test_a_page_without_main_content_keeps_its_text_and_what_it_declares() -> None:
    head = "<head><title>Imprint</title><meta name=author content='Ada Byron'></head>"
    page = f"<html>{head}<body><script>var x</script><footer>Only a foot.</footer></body></html>"
    found = convert("html", page.encode())
    assert found.body == "Only a foot.\n"
    assert found.metadata == {"title": "Imprint", "author": "Ada Byron"}


@pytest.mark.parametrize("page", ["<p>x</p>", "plain words", "<b>unclosed <i>tags"])
def test_a_fragment_keeps_its_text(page: str) -> None:
    assert convert("html", page.encode()).body.strip()


def test_a_page_nested_too_deeply_to_be_read_whole_fails() -> None:
    with pytest.raises(InputError, match="excessive depth"):
        convert("html", b"<div>" * 5000 + b"deep text")


@pytest.mark.parametrize("kind", ["html", "markdown", "text"])
@pytest.mark.parametrize(
    "data", [b"%PDF-1.7 x", b"\x89PNG\r\n", b"PK\x03\x04", bytes(range(256)) * 8, b"a\x00b"]
)
def test_what_is_not_text_fails_whatever_its_name(kind: str, data: bytes) -> None:
    with pytest.raises(InputError, match="its content is"):
        convert(kind, data)


def test_markdown_passes_through() -> None:
    found = convert("markdown", b"\xef\xbb\xbf---\r\ntitle: T\r\n---\r\n\r\n# T\r\n\r\ntext  \r\n\r\n")
    assert found == Converted("# T\n\ntext\n", {"title": "T"})


def test_text_is_its_own_body() -> None:
    assert (
        convert("text", b"---\na: 1\n---\n\n  indented\rnext\n\n\n").body
        == "---\na: 1\n---\n\n  indented\nnext\n"
    )
    assert convert("text", b"\n \n  first\n").body == "  first\n"
    assert convert("text", b" \n\t\n") == Converted("", {})


@pytest.mark.parametrize(
    ("data", "declared", "text", "noted"),
    [
        ("häß".encode(), None, "häß", False),
        ("häß".encode(), "latin-1", "häß", False),
        ("häß".encode("latin-1"), "iso-8859-1", "häß", False),
        ("“häß”".encode("cp1252"), "iso-8859-1", "“häß”", False),
        ("häß".encode("utf-16"), None, "häß", False),
        ("häß".encode("utf-8-sig"), None, "häß", False),
        ("日本語です".encode("shift_jis"), "shift_jis", "日本語です", False),
        (b"caf\xe9", None, "café", True),
        (b"caf\xe9", "no-such-charset", "café", True),
        ("ä" * 50, None, "ä" * 50 + "\ufffd", True),
        ("これは日本語の文章です。" * 20, None, None, True),
    ],
)
def test_encodings(data: bytes | str, declared: str | None, text: str | None, noted: bool) -> None:
    if isinstance(data, str):
        data = data.encode() + b"\xff" if text else data.encode("shift_jis")
    found, note = decode(data, declared)
    assert found == (text or "これは日本語の文章です。" * 20)
    assert bool(note) is noted


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1252", "Die Türen öffnen sich früh, und große Schüler gehen über die Straße. "),
        ("cp1252", "L’été dernier, nous avons déjeuné à côté de la forêt où habite ma sœur. "),
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy na zahradě. "),
        ("cp1251", "Съешь ещё этих мягких французских булок, да выпей чаю. "),
    ],
)
def test_code_pages_are_told_apart(codec: str, text: str) -> None:
    assert decode((9 * text).encode(codec))[0] == 9 * text


def pdf(pages: list[str], **options: str) -> bytes:
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    password = options.pop("password", None)
    canvas = Canvas(out, encrypt=StandardEncryption(password) if password else None)
    for name, value in options.items():
        getattr(canvas, f"set{name.title()}")(value)
    for page in pages:
        for number, line in enumerate(page.split("\n")):
            canvas.drawString(72, 720 - 20 * number, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def test_a_pdf_gives_its_text_layer_with_pages_apart() -> None:
    found = convert("pdf", pdf(["First page\nsecond line", "Last page"], title="Manual", author="Ada"))
    assert found.body == "First page second line\n\nLast page\n"
    assert found.metadata["title"] == "Manual"
    assert found.metadata["author"] == "Ada"
    assert isinstance(found.metadata["date"], datetime)


def test_a_pdf_made_without_names_gets_none() -> None:
    assert set(convert("pdf", pdf(["text"])).metadata) <= {"date"}


def test_a_page_without_text_is_noted() -> None:
    assert convert("pdf", pdf(["text", ""])).notes == ("no text layer on page 2",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"hello", "does not begin with %PDF-"),
        (b"%PDF-1.7\ngarbage", "damaged PDF"),
        (pdf([""]), "no text layer"),
        (pdf(["secret"], password="s3cret"), "encrypted"),
    ],
)
def test_pdfs_that_cannot_be_read_say_why(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        convert("pdf", data)


def test_a_conversion_that_hangs_is_given_up() -> None:
    def hang() -> None:
        while True:
            try:
                while True:
                    pass
            except Exception:
                continue

    with pytest.raises(InputError, match=r"more than 0\.05 s"), time_limit(0.05):
        hang()
