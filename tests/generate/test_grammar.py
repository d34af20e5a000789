"""Masks, states and trees of constrained decoding, with the real tokenizer and with small ones."""

from __future__ import annotations

import json
import random
import re
import threading

import jsonschema
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generate.grammar import GrammarCompiler, GrammarError, GrammarState, mask_logits
from tests.generate.grammars import (
    EOS,
    PADDED,
    REGEXES,
    SCHEMAS,
    allowed,
    byte_fallback,
    byte_level,
    decode,
    encode,
    obj,
    sample,
    text,
    walk,
)


@pytest.fixture(scope="session")
def compiler(tokenizer) -> GrammarCompiler:
    return GrammarCompiler(tokenizer, PADDED, {EOS})


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(SCHEMAS)), seed=st.integers(0, 2**32))
def test_whatever_is_sampled_is_valid(compiler, tokenizer, name, seed):
    text = sample(compiler.json_schema(SCHEMAS[name]), tokenizer, seed)
    jsonschema.validate(json.loads(text), SCHEMAS[name], jsonschema.Draft202012Validator)


@pytest.mark.deep
@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_whatever_is_sampled_is_valid_many_times(compiler, tokenizer, name):
    grammar = compiler.json_schema(SCHEMAS[name])
    for seed in range(80):
        text = sample(grammar, tokenizer, seed, budget=seed % 80)
        jsonschema.validate(json.loads(text), SCHEMAS[name], jsonschema.Draft202012Validator)


@settings(max_examples=40, deadline=None)
@given(pattern=st.sampled_from(REGEXES), seed=st.integers(0, 2**32))
def test_whatever_is_sampled_matches_the_regex(compiler, tokenizer, pattern, seed):
    text = sample(compiler.regex(pattern), tokenizer, seed, budget=seed % 30)
    assert re.fullmatch(pattern, text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nested", {"title": "A “title” \\ ☂", "tags": ["x", "ÿ"], "author": {"last": "O'Neil"}}),
        ("numbers", {"a": -5, "b": 2.75, "c": 95, "d": 0.001}),
        ("tree", {"v": 1, "kids": [{"v": 2, "kids": []}, {"v": 3}]}),
        ("unicode", {"größe 🙂": "中文 é", 'a"b\\c\n': "\u0001"}),
        ("optional", {"a": None, "c": None}),
        ("oneOf", {"kind": "b", "s": ""}),
    ],
)
def test_valid_values_can_be_written(compiler, tokenizer, name, value):
    tokens = encode(tokenizer, json.dumps(value, ensure_ascii=False))
    end = walk(compiler.json_schema(SCHEMAS[name]).start(), tokens)
    assert end.finished
    assert end.forced() == [EOS]


def check_consistent(state: GrammarState, rng: random.Random, vocab_size: int, eos: set[int]) -> None:
    """Mask, advance, accepting, finished and forced all say the same."""
    mask = state.mask()
    choices = mask.nonzero().flatten().tolist()
    assert choices
    for token in {*rng.sample(choices, min(len(choices), 20)), *rng.sample(range(vocab_size), 50)}:
        assert (state.advance(token) is not None) == bool(mask[token])
    assert state.accepting == (eos <= set(choices)) == bool(eos & set(choices))
    assert state.finished == (set(choices) == eos)
    for token in state.forced():
        assert allowed(state) == [token]
        state = state.advance(token)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_a_state_never_contradicts_itself(compiler, tokenizer, data, seed):
    names = data.draw(st.sampled_from([*sorted(SCHEMAS), *REGEXES]))
    grammar = compiler.json_schema(SCHEMAS[names]) if names in SCHEMAS else compiler.regex(names)
    rng, state = random.Random(seed), grammar.start()
    for _ in range(12):
        check_consistent(state, rng, PADDED, {EOS})
        state = state.advance(rng.choice(allowed(state)))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_branches_do_not_disturb_each_other(compiler, data, seed):
    """Any tree, asked in any order, says what a fresh walk to each of its nodes says."""
    name = data.draw(st.sampled_from(["nested", "enum", "numbers", "tree", "unicode", "optional"]))
    grammar, rng = compiler.json_schema(SCHEMAS[name]), random.Random(seed)
    nodes: list[tuple[GrammarState, list[int]]] = [(grammar.start(), [])]
    for _ in range(30):
        state, tokens = rng.choice(nodes[-8:] if rng.random() < 0.7 else nodes)
        match rng.randrange(4):
            case 0 | 1:
                token = rng.choice(allowed(state))
                nodes.append((state.advance(token), [*tokens, token]))
            case 2:
                state.advance(rng.randrange(PADDED))
            case 3:
                state.forced()
    rng.shuffle(nodes)
    for state, tokens in nodes:
        fresh = walk(grammar.start(), tokens)
        assert state.mask().equal(fresh.mask())
        assert state.forced() == fresh.forced()
        assert (state.accepting, state.finished) == (fresh.accepting, fresh.finished)


def test_a_state_far_back_can_still_be_asked(compiler, tokenizer):
    start = compiler.json_schema({"type": "array", "items": text()}).start()
    tokens = encode(tokenizer, json.dumps([f"entry number {i}" for i in range(300)])[:-1])
    end = walk(start, tokens)
    wanted = end.mask()
    assert allowed(start) != allowed(end)
    assert start.advance(tokens[0]).depth == 1
    assert end.mask().equal(wanted)
    assert end.depth == len(tokens)


def test_forced_text_comes_in_the_tokenizers_own_tokens(compiler, tokenizer):
    start = compiler.json_schema(obj(answer=text(maxLength=9), score={"const": 5})).start()
    assert decode(tokenizer, start.forced()) == '{"answer":'
    inside = walk(start, encode(tokenizer, '{"answer": "yes"'))
    assert decode(tokenizer, inside.forced()[:-1]) == ', "score": 5}'
    assert inside.forced()[-1] == EOS
    assert start.advance(tokenizer.convert_tokens_to_ids("{")) is None  # '{"' is one token


def test_special_and_padding_tokens_are_never_text(compiler, tokenizer):
    state = compiler.regex(r".{1,60}").start()
    choices = set(allowed(state))
    assert not choices & {*tokenizer.all_special_ids, *range(len(tokenizer), PADDED)}
    for token in (-1, 1, len(tokenizer), PADDED, 2**40):
        assert state.advance(token) is None
    walk(state, encode(tokenizer, "<|im_end|>"))  # the same letters, as text
    assert len(choices) > 40_000


def test_after_the_end_comes_only_the_end(compiler, tokenizer):
    state = walk(compiler.regex("ab?").start(), encode(tokenizer, "a"))
    assert state.accepting
    assert not state.finished
    end = state.advance(EOS)
    assert end.accepting
    assert end.finished
    assert allowed(end) == allowed(end.advance(EOS)) == [EOS]
    assert end.forced() == []
    assert end.advance(encode(tokenizer, "b")[0]) is None
    walk(state, encode(tokenizer, "b"))


def test_every_end_token_ends(tokenizer):
    compiler = GrammarCompiler(tokenizer, PADDED, {0, EOS})
    start = compiler.regex("yes").start()
    assert not {0, EOS} & set(allowed(start))
    end = walk(start, encode(tokenizer, "yes"))
    assert allowed(end) == allowed(end.advance(0)) == allowed(end.advance(EOS)) == [0, EOS]
    assert end.forced() == []  # there are two ways on
    assert walk(start, [*start.forced(), 0]).finished


def test_an_ordinary_token_that_ends_is_no_text(tokenizer):
    b = encode(tokenizer, "b")[0]
    compiler = GrammarCompiler(tokenizer, PADDED, {b})
    state = walk(compiler.regex("ab?c?").start(), encode(tokenizer, "a"))
    assert state.advance(b).finished
    assert walk(compiler.regex("[ab]{2}c").start(), encode(tokenizer, "a")).advance(b) is None


def test_characters_may_be_split_over_tokens():
    tokenizer = byte_level()
    eos = tokenizer.convert_tokens_to_ids("<eos>")
    byte = {value: encode(tokenizer, character)[0] for character, value in (("a", 0x61), ("b", 0x62))}
    compiler = GrammarCompiler(tokenizer, 300, {eos})
    spelled = encode(tokenizer, "é🙂")
    assert len(spelled) == 6
    start = compiler.regex("(é|[日-本]|🙂|a)+").start()
    assert byte[0x61] in allowed(start)
    assert byte[0x62] not in allowed(start)
    half = walk(start, spelled[:1])
    assert allowed(half) == spelled[1:2]
    assert not half.accepting
    state = walk(half, spelled[1:])
    assert state.accepting
    rng = random.Random(0)
    for tokens in (spelled[:3], spelled[:4], spelled):
        check_consistent(walk(start, tokens), rng, 300, {eos})


@pytest.mark.parametrize("make", [byte_level, byte_fallback])
def test_small_vocabularies(make):
    tokenizer = make()
    eos = tokenizer.convert_tokens_to_ids("</s>" if make is byte_fallback else "<eos>")
    compiler = GrammarCompiler(tokenizer, 290, {eos})
    grammar = compiler.json_schema({"enum": [["a b", "é"], ["a a"]]})
    for value in (["a b", "é"], ["a a"]):
        spelled = json.dumps(value, ensure_ascii=False)
        end = walk(grammar.start(), encode(tokenizer, spelled))
        assert end.forced() == [eos]
        assert decode(tokenizer, encode(tokenizer, spelled)) == spelled
    state, rng = grammar.start(), random.Random(1)
    while not state.ended:
        check_consistent(state, rng, 290, {eos})
        state = state.advance(rng.choice(allowed(state)))


def test_added_tokens_are_text_unless_special():
    tokenizer = byte_level(tokens="ab", special="<eos> <sep>", plain="tool_call")
    eos, sep, tool = tokenizer.convert_tokens_to_ids(["<eos>", "<sep>", "tool_call"])
    choices = allowed(GrammarCompiler(tokenizer, 300, {eos}).regex(r"(<sep>|tool_[a-z]+).*").start())
    assert tool in choices
    assert sep not in choices


def bits(mask: torch.Tensor) -> torch.Tensor:
    return (mask[:, :, None] >> torch.arange(32) & 1).bool().flatten(1)


@settings(max_examples=20, deadline=None)
@given(vocab=st.integers(262, 300), seed=st.integers(0, 2**32))
def test_logits_are_masked_exactly(vocab, seed):
    tokenizer = byte_level()
    compiler = GrammarCompiler(tokenizer, vocab, {256})
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, vocab, generator=generator)
    logits[0, 5] = -torch.inf
    before, bitmask = logits.clone(), compiler.bitmask(3)
    states = [compiler.regex("[a-f]+").start(), walk(compiler.regex("abc").start(), encode(tokenizer, "ab"))]
    for row, state in enumerate(states, start=1):
        state.fill(bitmask[row])
        assert bits(bitmask)[row, :vocab].equal(state.mask())
    mask_logits(logits, bitmask)
    assert logits.equal(before.masked_fill(~bits(bitmask)[:, :vocab], -torch.inf))
    assert logits[0].equal(before[0])  # a row without a grammar


def test_grammars_are_remembered(compiler):
    schema = obj(a=text())
    assert compiler.json_schema(schema) is compiler.json_schema(json.dumps(schema, indent=2))
    assert compiler.regex("ab+") is compiler.regex("ab+")
    assert compiler.regex("ab+") is not compiler.regex("ab*")


def test_threads_share_grammars(compiler, tokenizer):
    grammar, wrong = compiler.json_schema(SCHEMAS["nested"]), []
    wanted = [sample(grammar, tokenizer, seed) for seed in range(4)]

    def work(seed: int) -> None:
        compiler.regex(f"own{seed}+")
        if sample(compiler.json_schema(SCHEMAS["nested"]), tokenizer, seed) != wanted[seed]:
            wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_grammar_that_grows_too_complex_fails_alone(compiler, tokenizer):
    """Any vowel may be the last one: there are as many lexer states as subsets of the last 30 places."""
    grammar = compiler.regex(".*[aeiou].{30}")
    other, state = grammar.start(), grammar.start()

    def draw() -> None:
        rng, here = random.Random(0), state
        for _ in range(1000):
            here = here.advance(rng.choice(allowed(here)))

    with pytest.raises(
        GrammarError, match=r"^after \d+ tokens, the grammar is too complex to follow \(too many"
    ):
        draw()
    with pytest.raises(GrammarError, match="too complex to follow"):
        state.mask()
    assert other.mask().any()
    assert grammar.start().mask().any()
