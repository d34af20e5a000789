"""What a reader model wrote, held against the page."""

from __future__ import annotations

import random

import lxml.html
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.convert.reader_lm.guards import Evidence, Limits, find_fault, loops, words

LIMITS = Limits(max_ratio=1.2, max_invented=0.1)
SENTENCES = [
    "The pump in hall seven runs from noon to six and is oiled on Mondays.",
    "Its valve was made of brass until the works burned down.",
    "Whoever opens it writes the hour and a name into the blue book.",
    "No visitor may stand behind the yellow line while the wheel turns.",
    "Steel parts come from another town by rail, twice in a good year.",
]
PAGE = Evidence(
    lxml.html.document_fromstring(
        f"<h1>Hall</h1><p>{'</p><p>'.join(SENTENCES)}</p>"
        "<a href='https://example.org/book?page=2'>More</a><img src=wheel.png alt='A wheel'>"
    )
)
GOOD = (
    "# Hall\n\n"
    + "\n\n".join(SENTENCES)
    + "\n\n[More](https://example.org/book?page=2)\n\n![A wheel](wheel.png)"
)


def test_an_honest_text_passes() -> None:
    assert find_fault(GOOD, PAGE, LIMITS) is None
    assert find_fault("\n\n".join(SENTENCES[:2]), PAGE, LIMITS) is None


@pytest.mark.parametrize(
    "unit",
    [
        "pump ",
        "the pump runs and ",
        SENTENCES[0] + "\n\n",
        "- [More](https://example.org/1)\n",
        "| a | b |\n",
    ],
)
def test_a_stretch_over_and_over_is_a_loop(unit: str) -> None:
    text = GOOD + "\n\n" + unit * 40
    assert loops(text, PAGE)
    assert loops(text[-800:], PAGE)
    assert find_fault(text, PAGE, LIMITS) == "it repeated itself"


@pytest.mark.parametrize("unit", ["|", "-", "| --- ", "\n", "ha", "*_", "哈"])
def test_signs_over_and_over_are_a_loop(unit: str) -> None:
    assert loops(GOOD + unit * (2000 // len(unit)), PAGE)


def test_what_the_page_repeats_may_be_repeated() -> None:
    table = lxml.html.document_fromstring("<table>" + "<tr><td>yes<td>no</tr>" * 50 + "</table>")
    text = "| --- | --- |\n" + "| yes | no |\n" * 50
    assert not loops(text, Evidence(table))
    assert find_fault(text, Evidence(table), LIMITS) is None
    assert loops(text, PAGE)


def test_the_same_links_text_may_come_again() -> None:
    page = lxml.html.document_fromstring("".join(f"<li><a href=/{n}>Read more</a>" for n in range(60)))
    assert not loops("".join(f"- [Read more](/{n})\n" for n in range(60)), Evidence(page))


def test_rules_of_tables_and_drawings_of_signs_are_no_loops() -> None:
    assert not loops(GOOD + "\n| " + "--- | " * 100, PAGE)
    drawing = lxml.html.document_fromstring(f"<pre>{'=' * 3000}</pre>")
    assert not loops(f"```\n{'=' * 3000}\n```", Evidence(drawing))


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_a_loop_is_found_wherever_it_begins(seed: int, period: int) -> None:
    rng = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(5000)]
    page = Evidence(lxml.html.document_fromstring(f"<p>{' '.join(rng.sample(vocabulary, 300))}</p>"))
    before, unit = rng.sample(vocabulary, rng.randrange(50)), rng.sample(vocabulary, period)
    text = " ".join([*before, *unit * (30 // period + 6)])
    assert loops(text, page)
    assert not loops(" ".join([*before, *unit]), page)


def test_inventions_are_words_that_the_page_does_not_have() -> None:
    invented = GOOD.replace("pump", "engine").replace("valve", "gasket").replace("brass", "tin")
    assert find_fault(invented, PAGE, LIMITS) is None
    more = invented + " In nineteen hundred its inventor was given a golden medal by somebody."
    assert str(find_fault(more, PAGE, LIMITS)).endswith("% of its words are not on the page")
    assert find_fault(more, PAGE, Limits(max_ratio=1.2, max_invented=0.3)) is None


def test_markup_and_addresses_are_no_inventions() -> None:
    page = lxml.html.document_fromstring(
        "<p>Run <code>pip_install</code>.<pre><code class='language-python'>a = b</code></pre>"
        "<a href='/x/y_z'>go</a><img alt=Dog src=d.png>"
    )
    text = "Run `pip_install`.\n\n```python\na = b\n```\n\n[go](/x/y_z) ![Dog](d.png) **\\*\\_**"
    assert find_fault(text, Evidence(page), Limits(1.2, 0.0)) is None


def test_what_did_not_end_is_refused_unless_it_looped() -> None:
    assert find_fault(GOOD, PAGE, LIMITS, finished=False) == "it did not come to an end"
    assert find_fault(GOOD + "and so " * 40, PAGE, LIMITS, finished=False) == "it repeated itself"


def test_a_text_longer_than_its_page_is_refused() -> None:
    rng = random.Random(0)
    vocabulary = words(" ".join(SENTENCES))
    babble = " ".join(rng.choice(vocabulary) for _ in range(400))
    assert "letters for the page's" in str(find_fault(babble, PAGE, LIMITS))


def test_a_text_that_leaves_the_page_out_is_refused() -> None:
    long = Evidence(lxml.html.document_fromstring(f"<p>{' '.join(SENTENCES * 20)}</p>"))
    assert find_fault("", long, LIMITS) == f"it kept 0 of the page's {long.spoken:,} words"
    assert "it kept 2 of" in str(find_fault("The pump", long, LIMITS))
    assert find_fault("", Evidence(lxml.html.document_fromstring("<nav>Home Contact</nav>")), LIMITS) is None


def test_ideographs_are_words_of_their_own() -> None:
    assert words("本日は晴れ, pump_7 Ü") == ["本", "日", "は", "晴", "れ", "pump", "7", "ü"]


@given(st.text(max_size=3000))
def test_no_text_is_too_odd(text: str) -> None:
    find_fault(text, PAGE, LIMITS)
