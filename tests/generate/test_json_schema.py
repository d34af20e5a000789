"""What constrained decoding refuses, and how it says so."""

from __future__ import annotations

import json

import jsonschema
import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from configs.errors import ModelError
from generate.grammar import GrammarCompiler, GrammarError
from tests.generate.grammars import EOS, PADDED, obj, sample, text


@pytest.fixture(scope="session")
def compiler(tokenizer) -> GrammarCompiler:
    return GrammarCompiler(tokenizer, PADDED, {EOS})


NODE = {"$defs": {"n": obj(n={"$ref": "#/$defs/n"})}}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("{,", "the schema is not JSON: .*line 1 column 2"),
        ("[1]", r"must be a JSON object, not \[1\]"),
        ("true", "must be a JSON object"),
        ({"const": float("nan")}, "not JSON"),
        ({"const": {1, 2}}, "not JSON"),
        ({"const": 10**30}, "at #: .*10{30}"),
        ({"enum": ["x" * 70_000]}, "70,... characters; 65,536 are allowed"),
        ('{"items":' * 70 + "{}" + "}" * 70, "deeper than 64 levels"),
        ('{"items":' * 9000 + "{}" + "}" * 9000, "deeper than 64 levels|65,536"),
        ({"type": "strin"}, "at #: Invalid type: strin"),
        (obj(a=obj(b={"type": "array", "items": {"type": "string", "uniqueItems": True}})), "uniqueItems"),
        (obj(**{"a/b": {"anyOf": [text(), text(pattern="([x")]}}), r"#/properties/a~1b/anyOf/1: unclosed"),
        ({"$defs": {"x": {"not": {}}}, "items": {"$ref": "#/$defs/x"}}, r'at #/\$defs/x: .*\["not"\]'),
        (text(pattern="(?=a)b"), "look-ahead.*character 1"),
        (text(format="made-up"), "Unknown format: made-up"),
        ({"oneOf": [{"minimum": 0}, {"maximum": 9}]}, "use anyOf"),
        ({"$ref": "#/nowhere"}, "/nowhere"),
        ({"$ref": "https://example.com/schema"}, "example.com"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, "Unsatisfiable.*minimum"),
        (text(pattern="^a$", minLength=5), "Unsatisfiable"),
        (obj(a={"enum": []}), "required property 'a' is unsatisfiable"),
        ({"type": "object", "minProperties": 2}, "minProperties 2 cannot be guaranteed"),
        (obj(a={"multipleOf": 999_983}), "at #/properties/a: multipleOf 999983"),
        ({"allOf": [{"multipleOf": 997}, {"multipleOf": 991}]}, "at #/allOf/1: .* cycle of 988,027"),
        ({"$ref": "#/$defs/n", **NODE}, r"at #/\$defs/n: .*requires itself without end"),
        ({"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}], **NODE}, "without end"),
        ({"$defs": {"n": {"allOf": [{"$ref": "#/$defs/n"}]}}, "$ref": "#/$defs/n"}, "no text can match"),
        (
            obj(k={"$ref": "#/definitions/n"})
            | {"definitions": {"n": {"type": "array", "items": {"$ref": "#/definitions/n"}, "minItems": 1}}},
            "at #/definitions/n: .*without end",
        ),
        ({"allOf": [{"anyOf": [obj(**{f"a{i}": {}}), obj(b={})]} for i in range(12)]}, "at #: "),
    ],
)
def test_schemas_that_are_refused(compiler, schema, said):
    with pytest.raises(GrammarError, match=said) as caught:
        compiler.json_schema(schema)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"n": {"anyOf": [{"type": "null"}, obj(n={"$ref": "#/$defs/n"})]}}, "$ref": "#/$defs/n"},
        {"type": "array", "items": {"$ref": "#"}, "maxItems": 2},
        {
            "$defs": {"a": obj("", b={"$ref": "#/$defs/b"}), "b": obj(a={"$ref": "#/$defs/a"})},
            "$ref": "#/$defs/a",
        },
        obj(a={"enum": [0.01, 0.015], "multipleOf": 0.01}, b={"multipleOf": 12, "maximum": 24, "minimum": 0}),
        {"type": "object", "minProperties": 1, "properties": {"a": {}}, "required": ["a"]},
    ],
)
def test_schemas_that_can_end_are_not_refused(compiler, tokenizer, schema):
    text = sample(compiler.json_schema(schema), tokenizer, seed=1, budget=0)
    jsonschema.validate(json.loads(text), schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(a", r"'\(a': unclosed group \(at character 1\)"),
        ("ab\\", "lone backslash"),
        ("", "only the empty text"),
        ("a{0}", "only the empty text"),
        (r"[^\s\S]", "no text can match"),
        ("a(?=b)", "look-around.*at character 2"),
        (r"(a)\1", "backreferences"),
        (r"\bword", "'.*word': lookarounds not supported"),
        ("(.{1,50} ){1,1000}", r"too complex to follow \(too many expressions"),
        ("a{3,1}", "repetition"),
        ("(" * 500 + "a" + ")" * 500, "nested"),
        ("a" * 70_000, "70,000 characters; 65,536 are allowed"),
    ],
)
def test_regexes_that_are_refused(compiler, pattern, said):
    with pytest.raises(GrammarError, match=said) as caught:
        compiler.regex(pattern)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("vocab_size", "eos", "said"),
    [
        (PADDED, [], "no end-of-sequence token"),
        (PADDED, [PADDED], "outside"),
        (100, [2], "vocab size too small"),
    ],
)
def test_models_that_cannot_be_constrained(tokenizer, vocab_size, eos, said):
    with pytest.raises(ModelError, match=said):
        GrammarCompiler(tokenizer, vocab_size, eos).regex("a")


def test_a_tokenizer_of_words_is_refused():
    inner = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    with pytest.raises(ModelError, match="grammars cannot be used with this tokenizer"):
        GrammarCompiler(PreTrainedTokenizerFast(tokenizer_object=inner), 8, [1]).regex("a")
