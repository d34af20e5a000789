"""Provenance: what is claimed to be quoted stands in the passage and in the answer, to the letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generate.prompt import PassageTokens
from generate.provenance import Evidence, Quote, Tracer
from generate.text import Detokenizer

MIN_WORDS = 4
WORDS = [
    "pump",
    "valve",
    "opens",
    "slowly",
    "at",
    "noon",
    "the",
    "naïve",
    "8501",
    "日本語",
    "🦩",
    "`a_b`",
    "don't",
    "Ω",
]
NOISE = ["Quark", "zzyzx", "blorb", "flumph", "wibble", "snark", "grault"]
GAPS = st.sampled_from([" ", " ", " ", "\n", ", ", ". ", "  ", "\n\n- ", " | ", "-"])


@st.composite
def prose(draw: st.DrawFn, words: Sequence[str] = WORDS, size: int = 25) -> str:
    chosen = draw(st.lists(st.sampled_from(words), min_size=1, max_size=size))
    return "".join(word + draw(GAPS) for word in chosen)


@st.composite
def copies(draw: st.DrawFn) -> tuple[list[str], str]:
    """Passages, and an answer that is copied from anywhere in them, with noise between."""
    passages = draw(st.lists(prose(), min_size=1, max_size=4))
    answer = ""
    for _ in range(draw(st.integers(0, 5))):
        source = draw(st.sampled_from(passages))
        start = draw(st.integers(0, len(source)))
        answer += source[start : draw(st.integers(start, len(source)))]
        answer += draw(st.sampled_from(["", " ", ". "]) | prose(NOISE, 3) | prose(size=3))
    return passages, answer


def evidence_of(tokenizer: Any, passages: Sequence[str]) -> Evidence:
    parts = []
    for passage in passages:
        encoded = tokenizer(
            passage, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        parts.append(PassageTokens(encoded["input_ids"], encoded["offset_mapping"]))
    return Evidence(passages, parts)


def trace(tokenizer: Any, passages: Sequence[str], answer: str, min_words: int = MIN_WORDS) -> Tracer:
    tracer, detokenizer = Tracer(evidence_of(tokenizer, passages), min_words), Detokenizer(tokenizer)
    for token in tokenizer(answer, add_special_tokens=False, split_special_tokens=True)["input_ids"]:
        tracer.push(token, detokenizer.push(token))
    tracer.text += detokenizer.flush()
    return tracer


def check(tracer: Tracer, passages: Sequence[str], begin: int, end: int) -> list[Quote]:
    quotes = tracer.quotes(begin, end)
    taken: set[int] = set()
    for quote in quotes:
        source, span = passages[quote.passage], range(quote.at, quote.at + quote.length)
        words = source[quote.start : quote.end]
        assert tracer.text[quote.at : quote.at + quote.length] == words
        assert 0 <= quote.start < quote.end <= len(source)
        assert begin <= quote.at <= quote.at + quote.length <= end
        assert words == words.strip()
        assert len(re.findall(r"\w+", words)) >= MIN_WORDS
        for edge in (quote.start, quote.end):
            assert not re.fullmatch(r"\w\w", source[max(0, edge - 1) : edge + 1]), "whole words only"
        assert taken.isdisjoint(span), "no two quotes of the same words"
        taken.update(span)
    assert [quote.length for quote in quotes] == sorted((quote.length for quote in quotes), reverse=True)
    return quotes


@given(case=copies(), cut=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_every_quote_stands_in_its_passage_and_in_the_answer(tokenizer, case, cut):
    passages, answer = case
    tracer = trace(tokenizer, passages, answer)
    check(tracer, passages, 0, len(tracer.text))
    begin, end = sorted(int(share * len(tracer.text)) for share in cut)
    check(tracer, passages, begin, end)


@pytest.mark.deep
@given(case=copies())
@settings(max_examples=5000)
def test_every_quote_at_length(tokenizer, case):
    passages, answer = case
    tracer = trace(tokenizer, passages, answer)
    check(tracer, passages, 0, len(tracer.text))


@given(passages=st.lists(prose(), min_size=1, max_size=4), data=st.data())
def test_a_copied_run_between_noise_is_found(tokenizer, passages, data):
    passages = [*passages, "The brass valve opens slowly at noon, when the pump has been running."]
    words = list(re.finditer(r"\S+", passages[-1]))
    first = data.draw(st.integers(0, len(words) - 6))
    last = data.draw(st.integers(first + 5, len(words) - 1))
    copied = passages[-1][words[first].start() : words[last].end()]
    before = data.draw(prose(NOISE, 4))
    tracer = trace(tokenizer, passages, f"{before} {copied} {data.draw(prose(NOISE, 4))}")
    at = tracer.text.index(copied)
    wanted = range(at, at + len(copied.rstrip(",.")))
    quotes = check(tracer, passages, 0, len(tracer.text))
    assert any(quote.at <= wanted[0] and wanted[-1] < quote.at + quote.length for quote in quotes)


@given(passages=st.lists(prose(), max_size=4), answer=prose(NOISE))
def test_where_nothing_is_shared_nothing_is_claimed(tokenizer, passages, answer):
    tracer = trace(tokenizer, passages, answer)
    assert tracer.quotes(0, len(tracer.text)) == []


SENTENCE = "The brass valve opens slowly at noon."


@pytest.mark.parametrize(("preferred", "passage"), [((), 0), ((1,), 1), ((0, 1), 0), ((7,), 0)])
def test_of_equal_sources_the_preferred_then_the_first_is_named(tokenizer, preferred, passage):
    tracer = trace(tokenizer, [f"Note. {SENTENCE}", f"{SENTENCE} More."], SENTENCE)
    (quote,) = tracer.quotes(0, len(tracer.text), frozenset(preferred))
    assert quote.passage == passage


def test_a_run_that_began_in_the_sentence_before_does_not_hide_the_preferred_source(tokenizer):
    passages = [SENTENCE, f"The pump has been running. {SENTENCE}"]
    tracer = trace(tokenizer, passages, passages[1])
    (quote,) = tracer.quotes(len(passages[1]) - len(SENTENCE) - 1, len(passages[1]), frozenset({0}))
    assert (quote.passage, quote.start, quote.end) == (0, 0, len(SENTENCE))


def test_overlapping_passages_give_one_quote_of_the_longest_run(tokenizer):
    passages = [
        "Open the brass valve slowly at noon",
        "the brass valve slowly at noon and close the pump then",
    ]
    tracer = trace(tokenizer, passages, "Now: the brass valve slowly at noon and close the pump, all right")
    quotes = check(tracer, passages, 0, len(tracer.text))
    assert [passages[quote.passage][quote.start : quote.end] for quote in quotes] == [
        "the brass valve slowly at noon and close the pump"
    ]


def test_no_quote_runs_from_one_passage_into_the_next(tokenizer):
    passages = ["the brass valve opens", " slowly at noon today"]
    tracer = trace(tokenizer, passages, "".join(passages))
    quotes = check(tracer, passages, 0, len(tracer.text))
    assert {(quote.passage, quote.start) for quote in quotes} == {(0, 0), (1, 1)}


def test_a_repeated_sentence_is_quoted_each_time(tokenizer):
    tracer = trace(tokenizer, [SENTENCE], f"{SENTENCE} Then wibble. {SENTENCE}")
    quotes = check(tracer, [SENTENCE], 0, len(tracer.text))
    assert sorted(quote.at for quote in quotes) == [0, len(f"{SENTENCE} Then wibble. ")]


@pytest.mark.parametrize("answer", ["the valve opens", "and of the to it is a", "at noon it is"])
def test_what_says_too_little_is_no_quote(tokenizer, answer):
    source = "the valve opens at noon it is said and of the to it is a thing"
    assert trace(tokenizer, [source], answer).quotes(0, len(answer)) == []


def test_offsets_count_characters_not_bytes_or_tokens(tokenizer):
    source = "🦩🦩 日本語 é: die grüne Lampe leuchtet 日本語 🦩 sehr hell."
    tracer = trace(tokenizer, [source], "Ja, die grüne Lampe leuchtet 日本語 🦩 sehr hell.")
    (quote,) = check(tracer, [source], 0, len(tracer.text))
    assert source[quote.start : quote.end] == "die grüne Lampe leuchtet 日本語 🦩 sehr hell."
