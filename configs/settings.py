"""What can be set: one tree of settings, and where each value came from.

Types, bounds and meanings live here; default values live in ``default.yaml``, so that the file a
person reads is the one that counts. Later sources win: default.yaml, the profile, environment
variables (``DRAFTLINE__SECTION__KEY``), ``--set section.key=value``.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from configs.errors import SettingsError

PROFILES_DIR = Path(__file__).parent
ENV_PREFIX = "DRAFTLINE__"

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A group of settings; immutable, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSettings(Section):
    answer: str
    embed: str
    allow_download: bool


class StoreSettings(Section):
    kind: Literal["edge", "server"]
    url: str
    api_key: SecretStr | None
    collection: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,200}$")]
    timeout_s: PositiveFloat


class LabelRule(Section):
    """Labels for documents whose path, relative to its root, matches a glob."""

    path: str
    tenant: str | None = None
    access: list[str] = []


class IngestSettings(Section):
    lock_wait_s: Annotated[float, Field(ge=0)]
    max_file_mb: PositiveFloat
    chunk_tokens: Annotated[int, Field(ge=16)]
    chunk_overlap: Annotated[int, Field(ge=0)]
    embed_batch: PositiveInt
    commit_every_s: PositiveFloat
    tenant: str | None
    access: list[str]
    rules: list[LabelRule]
    include: list[str]
    exclude: list[str]


class RetrieveSettings(Section):
    top_k: PositiveInt
    prefetch: PositiveInt
    min_relevance: Annotated[float, Field(ge=-1, le=1)]
    all_tenants: bool
    reader: Literal["off"]
    today: date | None


class GenerateSettings(Section):
    device: Literal["auto", "cpu", "cuda"]
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    block_size: PositiveInt
    kv_cache_mb: PositiveFloat
    max_batch_tokens: PositiveInt
    max_running: PositiveInt
    prefix_cache: bool
    threads: PositiveInt | None


class AnswerSettings(Section):
    max_tokens: PositiveInt
    temperature: Annotated[float, Field(ge=0)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    top_k: Annotated[int, Field(ge=0)]
    seed: int
    repetition_penalty: Annotated[float, Field(gt=0)]
    min_quote_words: PositiveInt
    history_turns: Annotated[int, Field(ge=0)]


class EvaluateSettings(Section):
    dataset: Path
    min_citation_overlap: Share
    min_abstention: Share
    min_context_recall: Share


class AppSettings(Section):
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    chats: bool


class Settings(Section):
    """All settings. Built by `load_settings`; there are no defaults outside default.yaml."""

    home: Path
    models_dir: Path
    profile: str
    models: ModelSettings
    store: StoreSettings
    ingest: IngestSettings
    retrieve: RetrieveSettings
    generate: GenerateSettings
    answer: AnswerSettings
    evaluate: EvaluateSettings
    app: AppSettings

    _sources: dict[str, str] = {}

    def sources(self) -> dict[str, str]:
        """Where each value came from, by dotted key: a file name, a variable or ``--set``."""
        return dict(self._sources)


def profile_names() -> list[str]:
    """Profiles that ship with Draftline."""
    return sorted(p.stem for p in PROFILES_DIR.glob("*.yaml") if p.stem != "models")


def default_models_dir(env: Mapping[str, str]) -> Path:
    """The cache folder for weights when DRAFTLINE_MODELS does not name one."""
    cache = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME") or Path.home()) / ".cache")
    return Path(cache) / "draftline" / "models"


def load_settings(
    profile: str | None = None,
    overrides: Iterable[str] = (),
    env: Mapping[str, str] | None = None,
) -> Settings:
    """Merge all sources into settings.

    Args:
        profile: a profile's name; None takes DRAFTLINE_PROFILE, else ``default``.
        overrides: ``section.key=value`` items; values are read as YAML.
        env: the environment; None takes the process's own.

    Raises:
        SettingsError: an unknown profile or key (the nearest valid one is named), or a bad value.
    """
    env = os.environ if env is None else env
    profile = profile or env.get("DRAFTLINE_PROFILE") or "default"
    leaves: dict[str, tuple[Any, str]] = {}
    for name in dict.fromkeys(("default", profile)):
        leaves.update(_from_profile(name))
    leaves.update(_from_env(env))
    leaves.update(_from_overrides(overrides))
    tree: dict[str, Any] = {
        "profile": profile,
        "home": Path(env.get("DRAFTLINE_HOME") or ".draftline").expanduser().absolute(),
        "models_dir": Path(env.get("DRAFTLINE_MODELS") or default_models_dir(env)).expanduser().absolute(),
    }
    for key, (value, _) in leaves.items():
        section, _, name = key.partition(".")
        tree.setdefault(section, {})[name] = value
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(_explain(error, leaves)) from None
    settings._sources.update({key: source for key, (_, source) in leaves.items()})
    settings._sources.update(
        home="DRAFTLINE_HOME" if env.get("DRAFTLINE_HOME") else "default",
        models_dir="DRAFTLINE_MODELS" if env.get("DRAFTLINE_MODELS") else "default",
    )
    return settings


def _from_profile(name: str) -> dict[str, tuple[Any, str]]:
    if name not in profile_names():
        raise SettingsError(f"unknown profile {name!r}; there are: {', '.join(profile_names())}")
    path = PROFILES_DIR / f"{name}.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return {
        f"{section}.{key}": (value, path.name)
        for section, values in data.items()
        for key, value in values.items()
    }


def _from_env(env: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    leaves = {}
    for variable, text in env.items():
        if variable.startswith(ENV_PREFIX):
            key = variable.removeprefix(ENV_PREFIX).lower().replace("__", ".")
            _check_key(key, variable)
            leaves[key] = (_parse(text), variable)
    return leaves


def _from_overrides(overrides: Iterable[str]) -> dict[str, tuple[Any, str]]:
    leaves = {}
    for item in overrides:
        key, equals, text = item.partition("=")
        if not equals:
            raise SettingsError(f"--set {item}: write it as section.key=value")
        _check_key(key.strip(), "--set")
        leaves[key.strip()] = (_parse(text), "--set")
    return leaves


def _parse(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def known_keys() -> list[str]:
    """Every dotted key that can be set."""
    keys = []
    for section, field in Settings.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, Section):
            keys += [f"{section}.{name}" for name in annotation.model_fields]
    return keys


def _check_key(key: str, source: str) -> None:
    if key not in known_keys():
        raise SettingsError(f"{source}: no setting is called {key!r}{_nearest(key)}")


def _nearest(key: str) -> str:
    close = difflib.get_close_matches(key, known_keys(), n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"; {hint}`python -m configs show` lists all"


def _explain(error: ValidationError, leaves: Mapping[str, tuple[Any, str]]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    base = ".".join(str(part) for part in first["loc"][:2])
    source = leaves.get(base, (None, "settings"))[1]
    if first["type"] == "extra_forbidden":
        return f"{source}: no setting is called {key!r}{_nearest(key)}"
    if first["type"] == "missing":
        return f"default.yaml does not set {key!r}"
    return f"{source}: {key} = {first['input']!r} is not valid: {first['msg'].lower()}"


def choices(section: str, key: str) -> tuple[Any, ...]:
    """The values of a setting that takes one of a few, in the order they are declared."""
    model = Settings.model_fields[section].annotation
    assert isinstance(model, type) and issubclass(model, Section)
    return get_args(model.model_fields[key].annotation)
