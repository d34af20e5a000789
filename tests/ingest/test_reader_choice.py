"""Who converts web pages, by settings, weights and machine; and that switching converts them again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import ModelError
from configs.settings import Settings
from ingest.convert.reader_lm.choice import reader_name, reader_notice
from ingest.plan import recipe_of

Make = Callable[..., Settings]


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with something in the place of readerlm-v2."""
    monkeypatch.setenv("DRAFTLINE_MODELS", str(tmp_path / "models"))
    folder = tmp_path / "models" / "readerlm-v2"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)


def recipe(settings: Settings, kind: str = "html") -> str:
    return recipe_of(kind, None, [], settings)


def test_no_reader_model_is_a_default(settings: Settings) -> None:
    assert settings.models.reader is None
    assert reader_name(settings) is None


@pytest.mark.usefixtures("gpu")
def test_auto_takes_a_named_model_where_weights_and_a_gpu_are(weights: Path, make_settings: Make) -> None:
    assert reader_name(make_settings()) is None
    assert reader_name(make_settings("models.reader=readerlm-v2")) == "readerlm-v2"
    assert reader_name(make_settings(f"models.reader={weights}")) == str(weights)
    assert reader_name(make_settings("models.reader=reader-lm-0.5b")) is None
    assert reader_name(make_settings("models.reader=readerlm-v2", "generate.device=cpu")) is None
    assert reader_name(make_settings("models.reader=readerlm-v2", "ingest.html=default")) is None


@pytest.mark.usefixtures("weights")
def test_auto_leaves_a_machine_without_gpu_to_the_rules(
    make_settings: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert reader_name(make_settings("models.reader=readerlm-v2")) is None
    wanted = make_settings("models.reader=readerlm-v2", "ingest.html=reader-lm")
    assert reader_name(wanted) == "readerlm-v2"


def test_reader_lm_without_a_model_says_what_to_do(make_settings: Make) -> None:
    with pytest.raises(ModelError, match=r"set models\.reader.*CC-BY-NC-4\.0"):
        reader_name(make_settings("ingest.html=reader-lm"))


def test_reader_lm_without_weights_says_how_to_fetch_them(
    make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.convert.reader_lm.converter import open_reader

    monkeypatch.setenv("DRAFTLINE_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match="configs fetch reader-lm-1"):
        open_reader(make_settings("ingest.html=reader-lm", "models.reader=reader-lm-1.5b"))
    with pytest.raises(ModelError, match=r"models\.reader: .*nowhere is not there"):
        open_reader(make_settings("ingest.html=reader-lm", f"models.reader={tmp_path}/nowhere"))
    with pytest.raises(ModelError, match="cannot be the convert model"):
        open_reader(make_settings("ingest.html=reader-lm", "models.reader=all-minilm-l6-v2"))


def test_switching_and_other_limits_convert_pages_again_and_nothing_else(make_settings: Make) -> None:
    reader = ("ingest.html=reader-lm", "models.reader=readerlm-v2")
    recipes = [
        recipe(make_settings(*changes))
        for changes in (
            (),
            reader,
            (*reader, "models.reader=reader-lm-0.5b"),
            (*reader, "ingest.reader_tokens=4096"),
            (*reader, "ingest.reader_page_tokens=4096"),
            (*reader, "ingest.reader_penalty=1.1"),
            (*reader, "ingest.reader_max_ratio=2"),
            (*reader, "ingest.reader_max_invented=0.2"),
        )
    ]
    assert len(set(recipes)) == len(recipes)
    unread = make_settings("models.reader=readerlm-v2", "ingest.html=default", "ingest.reader_tokens=99")
    assert recipe(unread) == recipes[0]
    assert recipe(make_settings(*reader), "text") == recipe(make_settings(), "text")


def test_the_licence_is_said(make_settings: Make) -> None:
    for name in ("readerlm-v2", "reader-lm-1.5b", "reader-lm-0.5b"):
        assert "CC-BY-NC-4.0 (non-commercial)" in str(reader_notice(name))
    assert reader_notice("my-own") is None


def test_choosing_the_rules_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom configs.settings import load_settings\nimport ingest.plan\n"
        "ingest.plan.recipe_of('html', None, [], load_settings())\n"
        "print([name for name in ('torch', 'lxml', 'transformers') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
