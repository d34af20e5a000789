"""JSON, notebooks and source code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from configs.errors import InputError
from tests.ingest.formats.files import convert, notebook

LONG = "A sentence about pumps. " * 12


def record(value: Any) -> tuple[str, dict[str, Any]]:
    converted = convert(json.dumps(value).encode(), ".json")
    assert set(converted.origins) == set(converted.metadata)
    return converted.body, dict(converted.metadata)


def test_a_records_long_text_is_the_body_and_its_fields_are_metadata() -> None:
    body, metadata = record(
        {
            "id": 7,
            "title": "Pump X",
            "text": LONG,
            "year": 2020,
            "tags": ["a", "b"],
            "author": {"name": "Ada"},
        }
    )
    assert body == f"# Pump X\n\n{LONG.strip()}\n"
    assert metadata == {"id": 7, "title": "Pump X", "year": 2020, "tags": ["a", "b"], "author.name": "Ada"}


def test_what_is_called_text_is_the_body_however_short_it_is() -> None:
    assert record({"id": "a", "text": "The pump runs."}) == ("The pump runs.\n", {"id": "a"})
    assert record({"Content": "The pump runs.", "year": 2020}) == ("The pump runs.\n", {"year": 2020})
    body, metadata = record({"text": "The pump runs.", "answer": LONG, "kind": "note"})
    assert body == f"## text\n\nThe pump runs.\n\n## answer\n\n{LONG.strip()}\n"
    assert metadata == {"kind": "note"}
    assert record({"content": "application/json", "n": 1})[1] == {"content": "application/json", "n": 1}


def test_several_long_texts_have_a_section_each() -> None:
    body, metadata = record({"question": LONG, "answer": LONG, "ok": True})
    assert body == f"## question\n\n{LONG.strip()}\n\n## answer\n\n{LONG.strip()}\n"
    assert metadata == {"ok": True}


def test_a_record_without_long_texts_is_written_out() -> None:
    body, _ = record(
        {
            "name": "Valve",
            "size": 3,
            "none": None,
            "dims": {"w": 1, "h": [1, 2]},
            "parts": [{"a": 1, "b": "x"}, {"a": 2, "c": "y|z"}],
        }
    )
    assert body == (
        "# Valve\n\n- size: 3\n\n## dims\n\n- w: 1\n- h: 1, 2\n\n## parts\n\n"
        "| a | b | c |\n| --- | --- | --- |\n| 1 | x |  |\n| 2 |  | y\\|z |\n"
    )


def test_values_of_any_shape() -> None:
    assert record(["x, y", ["z", {"k": [{"q": [1, {"r": 2}]}]}], 5]) == (
        "x, y\n\nz\n\n#### k\n\n- 1.\n\t- q:\n\t\t- 1\n\t\t- 2.\n\t\t\t- r: 2\n\n5\n",
        {},
    )
    assert record("only text") == ("only text\n", {})
    assert record({}) == record([]) == record(None) == ("", {})


def test_fields_that_cannot_be_metadata_stay_in_the_text() -> None:
    value = {
        "_dl.tenant": "x",
        "big": 10**30,
        "bad": "\ud800",
        "body": LONG,
        **{f"f{i}": i for i in range(200)},
    }
    converted = convert(json.dumps(value).encode(), ".json")
    assert converted.metadata["big"] == str(10**30)
    assert converted.metadata["bad"] == "\ufffd"
    assert "_dl.tenant" not in converted.metadata
    assert len(converted.metadata) == 100
    assert converted.notes == ("fields that are kept in the text only: 103",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ('{"a": 1,}', "line 1, column 9"),
        ('{"a": 1', "line 1"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "not readable JSON"),
    ],
)
def test_bad_json(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        convert(text.encode(), ".json")


def test_a_notebook() -> None:
    data = notebook(
        [
            {"cell_type": "markdown", "source": ["# Pumps\n", "\n", "Text."]},
            {
                "cell_type": "code",
                "source": "print(1)\nplot()",
                "outputs": [
                    {"output_type": "stream", "text": ["\x1b[31m1\x1b[0m\n"]},
                    {"output_type": "execute_result", "data": {"text/plain": ["[1,\n", " 2]"]}},
                    {"output_type": "display_data", "data": {"image/png": "aGk=", "text/plain": "<Figure>"}},
                    {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["long"]},
                ],
            },
            {"cell_type": "code", "source": "", "outputs": []},
            {"cell_type": "raw", "source": "raw"},
        ],
        kernelspec={"language": "python"},
        authors=[{"name": "Ada"}],
    )
    converted = convert(data, ".ipynb")
    assert converted.body == (
        "# Pumps\n\nText.\n\n```python\nprint(1)\nplot()\n```\n\n"
        "```text\n1\n\n[1,\n 2]\nValueError: no\n```\n\nraw\n"
    )
    assert converted.metadata == {"title": "Pumps", "author": "Ada", "code_language": "python"}
    assert converted.notes == ("pictures or widgets left out: 1",)


def test_a_notebook_of_the_third_format_and_long_output() -> None:
    old = {"worksheets": [{"cells": [{"cell_type": "heading", "level": 2, "source": "Old"}]}], "nbformat": 3}
    assert convert(json.dumps(old).encode(), ".ipynb").body == "## Old\n"
    cell = {
        "cell_type": "code",
        "source": "x",
        "outputs": [{"output_type": "stream", "text": "line\n" * 9999}],
    }
    assert len(convert(notebook([cell]), ".ipynb").body) < 5000
    with pytest.raises(InputError, match="not a notebook"):
        convert(b'{"a": 1}', ".ipynb")


PYTHON = '''\
"""Pumps."""
import math


# Starts.
@cache
def start(speed):
    return math.pi


class Pump:
    def stop(self):
        pass
'''


def test_functions_are_sections() -> None:
    converted = convert(PYTHON.encode(), ".py")
    assert converted.body == (
        '```python\n"""Pumps."""\nimport math\n```\n\n'
        "## def start\n\n```python\n# Starts.\n@cache\ndef start(speed):\n    return math.pi\n```\n\n"
        "## class Pump\n\n```python\nclass Pump:\n    def stop(self):\n        pass\n```\n"
    )
    assert converted.metadata == {"code_language": "python"}


@pytest.mark.parametrize(
    ("suffix", "text", "titles"),
    [
        (
            ".js",
            "export async function load(x) {\n}\nconst save = (a) => {\n}\nclass Store {}\n",
            ["function load", "save", "class Store"],
        ),
        (
            ".go",
            "func (p *Pump) Start(n int) error {\n}\ntype Pump struct {\n}\n",
            ["func Start", "type Pump"],
        ),
        (".rs", "pub(crate) fn run<T>(x: T) {\n}\nimpl Pump {\n}\n", ["fn run", "impl Pump"]),
        (".java", "public final class Pump {\n  int x;\n}\n", ["class Pump"]),
        (".c", "static int run(int a,\n               int b)\n{\n}\nint x = f(1);\n", ["run"]),
        (".cpp", "int Pump::start() const {\n}\n", ["Pump::start"]),
        (
            ".sql",
            "CREATE TABLE IF NOT EXISTS parts (\n);\ncreate view big as select 1;\n",
            ["TABLE parts", "view big"],
        ),
        (".sh", "run() {\n}\nfunction stop {\n}\n", ["run", "function stop"]),
        (".tex", "\\section{Pumps}\nText.\n\\subsection*{Valves}\n", ["Pumps", "Valves"]),
        (".rb", "module Water\n  class Pump\n  end\nend\n", ["module Water"]),
        (".yaml", "class: x\ndef: y\n", []),
    ],
)
def test_definitions_of_many_languages(suffix: str, text: str, titles: list[str]) -> None:
    body = convert(text.encode(), suffix).body
    assert [line[3:] for line in body.split("\n") if line.startswith("## ")] == titles
    kept = [line for line in body.split("\n") if not line.startswith(("#", "```")) and line]
    assert kept == [line for line in text.split("\n") if line]


def test_methods_of_a_long_class_are_sections_of_it() -> None:
    methods = "".join(f"    def m{i}(self):\n" + "        pass\n" * 20 for i in range(3))
    body = convert(f"class Pump:\n{methods}".encode(), ".py").body
    assert [line for line in body.split("\n") if line.startswith("#")] == [
        "## class Pump",
        "### def m0",
        "### def m1",
        "### def m2",
    ]


def test_code_with_fences_is_fenced_by_more() -> None:
    assert convert(b"# ```\nx = 1\n", ".yaml").body == "````yaml\n# ```\nx = 1\n````\n"
