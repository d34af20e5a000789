"""Pages that nobody wrote: random words in a small grammar of HTML, and the markdown they stand for.

Words come in no order, so a model can only get them right by copying.
"""

from __future__ import annotations

import random
import string
from dataclasses import dataclass
from html import escape

ONSETS = (
    *"bcdfghjklmnprstvwz",
    "br",
    "ch",
    "cl",
    "dr",
    "fl",
    "gr",
    "pl",
    "pr",
    "sh",
    "sl",
    "st",
    "str",
    "tr",
)
VOWELS = (*"aeiou", "ai", "ea", "ee", "ia", "io", "oa", "oo", "ou")
ENDINGS = ("", "", "", "n", "r", "s", "t", "l", "ck", "nd", "ng", "st")
SIGNS = string.ascii_letters + string.digits + ".,;:!?'()%-"


@dataclass(frozen=True)
class Page:
    """A page and its markdown."""

    html: str
    markdown: str


def make_page(rng: random.Random, *, blocks: int, words: int) -> Page:
    """A page of so many blocks, each of up to so many words."""
    html, markdown = [], []
    gap = rng.choice(("", "\n"))
    for number in range(blocks):
        kind = "h1" if number == 0 and rng.random() < 0.7 else rng.choice(_KINDS)
        block = _BLOCKS[kind](rng, words)
        html.append(block.html)
        markdown.append(block.markdown)
    junk = (
        f"<style>.{word(rng)} {{ margin: 0 }}</style>",
        f"<script>track('{word(rng)}')</script>",
        f"<meta name='author' content='{word(rng)} {word(rng)}'>",
    )
    head = f"<head>{''.join(rng.sample(junk, 2))}<title>{_text(rng, 4)}</title></head>"
    body = f"<body>{gap}{gap.join(html)}{gap}</body>"
    return Page(f"<html>{head}{body}</html>", "\n\n".join(markdown) + "\n")


def word(rng: random.Random) -> str:
    """A word that no dictionary has, now and then a number or a jumble of signs."""
    kind = rng.random()
    if kind < 0.05:
        return str(rng.randrange(10_000))
    if kind < 0.12:
        return "".join(rng.choice(SIGNS) for _ in range(rng.randint(2, 6)))
    syllables = (rng.choice(ONSETS) + rng.choice(VOWELS) for _ in range(rng.choice((1, 2, 2, 2, 3))))
    made = "".join(syllables) + rng.choice(ENDINGS)
    return made.capitalize() if kind > 0.9 else made


def _text(rng: random.Random, words: int) -> str:
    found = [word(rng) for _ in range(rng.randint(1, words))]
    if rng.random() < 0.3:
        found[rng.randrange(len(found))] += ","
    return " ".join(found)


def _heading(level: int, rng: random.Random, words: int) -> Page:
    text = _text(rng, min(words, 6))
    return Page(f"<h{level}>{text}</h{level}>", f"{'#' * level} {text}")


def _paragraph(rng: random.Random, words: int) -> Page:
    inline = _inline(rng, words)
    end = rng.choice((".", ".", ""))
    return Page(f"<p>{inline.html}{end}</p>", inline.markdown + end)


def _list(rng: random.Random, words: int) -> Page:
    items = [_inline(rng, max(1, words // 2)) for _ in range(rng.randint(2, 5))]
    html = "".join(f"<li>{item.html}</li>" for item in items)
    return Page(f"<ul>{html}</ul>", "\n".join(f"- {item.markdown}" for item in items))


def _code(rng: random.Random, words: int) -> Page:
    lines = "\n".join(f"{word(rng)} = {_text(rng, max(1, words // 3))}" for _ in range(rng.randint(1, 3)))
    return Page(f"<pre><code>{lines}</code></pre>", f"```\n{lines}\n```")


def _inline(rng: random.Random, words: int) -> Page:
    """Text, perhaps with something bold, a link or code in its middle."""
    before = _text(rng, words)
    if words < 3 or rng.random() < 0.5:
        return Page(before, before)
    text, after = _text(rng, 3), _text(rng, words)
    marked = rng.choice((_bold, _link, _monospaced))(rng, text)
    return Page(f"{before} {marked.html} {after}", f"{before} {marked.markdown} {after}")


def _bold(rng: random.Random, text: str) -> Page:
    return Page(f"<b>{text}</b>", f"**{text}**")


def _link(rng: random.Random, text: str) -> Page:
    address = f"/{word(rng)}/{word(rng)}"
    return Page(f'<a href="{escape(address)}">{text}</a>', f"[{text}]({address})")


def _monospaced(rng: random.Random, text: str) -> Page:
    return Page(f"<code>{text}</code>", f"`{text}`")


_BLOCKS = {
    "h1": lambda rng, words: _heading(1, rng, words),
    "h2": lambda rng, words: _heading(2, rng, words),
    "h3": lambda rng, words: _heading(3, rng, words),
    "p": _paragraph,
    "ul": _list,
    "pre": _code,
}
_KINDS = ("p", "p", "p", "p", "h2", "h3", "ul", "pre")
