"""Schemas, regular expressions and small tokenizers for the tests of constrained decoding."""

from __future__ import annotations

import random

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from generate.grammar import Grammar, GrammarState

EOS = 2
"""SmolLM2's."""

PADDED = 49_160
"""A vocabulary eight ids wider than SmolLM2's tokenizer, and no multiple of 32."""


def obj(required: str | None = None, **properties: object) -> dict[str, object]:
    names = list(properties) if required is None else required.split()
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def text(**more: object) -> dict[str, object]:
    return {"type": "string", **more}


SCHEMAS: dict[str, dict[str, object]] = {
    "nested": obj(
        "title author",
        title=text(maxLength=30),
        tags={"type": "array", "items": text(maxLength=10), "minItems": 1, "maxItems": 4},
        author=obj("last", first=text(maxLength=12), last=text(maxLength=12)),
    ),
    "enum": {"enum": ["red", "read", "ready", 1, 2.5, None, True, {"a": [1, 2]}]},
    "numbers": obj(
        a={"type": "integer", "minimum": -5, "exclusiveMaximum": 17},
        b={"type": "number", "minimum": 0.5, "maximum": 2.75},
        c={"type": "integer", "multipleOf": 5, "minimum": 0, "maximum": 100},
        d={"type": "number", "exclusiveMinimum": 0},
    ),
    "strings": obj(
        code=text(pattern="^[A-Z]{3}-[0-9]{2,4}$"),
        inside=text(pattern="[a-c]+", maxLength=6),
        short=text(minLength=3, maxLength=6),
        day=text(format="date"),
        id=text(format="uuid"),
    ),
    "any string": text(),
    "tree": {
        "$defs": {
            "node": obj(
                "v",
                v={"type": "integer", "minimum": 0, "maximum": 9},
                kids={"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2},
            )
        },
        "$ref": "#/$defs/node",
    },
    "anyOf": {
        "anyOf": [
            text(maxLength=5),
            {"type": "integer"},
            {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
            {"const": {"k": "v"}},
        ]
    },
    "unicode": obj(
        **{"größe 🙂": {"const": "中文 é"}, 'a"b\\c\n': {"enum": ["ü", "\u0001", 'a"\\', "\n\t"]}}
    ),
    "anything": {},
    "optional": obj("", a={"type": "null"}, b={"type": "boolean"}, c={"type": "null"}),
    "more properties": {
        "type": "object",
        "properties": {"x": {"type": "integer", "maximum": 9}},
        "additionalProperties": {"type": "boolean"},
        "required": ["x", "elsewhere"],
    },
    "pattern properties": {
        "type": "object",
        "patternProperties": {"^a[0-9]$": {"type": "integer"}},
        "additionalProperties": False,
        "maxProperties": 2,
    },
    "allOf": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": text(maxLength=4)}, "required": ["b"]},
        ]
    },
    "tuple": {
        "type": "array",
        "prefixItems": [{"type": "integer"}, text(maxLength=3)],
        "items": False,
        "minItems": 2,
    },
    "types": {"type": ["string", "null", "integer"], "maxLength": 2, "minimum": 3},
    "oneOf": {"oneOf": [obj(kind={"const": "a"}, n={"type": "integer"}), obj(kind={"const": "b"}, s=text())]},
}

REGEXES = [
    r"[a-z]{1,9}( [a-z]{1,9}){2,5}\.",
    r"([0-9]{4})-(0[1-9]|1[0-2])",
    r"^ab*c?$",
    r"é{1,3}(日本|語)+|🙂{2}",
    r"(?i)yes|no|maybe not",
    r"[^a-z\s]{3,8}",
    r".{1,40}\n",
    r"a/b\"c\\d",
    r"(a|aa)*b?",
]

CLOSERS = ['"', "}", "]", ",", "1", "0", "a", "A", "-", "."]


def byte_level(tokens: str = "", special: str = "<eos>", plain: str = "") -> PreTrainedTokenizerFast:
    """All 256 bytes, then multi-letter tokens (with their merges), then special and plain added tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = tokens.split()
    merges = [(word[:-1], word[-1]) for word in words]
    vocabulary = {token: index for index, token in enumerate([*alphabet, *words])}
    inner = Tokenizer(models.BPE(vocabulary, merges))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken(token, special=True) for token in special.split()])
    inner.add_tokens([AddedToken(token, special=False) for token in plain.split()])
    return PreTrainedTokenizerFast(tokenizer_object=inner)


def byte_fallback() -> PreTrainedTokenizerFast:
    """A vocabulary in the style of SentencePiece: a mark for spaces, bytes spelled <0x00> to <0xFF>."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "▁a", "b", '"']
    inner = Tokenizer(
        models.BPE({t: i for i, t in enumerate(tokens)}, [("▁", "a")], unk_token="<unk>", byte_fallback=True)
    )
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    inner.add_special_tokens([AddedToken(token, special=True) for token in tokens[:3]])
    return PreTrainedTokenizerFast(tokenizer_object=inner)


def allowed(state: GrammarState) -> list[int]:
    return state.mask().nonzero().flatten().tolist()


def walk(state: GrammarState, tokens: list[int]) -> GrammarState:
    for token in tokens:
        after = state.advance(token)
        assert after is not None, f"{token} is refused"
        state = after
    return state


def encode(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


def decode(tokenizer, tokens: list[int]) -> str:
    return tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def sample(grammar: Grammar, tokenizer, seed: int, budget: int = 25) -> str:
    """A text of uniformly drawn tokens; past the budget, whatever closes it comes first."""
    rng = random.Random(seed)
    closers = [tokenizer.convert_tokens_to_ids(token) for token in CLOSERS]
    state, tokens = grammar.start(), []
    for step in range(budget + 300):
        choices = set(allowed(state))
        token = rng.choice(sorted(choices))
        if step >= budget:
            token = next((closer for closer in [EOS, *closers] if closer in choices), token)
        after = state.advance(token)
        assert after is not None
        if token == EOS:
            return decode(tokenizer, tokens)
        state = after
        tokens.append(token)
    raise AssertionError(f"never ends: {decode(tokenizer, tokens)[-200:]}")
