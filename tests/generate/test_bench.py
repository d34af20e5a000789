"""The bench command from end to end, over a tiny model: what it prints, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

import generate.__main__ as command
from configs.cli import run_main
from generate.bench import memory, peers, run, setup
from generate.bench.systems import Decoded, EngineSystem
from tests.generate.families import make_model

FIELDS = {
    "system", "variant", "batch", "context", "tokens_per_s", "low", "high", "tokens_per_step", "ttft_s",
    "ttft_cached_s", "identical", "identical_to", "ties", "weights", "runs",
    *(
        f"ratio_vs_{peer}{end}"
        for peer in ("transformers", "plain", "llama_cpp")
        for end in ("", "_low", "_high")
    ),
}  # fmt: skip
PASSAGE = "The {} lies in the drawer below the window, and the drawer is never locked."
THINGS = ("key", "map", "lamp")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model with a tokenizer of bytes and a chat template."""
    folder = make_model("llama", tmp_path_factory.mktemp("bench"))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")
    fast.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<answer>"
    fast.save_pretrained(folder)
    return folder


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.jsonl"
    lines: list[dict[str, Any]] = [
        {"id": thing, "prompt": f"Where is the {thing}? It", "passages": [PASSAGE.format(thing)]}
        for thing in THINGS[:2]
    ]
    talk = [
        {"role": "system", "content": "Answer."},
        {"role": "user", "content": "Where is the lamp?"},
    ]
    lines.append({"id": 3, "messages": talk, "passages": [{"text": PASSAGE.format("lamp")}]})
    file.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return file


Bench = Callable[..., int]


@pytest.fixture
def bench(folder: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Runs the command on the tiny model; measured step costs go to a folder of the test's own."""
    monkeypatch.setenv("DRAFTLINE_MODELS", str(tmp_path / "models"))
    sets = ("threads=1", "block_size=4", "max_batch_tokens=64", "weights=float")
    small = [part for item in sets for part in ("--set", f"generate.{item}")]

    def call(*words: object) -> int:
        argv = ["bench", "--model", str(folder), *small, *map(str, words)]
        return run_main("generate", "", command.COMMANDS, argv=argv)

    return call


def result(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The JSON on stdout, which holds nothing else."""
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


def names(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(row["system"], row["variant"]) for row in rows]


def test_every_system_has_a_row_with_every_field(
    bench: Bench, prompts: Path, folder: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("--prompts", prompts, "--max-tokens", 24, "--draft-model", folder, "--json") == 0
    found = result(capsys)
    rows = found["rows"]
    assert names(rows) == [
        ("transformers", None),
        ("transformers-lookup", "n-gram 2"),
        ("transformers-lookup", "n-gram 3"),
        ("transformers-assisted", folder.name),
        ("plain", None),
        ("bigram", None),
        ("copy", None),
        ("recycle", None),
        ("always", None),
        ("auto", None),
    ]
    for row in rows:
        assert set(row) == FIELDS
        assert row["weights"] == "float32"
        assert row["batch"] == 1
        assert row["runs"] == 6  # three prompts, so that all have as many of the five rounds or more
        assert 0 < row["low"] <= row["tokens_per_s"] <= row["high"]
        assert row["identical"] == 1
        assert row["identical_to"] == "transformers"
        assert row["ttft_s"] > 0
        assert row["ratio_vs_plain_low"] <= row["ratio_vs_plain"] <= row["ratio_vs_plain_high"]
        assert row["ratio_vs_llama_cpp"] is None
    by_system = {row["system"]: row for row in rows}
    assert by_system["transformers"]["ratio_vs_transformers"] == 1
    assert by_system["plain"]["ratio_vs_plain"] == by_system["plain"]["tokens_per_step"] == 1
    assert by_system["transformers-assisted"]["tokens_per_step"] > 1.5  # the model drafts for itself
    meta = found["meta"]
    assert meta["complete"] is True
    assert meta["left_out"] == []
    assert meta["max_tokens"] == 24
    assert any(note.startswith("llama.cpp is left out") for note in meta["notes"])
    ElementTree.parse(home / "bench.svg")
    assert meta["picture"] == str(home / "bench.svg")


def test_cells_of_batch_and_context(
    bench: Bench, prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "made" / "speeds.svg"
    words = ("--batch", "1,2", "--context", "96,512", "--max-tokens", 6, "--pairs", 2, "--picture", picture)
    assert (
        bench("--prompts", prompts, *words, "--systems", "transformers,transformers-lookup,auto", "--json")
        == 0
    )
    found = result(capsys)
    cells = [(row["context"], row["batch"], row["system"]) for row in found["rows"]]
    expected = []
    for context in (96, 512):
        lookups = ["transformers-lookup"] * 2
        expected += [(context, 1, name) for name in ("transformers", *lookups, "plain", "auto")]
        expected += [(context, 2, name) for name in ("transformers", "plain", "auto")]
    assert cells == expected
    assert all(row["identical"] == 1 for row in found["rows"])
    assert any("batch 1 only" in note for note in found["meta"]["notes"])
    text = picture.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    for word in ("context 96", "context 512", "batch 2", "transformers-lookup (n-gram 3)"):
        assert word in text


def test_people_get_a_table(bench: Bench, prompts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--prompts", prompts, "--max-tokens", 4, "--pairs", 1, "--systems", "plain,auto") == 0
    captured = capsys.readouterr()
    header, _, plain, auto = captured.out.splitlines()[:4]
    assert header.split()[:3] == ["system", "batch", "context"]
    assert plain.startswith("plain")
    assert auto.startswith("auto")
    assert "95 % intervals" in captured.out
    assert "round 3" in captured.err


@pytest.mark.parametrize("text", ["fresh", "adversarial"])
def test_hard_texts_compare_auto_with_plain(
    bench: Bench, prompts: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--text", text, "--context", 128, "--batch", 4, "--pairs", 3, "--max-tokens", 12)
    assert bench("--prompts", prompts, *words, "--json") == 0
    found = result(capsys)
    assert names(found["rows"]) == [("plain", None), ("auto", None)]
    assert [row["identical"] for row in found["rows"]] == [1, 1]  # sampled, too: drafts change no token
    assert [row["runs"] for row in found["rows"]] == [3, 3]
    assert found["meta"]["text"] == text
    if text == "adversarial":
        assert found["meta"]["drafters"] == ["adversarial"]


def test_answers_may_end_by_themselves(
    bench: Bench, prompts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any fourth token ends an answer; peers and the engine agree on where."""
    monkeypatch.setattr("generate.engine.runner._eos_ids", lambda model: frozenset(range(0, 320, 4)))
    words = ("--max-tokens", 40, "--batch", "1,2", "--pairs", 1, "--stop-at-eos", "--json")
    assert bench("--prompts", prompts, *words) == 0
    rows = result(capsys)["rows"]
    assert rows
    assert all(row["identical"] == 1 for row in rows)


def test_answers_that_end_at_once_have_no_speed(
    bench: Bench, prompts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("generate.engine.runner._eos_ids", lambda model: frozenset(range(320)))
    assert bench("--prompts", prompts, "--pairs", 1, "--stop-at-eos", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["rows"] == []
    assert "every answer ended with its first token" in captured.err


def test_answers_of_a_schema_are_drafted_by_the_grammar(
    bench: Bench,
    prompts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("generate.engine.runner._eos_ids", lambda model: frozenset({256}))
    schema = {"properties": {"place of the thing": {"type": "boolean"}}, "required": ["place of the thing"]}
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"type": "object", **schema}), encoding="utf-8")
    words = ("--prompts", prompts, "--schema", file, "--pairs", 1, "--json")
    assert bench(*words) == 0
    rows = {row["system"]: row for row in result(capsys)["rows"]}
    assert list(rows) == ["plain", "bigram", "copy", "grammar", "recycle", "always", "auto"]
    assert all(row["identical"] == 1 for row in rows.values())
    assert rows["always"]["tokens_per_step"] >= rows["grammar"]["tokens_per_step"]
    assert rows["grammar"]["tokens_per_step"] > 1
    assert bench(*words, "--systems", "transformers") == 2
    assert "would write other text; leave it out" in capsys.readouterr().err


def test_ctrl_c_prints_what_is_done(
    bench: Bench, prompts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt_after(2, monkeypatch)
    assert bench("--prompts", prompts, "--max-tokens", 4, "--systems", "transformers,auto", "--json") == 130
    found = result(capsys)
    assert found["meta"]["complete"] is False
    assert {row["system"]: row["runs"] for row in found["rows"]} == {"transformers": 1, "plain": 1, "auto": 1}


def test_ctrl_c_before_anything_is_done(
    bench: Bench, prompts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt_after(0, monkeypatch)
    assert bench("--prompts", prompts, "--systems", "plain", "--json") == 130
    assert result(capsys)["rows"] == []


def interrupt_after(runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C in the engine's next run but so many."""
    decode, done = EngineSystem.decode, []

    def decode_or_stop(self: EngineSystem, *args: Any) -> Decoded:
        if len(done) == runs:
            raise KeyboardInterrupt
        done.append(self.name)
        return decode(self, *args)

    monkeypatch.setattr(EngineSystem, "decode", decode_or_stop)


def test_another_token_is_told(
    bench: Bench, prompts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An engine that writes other text than transformers must not pass for identical."""
    decode = EngineSystem.decode

    def decode_wrongly(self: EngineSystem, group: Any, lane: int) -> Decoded:
        found = decode(self, group, lane)
        if self.name != "auto" or self.host._held[0] != group[0] or lane:
            return found
        (first, *others), *rest = found.outputs
        changed = ((first, *others[:-1], (others[-1] + 1) % 320), *rest)
        return Decoded(changed, found.tokens, found.steps, found.seconds)

    monkeypatch.setattr(EngineSystem, "decode", decode_wrongly)
    words = ("--max-tokens", 4, "--pairs", 6, "--systems", "transformers,auto", "--json")
    assert bench("--prompts", prompts, *words) == 0
    rows = {row["system"]: row for row in result(capsys)["rows"]}
    assert rows["plain"]["identical"] == 1
    assert rows["auto"]["identical"] == 0.5  # one lane of two
    # The same divergence where transformers' two best logits tie is none, and is counted.
    monkeypatch.setattr(peers.TransformersHost, "gap", lambda self, tokens: 1e-4)
    assert bench("--prompts", prompts, *words) == 0
    rows = {row["system"]: row for row in result(capsys)["rows"]}
    assert rows["auto"]["identical"] == 1
    assert rows["auto"]["ties"] == 3


def test_what_does_not_fit_is_left_out_and_said(
    bench: Bench, prompts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with prompts.open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps({"id": "long", "prompt": "x" * 600}))
    words = ("--max-tokens", 4, "--pairs", 1, "--systems", "plain", "--json")
    assert bench("--prompts", prompts, *words) == 1
    found = result(capsys)
    assert found["rows"][0]["runs"] == 3
    assert "prompt long" in found["meta"]["left_out"][0]

    megabytes = 2 * 2 * 2 * 16 * 4 * 4000 / 2**20  # of 4,000 tokens' KV: room for batch 1 alone
    monkeypatch.setattr(setup, "available_bytes", lambda device: int(megabytes * 2**20))
    assert bench("--prompts", prompts, "--context", 512, "--batch", "1,16", *words) == 1
    found = result(capsys)
    assert [row["batch"] for row in found["rows"]] == [1]
    assert "batch 16 at context 512" in found["meta"]["left_out"][0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--batch", "0"), "'0' is no whole number of at least 1"),
        (("--context", "1k"), "'1k' is no whole number"),
        (("--max-tokens", "1"), "at least 2"),
        (("--systems", "vllm"), "--systems: 'vllm' is not known; there are: transformers"),
        (("--drafters", "eagle"), "--drafters: 'eagle' is not known; there are: copy"),
        (("--context", "513"), "--context 513 exceeds the model's context of 512"),
        (("--context", "64", "--max-tokens", "64"), "leaves no room for a prompt"),
        (("--text", "fresh", "--systems", "transformers,auto"), "leave it out"),
        (("--systems", "transformers-assisted"), "name one with --draft-model"),
        (("--dummy", "gpt-5"), "'gpt-5' is not known; there are: llama-3.1-8b, tiny"),
        (("--prompts", "nowhere.jsonl"), "nowhere.jsonl: cannot be read: No such file"),
    ],
)
def test_bad_arguments(
    bench: Bench, prompts: Path, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("--prompts", prompts, *words) == 2
    assert message in capsys.readouterr().err


def test_prompts_or_a_dummy_must_be_named(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench() == 2
    assert "--prompts FILE.jsonl" in capsys.readouterr().err


def test_help_teaches(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        bench("--help")
    assert ending.value.code == 0
    out = capsys.readouterr().out
    for word in ("--prompts", "--batch", "--context", "--dummy", '"passages"', "examples:"):
        assert word in out


def test_a_dummy_tells_step_costs_and_no_speed(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--dummy", "tiny", "--batch", "1,3", "--context", "32,64", "--pairs", 2)
    assert bench(*words, "--json") == 0
    found = result(capsys)
    assert "step costs" in found["meta"]["what"]
    assert len(found["rows"]) == 2 * 2 * 8
    for row in found["rows"]:
        assert row["runs"] == 2
        assert 0 < row["low"] <= row["step_s"] <= row["high"]
        assert not any("tokens" in name for name in row)
    assert bench(*words) == 0
    out = capsys.readouterr().out
    assert "step cost in ms" in out
    assert "tokens/s" not in out


def test_a_dummy_too_large_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("generate.bench.dummy.available_bytes", lambda device: 16 * 2**30)
    assert bench("--dummy", "llama-3.1-8b", "--set", "generate.device=cpu") == 2
    error = capsys.readouterr().err
    assert "29.9 GiB for its weights (float32)" in error
    assert "16.0 GiB free" in error


def test_memory_is_that_of_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    here = memory.available_bytes(torch.device("cpu"))
    assert here > 2**20
    for name, text in {
        "max": "3000000",
        "current": "2500000",
        "stat": "anon 1\ninactive_file 500000",
    }.items():
        (tmp_path / f"memory.{name}").write_text(text, encoding="ascii")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.available_bytes(torch.device("cpu")) == int(1_000_000 * memory.SHARE)
    (tmp_path / "memory.max").write_text("max", encoding="ascii")
    assert memory.available_bytes(torch.device("cpu")) > 2**20


def test_the_order_turns_and_neighbours_stay_neighbours() -> None:
    from generate.bench.cells import Cell

    class Silent:
        weights, largest_batch, variant = "float32", None, None

        def __init__(self, name: str) -> None:
            self.name = name

        def reset(self) -> None: ...

        def prefill(self, group: Any) -> float:
            return 1.0

        def decode(self, group: Any, lane: int) -> Decoded:
            return Decoded((), 1, 1, 1.0)

    cell = Cell(1, 8, (((1,),), ((2,),)))
    systems: list[Any] = [Silent(name) for name in ("peer", "plain", "auto")]
    runs = list(run.measure([cell], systems, 4, lambda line: None))
    assert [done.system.name for done in runs] == ["peer", "plain", "auto", "auto", "plain", "peer"] * 2
    assert [(done.group, done.lane) for done in runs[::3]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
