"""E-books, messages and the markups that become pages on their way."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from tests.ingest.formats.files import book, changed, convert, opendocument, outlook

METADATA = (
    "<dc:title>Pumps</dc:title><dc:creator>Ada Byron</dc:creator><dc:creator>Bob</dc:creator>"
    "<dc:language>en-GB</dc:language><dc:date>2024-03</dc:date><dc:subject>water</dc:subject>"
    '<dc:identifier>urn:isbn:1</dc:identifier><meta property="dcterms:modified">2024-04-02T08:30:00Z</meta>'
)


def test_a_book() -> None:
    data = book(
        {
            "text/one.xhtml": "<h1>One</h1><p>Look<a href='two.xhtml#n1' id='r1'><sup>1</sup></a> at "
            "<a href='two.xhtml'>the notes</a> and <a href='https://example.org/'>the site</a>.</p>"
            "<pre><code class='language-python'>run(1 &lt; 2)</code></pre><script>alert(1)</script>",
            "text/two.xhtml": "<h1>Two</h1><p>More.</p><p id='n1'><a href='one.xhtml#r1'>1</a> A note.</p>",
        },
        metadata=METADATA,
    )
    converted = convert(data, ".epub")
    assert converted.body == (
        "# One\n\nLook[^1] at the notes and [the site](https://example.org/).\n\n"
        "```python\nrun(1 < 2)\n```\n\n# Two\n\nMore.\n\n[^1]: A note.\n"
    )
    assert converted.metadata == {
        "title": "Pumps",
        "author": ["Ada Byron", "Bob"],
        "language": "en",
        "date": datetime(2024, 3, 1, tzinfo=UTC),
        "updated": datetime(2024, 4, 2, 8, 30, tzinfo=UTC),
        "tags": ["water"],
    }


def test_a_chapter_that_is_missing_is_noted() -> None:
    data = changed(book({"one.xhtml": "<p>Here.</p>", "two.xhtml": ""}), {"OEBPS/two.xhtml": None})
    converted = convert(data, ".epub")
    assert converted.body == "Here.\n"
    assert converted.notes == ("chapters that are missing or beyond the limit: 1",)


def message() -> EmailMessage:
    found = EmailMessage()
    found["From"], found["To"] = '"Ada Byron" <ada@example.org>', "bob@example.org, Cy <cy@example.org>"
    found["Subject"], found["Date"] = "Größe des Ventils", "Tue, 05 Mar 2024 10:20:30 +0100"
    found["Message-ID"] = "<1@example.org>"
    return found


FIELDS = {
    "title": "Größe des Ventils",
    "author": "Ada Byron",
    "from": ["Ada Byron <ada@example.org>"],
    "to": ["bob@example.org", "Cy <cy@example.org>"],
    "date": datetime(2024, 3, 5, 9, 20, 30, tzinfo=UTC),
    "message_id": "1@example.org",
}


def test_a_plain_message() -> None:
    mail = message()
    mail.set_content("Hello Bob,\n\n# 1 is done\nValues:\n-----\n> quoted\n-- \nAda\n")
    converted = convert(mail.as_bytes(), ".eml")
    assert converted.body == (
        "# Größe des Ventils\n\nHello Bob,\n\n\\# 1 is done\nValues:\n\\-----\n> quoted\n\\--\nAda\n"
    )
    assert converted.metadata == FIELDS
    assert set(converted.origins.values()) == {"mail"}


def test_names_in_encoded_words_may_hold_commas() -> None:
    data = (
        b"From: =?utf-8?q?Byron=2C_Ad=C3=A4?= <ada@example.org>\nTo: B\xc3\xb6b <bob@example.org>\n\nText.\n"
    )
    metadata = convert(data, ".eml").metadata
    assert (metadata["author"], metadata["to"]) == ("Byron, Adä", ["Böb <bob@example.org>"])


def test_a_rich_message_with_an_attachment() -> None:
    mail = message()
    mail.set_content("Hello Bob,\nPart Size Valve 3\n")
    mail.add_alternative(
        "<html><body><p>Hello <b>Bob</b>,</p><table><tr><th>Part</th><th>Size</th></tr><tr><td>Valve</td>"
        "<td>3</td></tr></table><img src='http://tracker.example/x.gif' width=1 height=1></body></html>",
        subtype="html",
    )
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="plan.pdf")
    converted = convert(mail.as_bytes(), ".eml")
    assert converted.body == (
        "# Größe des Ventils\n\nHello **Bob**,\n\n| Part | Size |\n| --- | --- |\n| Valve | 3 |\n"
    )
    assert converted.metadata == {**FIELDS, "attachments": ["plan.pdf"]}
    assert converted.notes == ("attachment 'plan.pdf' is left out",)


def test_an_html_part_that_holds_less_than_the_text_is_not_taken() -> None:
    mail = message()
    mail.set_content("All of the long text that the message has to tell.\n")
    mail.add_alternative("<html><body><p>Open in a browser</p></body></html>", subtype="html")
    assert "All of the long text" in convert(mail.as_bytes(), ".eml").body


def test_an_outlook_message() -> None:
    converted = convert(
        outlook(
            {0x37: "Größe", 0x1000: "Hello Bob,\r\nplain.", 0x0C1A: "Ada Byron", 0x0C1F: "ada@example.org"},
            page=b"<html><body><p>Hello <b>Bob</b>, plain.</p></body></html>",
            recipients=[{0x3001: "Bob", 0x39FE: "bob@example.org"}],
        ),
        ".msg",
    )
    assert converted.body == "# Größe\n\nHello **Bob**, plain.\n"
    assert converted.metadata == {
        "title": "Größe",
        "author": "Ada Byron",
        "from": ["Ada Byron <ada@example.org>"],
        "to": ["Bob <bob@example.org>"],
        "date": datetime(2024, 3, 4, 4, 26, 40, tzinfo=UTC),
    }


RST = """\
==========
Pump guide
==========
:Author: Ada Byron
:Date: 2024-03-01
:Keywords: pump, water

.. contents::

Setting up
==========

Read the **whole** text [1]_, `the site <https://example.org/>`_, ``run()``, :py:func:`~pump.start`.

.. note:: Mind the gap.

.. code-block:: python
   :linenos:

   def start():
       run(1 < 2)

.. versionadded:: 2.0
   The new thing.

.. py:function:: start(speed)

   Starts it.

#. Unpack

   - lid

#. Connect

Values
------

+-------+------+
| Part  | Size |
+=======+======+
| Valve | 10   |
+       +------+
|       | 20   |
+-------+------+

.. math:: a^2

.. include:: /etc/passwd
.. raw:: html

   <script>x</script>

.. [1] A note.
"""


def test_restructured_text() -> None:
    converted = convert(RST.encode(), ".rst")
    assert converted.body == (
        "# Pump guide\n\n## Setting up\n\n"
        "Read the **whole** text[^1], [the site](https://example.org/), `run()`, `pump.start`.\n\n"
        "> [!note] Note\n> Mind the gap.\n\n"
        "```python\ndef start():\n    run(1 < 2)\n```\n\n"
        "New in version 2.0 The new thing.\n\n`start(speed)`\n\nStarts it.\n\n"
        "1. Unpack\n\t- lid\n2. Connect\n\n"
        "### Values\n\n| Part | Size |\n| --- | --- |\n| Valve | 10 |\n|  | 20 |\n\n"
        "$$\na^{2}\n$$\n\n[^1]: A note.\n"
    )
    assert converted.metadata == {
        "title": "Pump guide",
        "author": "Ada Byron",
        "date": datetime(2024, 3, 1, tzinfo=UTC),
        "tags": ["pump", "water"],
    }


def test_what_one_text_declares_does_not_reach_the_next() -> None:
    assert convert(b".. role:: own(strong)\n\nA :own:`word`.\n", ".rst").body == "A **word**.\n"
    assert convert(b"A :own:`word`.\n", ".rst").body == "A `word`.\n"


ORG = """\
#+TITLE: Pump guide
#+AUTHOR: Ada Byron
#+FILETAGS: :pump:water:
* TODO Setting up  :tag:
:PROPERTIES:
:ID: 7
:END:
Read the *whole* text, [[https://example.org/][the site]] and =run()=.
- lid
  - hose
1. first
#+BEGIN_SRC python
run(1 < 2)
#+END_SRC
| Part  | Size |
|-------+------|
| Valve | 10   |
# a comment
#+begin_quote
Well said.
#+end_quote
"""


def test_an_org_file() -> None:
    converted = convert(ORG.encode(), ".org")
    assert converted.body == (
        "# Setting up\n\nRead the **whole** text, [the site](https://example.org/) and `run()`.\n\n"
        "- lid\n\t- hose\n1. first\n\n```python\nrun(1 < 2)\n```\n\n"
        "| Part | Size |\n| --- | --- |\n| Valve | 10 |\n\n> Well said.\n"
    )
    assert converted.metadata == {"title": "Pump guide", "author": "Ada Byron", "tags": ["pump", "water"]}


ODT = """\
<text:table-of-content><text:p>Contents</text:p></text:table-of-content>
<text:h text:outline-level="1">Setting up</text:h>
<text:p>Read the <text:span text:style-name="T1">whole</text:span><text:s text:c="2"/>text<text:note>
<text:note-citation>1</text:note-citation>
<text:note-body><text:p>A note.</text:p></text:note-body></text:note>
and <text:a xlink:href="https://example.org/">the site</text:a>.<office:annotation
><text:p>x</text:p></office:annotation></text:p>
<text:list text:style-name="L1"><text:list-item><text:p>Unpack</text:p>
<text:list><text:list-item><text:p>lid</text:p>
</text:list-item></text:list></text:list-item>
<text:list-item><text:p>Connect</text:p></text:list-item></text:list>
<text:p text:style-name="P1">def start():</text:p>
<text:p text:style-name="P1"><text:s text:c="4"/>run()</text:p>
<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>Part</text:p></table:table-cell>
<table:table-cell><text:p>Size</text:p></table:table-cell></table:table-row></table:table-header-rows>
<table:table-row><table:table-cell table:number-rows-spanned="2"><text:p>Valve</text:p></table:table-cell>
<table:table-cell><text:p>10</text:p></table:table-cell></table:table-row>
<table:table-row><table:covered-table-cell/><table:table-cell><text:p>20</text:p></table:table-cell></table:table-row>
</table:table>
<text:p><draw:frame><draw:text-box><text:p>In a box</text:p></draw:text-box></draw:frame></text:p>
<text:p><draw:frame><draw:image xlink:href="http://example.org/x.png"/>
<svg:desc>The pump</svg:desc></draw:frame></text:p>
<text:p><draw:frame><draw:object><math xmlns="http://www.w3.org/1998/Math/MathML">
<mfrac><mi>a</mi><mi>b</mi></mfrac></math></draw:object></draw:frame></text:p>
"""
ODT_STYLES = """\
<style:style style:name="T1"><style:text-properties fo:font-weight="bold"/></style:style>
<style:style style:name="P1"><style:text-properties style:font-name="DejaVu Sans Mono"/></style:style>
<text:list-style style:name="L1">
<text:list-level-style-number text:level="1" style:num-format="1"/></text:list-style>
"""


def test_an_opendocument_text() -> None:
    meta = (
        "<dc:title>Pump guide</dc:title><meta:initial-creator>Ada Byron</meta:initial-creator>"
        "<dc:creator>Bob</dc:creator>"
        "<meta:creation-date>2024-03-01T12:00:00.123456789</meta:creation-date>"
        "<dc:date>2024-04-02T08:30:00</dc:date>"
        "<meta:keyword>pump</meta:keyword><meta:keyword>water</meta:keyword><dc:language>de-DE</dc:language>"
    )
    converted = convert(opendocument(ODT, styles=ODT_STYLES, meta=meta), ".odt")
    assert converted.body == (
        "# Setting up\n\nRead the **whole** text[^1] and [the site](https://example.org/).\n\n"
        "1. Unpack\n\t- lid\n2. Connect\n\n```\ndef start():\n    run()\n```\n\n"
        "| Part | Size |\n| --- | --- |\n| Valve | 10 |\n| Valve | 20 |\n\n"
        "In a box\n\n*Image: The pump*\n\n$\\frac{a}{b}$\n\n[^1]: A note.\n"
    )
    assert converted.metadata == {
        "title": "Pump guide",
        "author": "Ada Byron",
        "date": datetime(2024, 3, 1, 12, 0, 0, 123456, tzinfo=UTC),
        "updated": datetime(2024, 4, 2, 8, 30, tzinfo=UTC),
        "tags": ["pump", "water"],
        "language": "de",
    }


RTF = r"""{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\froman Times;}{\f1\fmodern Courier New;}
{\f2\fcharset204 Cyr;}}
{\stylesheet{\s0 Normal;}{\s1\b heading 1;}{\s2 heading 2;}}
{\info{\title Pump guide}{\author Ada Byron}{\keywords pump; water}{\creatim\yr2024\mo3\dy1\hr9\min5}}
{\header Top of page}
\pard\s1\outlinelevel0{\b Setting up}\par
\pard Read the {\b whole} H{\sub 2}O text \u8212? caf\'e9 {\field{\*\fldinst{HYPERLINK "https://example.org/x"}}
{\fldrslt{\ul the site}}}.{\super\chftn}{\footnote\pard{\super\chftn} A note.}
 {\f2\'cf\'f0\'e8} \u-10179?\u-8704?{\v hidden}\par
{\listtext 1.\tab}\pard\ls1\ilvl0\li720 Unpack\par
{\listtext\'b7\tab}\pard\ls1\ilvl1\li1440 lid\par
{\listtext 2.\tab}\pard\ls1\ilvl0\li720 Connect\par
\pard\s2 Values\par
\trowd\trhdr\cellx1000\cellx2000\pard\intbl Part\cell Size\cell\row
\trowd\clvmgf\cellx1000\cellx2000\pard\intbl Valve\cell 10\cell\row
\trowd\clvmrg\cellx1000\cellx2000\pard\intbl\cell 20\cell\row
\pard{\f1 def start():}\par{\f1\tab run()}\par
\pard Last {\pict\pngblip 89504e47} words.\par}"""


def test_rich_text() -> None:
    converted = convert(RTF.encode(), ".rtf")
    assert converted.body == (
        "# Setting up\n\n"
        "Read the **whole** H<sub>2</sub>O text — café [the site](https://example.org/x).[^1] При 😀\n\n"
        "1. Unpack\n\t- lid\n2. Connect\n\n## Values\n\n"
        "| Part | Size |\n| --- | --- |\n| Valve | 10 |\n| Valve | 20 |\n\n"
        "```\ndef start():\n\trun()\n```\n\nLast words.\n\n[^1]: A note.\n"
    )
    assert converted.metadata == {
        "title": "Pump guide",
        "author": "Ada Byron",
        "tags": ["pump", "water"],
        "date": datetime(2024, 3, 1, 9, 5, tzinfo=UTC),
    }
    assert converted.notes == ("left out: pictures (1)",)


@pytest.mark.parametrize("cut", [30, 300, 700, 1000])
def test_rich_text_that_ends_in_the_middle_is_read_so_far(cut: int) -> None:
    converted = convert(RTF.encode()[:cut], ".rtf")
    assert converted.notes[-1] == "the file ends in the middle; what is there was read"
