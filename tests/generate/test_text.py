"""Detokenizing and stop strings, with the real tokenizer and text of all kinds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from generate.text import Detokenizer, StopStrings

HALF = "\ufffd"

# Scripts and emoji whose characters take several tokens, between ordinary words.
texts = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            [
                "The pump ",
                "naïve ",
                "日本語",
                "👩‍👩‍👧‍👦",
                "🏳️‍🌈",
                "Ω≈ç√",
                "\n\n",
                "  ",
                "\t",
                "é",
                "e\u0301",
                "مرحبا",
                "𝔘",
            ]
        ),
    ),
    max_size=8,
).map("".join)


def pieces_of(tokenizer, tokens: Sequence[int]) -> list[str]:
    detokenizer = Detokenizer(tokenizer)
    return [*(detokenizer.push(token) for token in tokens), detokenizer.flush()]


def encode(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


def decode(tokenizer, tokens: Sequence[int]) -> str:
    return tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)


@given(text=texts)
@example("👩‍👩‍👧‍👦 over there")
@example(" leading space")
@example("don't , you ?")
def test_the_pieces_add_up_to_the_text(tokenizer, text):
    tokens = encode(tokenizer, text)
    assert "".join(pieces_of(tokenizer, tokens)) == decode(tokenizer, tokens)


@given(text=texts.filter(lambda text: HALF not in text))
def test_no_half_character_is_ever_shown(tokenizer, text):
    """Every piece is text as it will stand, at once: what was shown is a prefix of the whole."""
    tokens = encode(tokenizer, text)
    assume(decode(tokenizer, tokens) == text)  # the vocabulary lacks some bytes of rare characters
    shown = ""
    for piece in pieces_of(tokenizer, tokens):
        shown += piece
        assert HALF not in piece
        assert text.startswith(shown)


@given(tokens=st.lists(st.integers(0, 49151), max_size=30))
@settings(max_examples=200)
def test_any_tokens_at_all_add_up_to_their_decoding(tokenizer, tokens):
    """Halves of characters in any order, special tokens between them."""
    assert "".join(pieces_of(tokenizer, tokens)) == decode(tokenizer, tokens)


@pytest.mark.deep
@given(tokens=st.lists(st.integers(0, 255) | st.integers(0, 49151), max_size=60))
@settings(max_examples=20_000)
def test_any_tokens_at_length(tokenizer, tokens):
    assert "".join(pieces_of(tokenizer, tokens)) == decode(tokenizer, tokens)


def test_an_emoji_comes_out_whole_with_its_last_token(tokenizer):
    tokens = encode(tokenizer, "🦩")
    assert len(tokens) > 1
    assert pieces_of(tokenizer, tokens) == [*[""] * (len(tokens) - 1), "🦩", ""]


def test_a_cut_character_comes_out_at_the_end_only(tokenizer):
    tokens = encode(tokenizer, "ok 🦩")[:-1]
    pieces = pieces_of(tokenizer, tokens)
    assert HALF not in "".join(pieces[:-1])
    assert pieces[-1].endswith(HALF)


def test_special_tokens_show_nothing(tokenizer):
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert pieces_of(tokenizer, [end, *encode(tokenizer, "ok"), end]) == ["", "ok", "", ""]


@pytest.fixture(scope="module")
def sentencepiece():
    """A tokenizer in Llama's manner: words begin with a mark, the first space goes, bytes fall back."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    words = ["<s>", "▁the", "▁pump", "s", "▁", "a", "é"]
    tokens = [*words, *(f"<0x{byte:02X}>" for byte in range(256))]
    backend = Tokenizer(
        models.BPE({token: index for index, token in enumerate(tokens)}, [], byte_fallback=True)
    )
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>")


spelled = st.sampled_from("é日🦩").map(lambda character: [7 + byte for byte in character.encode()])
words = st.integers(0, 6).map(lambda token: [token])


@given(parts=st.lists(words | spelled, max_size=12))
@settings(max_examples=300)
@example(parts=[[1], [0], [0], [2], [3]])
def test_a_tokenizer_that_strips_the_first_space(sentencepiece, parts):
    tokens = [token for part in parts for token in part]
    pieces = pieces_of(sentencepiece, tokens)
    assert "".join(pieces) == decode(sentencepiece, tokens)
    assert HALF not in "".join(pieces)


def run_stops(stops: Sequence[str], pieces: Sequence[str]) -> tuple[list[str], bool]:
    stop_strings = StopStrings(stops)
    shown = [stop_strings.push(piece) for piece in pieces]
    return [*shown, stop_strings.flush()], stop_strings.stopped


def expected(stops: Sequence[str], text: str) -> tuple[str, bool]:
    """Read a character at a time: the first stop string to be complete cuts the text before it."""
    for end in range(1, len(text) + 1):
        sizes = [len(stop) for stop in stops if stop and text[:end].endswith(stop)]
        if sizes:
            return text[: end - max(sizes)], True
    return text, False


few = st.text("ab\n", max_size=5)


@given(stops=st.lists(few, max_size=3), pieces=st.lists(few, max_size=10))
@example(stops=["abab"], pieces=["aab", "a", "b"])
@example(stops=["aab", "a"], pieces=["aab"])
def test_a_stop_string_cuts_the_text_however_it_is_pieced(stops, pieces):
    shown, stopped = run_stops(stops, pieces)
    assert ("".join(shown), stopped) == expected(stops, "".join(pieces))


@given(stops=st.lists(few.filter(bool), min_size=1, max_size=3), pieces=st.lists(few, max_size=10))
def test_nothing_of_a_stop_string_leaks_and_nothing_else_waits(stops, pieces):
    """After each piece, what is held back is just the longest ending that may become a stop string."""
    stop_strings, shown = StopStrings(stops), ""
    for read in itertools.accumulate(pieces):
        shown += stop_strings.push(read[len(shown) + len(stop_strings._held) :])
        if stop_strings.stopped:
            break
        held = read[len(shown) :]
        endings = [read[at:] for at in range(len(read) + 1)]
        assert held == next(end for end in endings if any(stop.startswith(end) for stop in stops))


def test_a_stop_string_across_tokens(tokenizer):
    tokens = encode(tokenizer, "The port is 8501.\nQuestion: and then?\nQuestion: more")
    stop_strings, detokenizer = StopStrings(["\nQuestion:"]), Detokenizer(tokenizer)
    shown = []
    for token in tokens:
        shown.append(stop_strings.push(detokenizer.push(token)))
        if stop_strings.stopped:
            break
    assert "".join(shown) == "The port is 8501."
    assert stop_strings.flush() == ""
    assert stop_strings.push("more") == ""


def test_a_beginning_that_came_to_nothing_is_shown_at_the_end():
    stop_strings = StopStrings(["\nQuestion:"])
    assert stop_strings.push("Yes.\nQues") == "Yes."
    assert stop_strings.push("t") == ""
    assert stop_strings.flush() == "\nQuest"
    assert not stop_strings.stopped


def test_without_stop_strings_text_passes_at_once():
    assert run_stops([], ["a", "b"]) == (["a", "b", ""], False)
    assert run_stops([""], ["a", "b"]) == (["a", "b", ""], False)
