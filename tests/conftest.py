"""Fixtures that all packages' tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from configs.cli import CALM_ENV, QUIET_ENV
from configs.settings import Settings, load_settings

os.environ.update(QUIET_ENV | CALM_ENV)
# Started in the background of a script, we and our children would ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
# A shared machine is slow at times; a slow example is no failure.
EXAMPLES = int(os.environ.get("DRAFTLINE_TEST_EXAMPLES", "50"))
"""Of a property test that does not name a number; `make test-deep` tries more."""
hypothesis.settings.register_profile("draftline", deadline=None, max_examples=EXAMPLES)
hypothesis.settings.load_profile("draftline")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DRAFTLINE_HOME of the test's own, for this process and its children."""
    path = tmp_path / "home"
    monkeypatch.setenv("DRAFTLINE_HOME", str(path))
    return path


@pytest.fixture
def make_settings(home: Path) -> Callable[..., Settings]:
    """Settings with overrides: ``make_settings("answer.max_tokens=8")``."""
    return lambda *overrides, profile=None: load_settings(profile, overrides)


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """The default settings, with a home of the test's own."""
    return make_settings()


@pytest.fixture(scope="session")
def embedder():  # type: ignore[no-untyped-def]
    """The real MiniLM."""
    from retrieve.embed import load_embedder

    return load_embedder(load_settings())


@pytest.fixture(scope="session")
def smollm_folder() -> Path:
    """The folder of the real SmolLM2-135M-Instruct."""
    from configs.models import model_path

    settings = load_settings()
    return model_path(settings.models.answer, settings, role="answer")
