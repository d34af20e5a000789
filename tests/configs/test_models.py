"""The catalogue, and finding a model on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from configs.errors import ModelError
from configs.models import catalogue, find_problem, model_named, model_path, write_manifest
from configs.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DRAFTLINE_MODELS", str(tmp_path / "models"))
    return load_settings()


def put_model(folder: Path, *, manifest: bool = True) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    if manifest:
        write_manifest(folder, catalogue()["all-minilm-l6-v2"], "a test")
    return folder


def test_the_catalogue_reads_and_its_defaults_come_from_wheels() -> None:
    models = catalogue()
    settings = load_settings()
    for role in ("answer", "embed"):
        model = models[getattr(settings.models, role)]
        assert (model.role, model.wheel is not None, model.non_commercial) == (role, True, False)


def test_non_commercial_models_are_labelled() -> None:
    models = catalogue().values()
    assert {model.name for model in models if model.non_commercial} == {
        "reader-lm-0.5b",
        "reader-lm-1.5b",
        "readerlm-v2",
    }
    for model in models:
        assert model.non_commercial == ("-NC-" in model.licence) == ("non-commercial" in model.label())


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(
        ModelError, match="no model is called 'SmolLM2'; did you mean 'smollm2-135m-instruct'"
    ):
        model_named("SmolLM2")


@pytest.mark.parametrize("name", ["emb2", "bge-small-en-v1.5", "reader-lm-0.5"])
def test_no_model_is_suggested_that_cannot_be_meant(name: str, settings: Settings) -> None:
    with pytest.raises(ModelError, match=f"no model is called '{name}'; `python -m configs models`"):
        model_path(name, settings, role="embed")


def test_a_whole_model_is_found(settings: Settings) -> None:
    folder = put_model(settings.models_dir / "all-minilm-l6-v2")
    assert model_path("all-minilm-l6-v2", settings, role="embed") == folder


@pytest.mark.parametrize("manifest", [True, False])
def test_a_folder_is_taken_by_its_path(manifest: bool, settings: Settings, tmp_path: Path) -> None:
    folder = put_model(tmp_path / "mine", manifest=manifest)
    assert model_path(str(folder), settings, role="answer") == folder


def test_a_missing_model_is_not_downloaded_unasked(settings: Settings) -> None:
    with pytest.raises(ModelError) as caught:
        model_path("all-minilm-l6-v2", settings, role="embed")
    message = str(caught.value)
    assert f"{settings.models_dir}/all-minilm-l6-v2 is not there" in message
    assert "models.allow_download is false" in message
    assert "`python -m configs fetch all-minilm-l6-v2`" in message


def test_the_wrong_role_is_an_error(settings: Settings) -> None:
    with pytest.raises(ModelError, match="all-minilm-l6-v2 cannot be the answer model: it is for embed"):
        model_path("all-minilm-l6-v2", settings, role="answer")


def test_damage_is_found_by_size_at_once_and_by_digest_when_asked(settings: Settings) -> None:
    folder = put_model(settings.models_dir / "all-minilm-l6-v2")
    weights = folder / "model.safetensors"
    weights.write_bytes(b"weighty")
    assert find_problem(folder) is None
    assert find_problem(folder, thorough=True) == (
        "is damaged (model.safetensors has another sha256 than when it was fetched)"
    )
    weights.write_bytes(b"we")
    with pytest.raises(ModelError, match=r"is damaged \(model\.safetensors has 2 of 7 bytes\)"):
        model_path("all-minilm-l6-v2", settings, role="embed")
    weights.unlink()
    assert find_problem(folder) == "is damaged (model.safetensors is missing)"
    (folder / "draftline.json").write_text("[")
    assert find_problem(folder) == "is damaged (draftline.json cannot be read)"


def test_a_folder_that_is_no_model_is_an_error(settings: Settings, tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none", "is not there"), (tmp_path, "holds no config.json")):
        with pytest.raises(ModelError, match=message):
            model_path(str(path), settings, role="embed")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"models\.embed: .* holds no \.safetensors weights"):
        model_path(str(tmp_path), settings, role="embed")


def test_finding_a_model_loads_no_heavy_library() -> None:
    script = "import sys, configs.models, configs.fetch; print({'torch', 'transformers'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set()"
