"""What can be set: one tree of settings, and where each value came from.

Types, bounds and meanings live in `configs.sections`; default values live in ``default.yaml``, so that
the file a person reads is the one that counts. Later sources win: default.yaml, the profile, environment
variables (``DRAFTLINE__SECTION__KEY``), ``--set section.key=value``.

The text of a variable or of --set is taken as it stands, so ``off``, ``012`` and ``1e-3`` mean what they
say; ``null`` clears a setting that may be empty, and lists and mappings are written as YAML.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import PrivateAttr, ValidationError

from configs.errors import SettingsError
from configs.explain import annotation_at, explain, parts_of
from configs.folders import expanded
from configs.nearest import nearest
from configs.plain_yaml import load_plain
from configs.sections import (
    AnswerSettings,
    AppSettings,
    EvaluateSettings,
    GenerateSettings,
    IngestSettings,
    ModelSettings,
    RetrieveSettings,
    Section,
    StoreSettings,
)

PROFILES_DIR = Path(__file__).parent
HOME_FILE = "settings.yaml"
HOME_SECTIONS = ("ingest", "retrieve", "answer")
"""What may be set beside a store. Where models, servers and keys are is not for a folder to say that may have
come with somebody else's files."""
ENV_PREFIX = "DRAFTLINE__"
FROM_ENVIRONMENT = {"home": "DRAFTLINE_HOME", "models_dir": "DRAFTLINE_MODELS", "profile": "--profile"}

Leaf = tuple[Any, str]
"""A setting's value, and where it came from."""


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

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def costs_file(self) -> Path:
        """What steps of models cost on this machine; what else is measured of them is kept beside it."""
        return self.models_dir / "step-costs.json"

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
        overrides: ``section.key=value`` items.
        env: the environment; None takes the process's own.

    Raises:
        SettingsError: an unknown profile or key (the nearest valid one is named), or a bad value.
    """
    env = os.environ if env is None else env
    chosen_by = "--profile" if profile else "DRAFTLINE_PROFILE" if env.get("DRAFTLINE_PROFILE") else "default"
    profile = profile or env.get("DRAFTLINE_PROFILE") or "default"
    leaves: dict[str, Leaf] = {}
    home = expanded(env.get("DRAFTLINE_HOME") or ".draftline").absolute()
    for name in dict.fromkeys(("default", profile)):
        leaves.update(_from_profile(name, chosen_by))
    leaves.update(_from_home(home / HOME_FILE))
    leaves.update(_from_env(env))
    leaves.update(_from_overrides(overrides))
    tree: dict[str, Any] = {
        "profile": profile,
        "home": home,
        "models_dir": expanded(env.get("DRAFTLINE_MODELS") or default_models_dir(env)).absolute(),
    }
    for key, (value, _) in leaves.items():
        section, _, name = key.partition(".")
        tree.setdefault(section, {})[name] = value
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        sources = {key: source for key, (_, source) in leaves.items()}
        raise SettingsError(explain(error.errors()[0], Settings, sources)) from None
    settings._sources.update({key: source for key, (_, source) in leaves.items()})
    settings._sources.update(
        profile=chosen_by,
        home="DRAFTLINE_HOME" if env.get("DRAFTLINE_HOME") else "default",
        models_dir="DRAFTLINE_MODELS" if env.get("DRAFTLINE_MODELS") else "default",
    )
    return settings


def _from_profile(name: str, chosen_by: str) -> dict[str, Leaf]:
    if name not in profile_names():
        raise SettingsError(f"{chosen_by}: unknown profile {name!r}; there are: {', '.join(profile_names())}")
    path = PROFILES_DIR / f"{name}.yaml"
    return _from_file(path.read_text(encoding="utf-8"), path.name)


def _from_home(path: Path) -> dict[str, Leaf]:
    if (other := path.with_suffix(".yml")).exists():
        raise SettingsError(f"{other} is not read: call it {path.name}")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SettingsError(f"{path} cannot be read: {reason}") from None
    leaves = _from_file(text, str(path))
    for key in leaves:
        if key.partition(".")[0] not in HOME_SECTIONS:
            raise SettingsError(f"{path}: {key} cannot be set there, only {', '.join(HOME_SECTIONS)}")
    return leaves


def _from_file(text: str, name: str) -> dict[str, Leaf]:
    try:
        data = load_plain(text) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{name} is not valid YAML: {_problem(error)}") from None
    if not isinstance(data, dict):
        raise SettingsError(f"{name} has no settings: it needs sections with settings below them")
    leaves = {}
    for section, values in data.items():
        if not isinstance(values, dict):
            raise SettingsError(f"{name}: {section} is a section; write its settings below it, indented")
        for key, value in values.items():
            _check_key(f"{section}.{key}", name)
            leaves[f"{section}.{key}"] = (value, name)
    return leaves


def _problem(error: yaml.YAMLError) -> str:
    """What is wrong and where, in a line."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return str(error)
    mark = error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem or error.context}"


def _from_env(env: Mapping[str, str]) -> dict[str, Leaf]:
    leaves = {}
    meant = {f"draftline{key}".replace(".", "").replace("_", ""): key for key in known_keys()}
    for variable, text in env.items():
        key = meant.get(variable.replace("_", "").lower()) if variable.startswith("DRAFTLINE_") else None
        right = f"{ENV_PREFIX}{key.replace('.', '__').upper()}" if key else None
        # Kubernetes gives a service called draftline-app the variable DRAFTLINE_APP_PORT=tcp://...
        if right not in (None, variable.upper()) and not text.startswith("tcp://"):
            raise SettingsError(f"{variable} sets nothing: write it as {right}")
        if variable.startswith(ENV_PREFIX):
            key = variable.removeprefix(ENV_PREFIX).lower().replace("__", ".")
            leaves[key] = (_parse(key, text, variable), variable)
    return leaves


def _from_overrides(overrides: Iterable[str]) -> dict[str, Leaf]:
    leaves = {}
    for item in overrides:
        key, equals, text = item.partition("=")
        key = key.strip()
        if not equals:
            raise SettingsError(f"--set {item}: write it as section.key=value")
        leaves[key] = (_parse(key, text, "--set"), "--set")
    return leaves


def _parse(key: str, text: str, source: str) -> Any:
    """The value that a text gives a setting; pydantic reads numbers, dates and the like from text."""
    _check_key(key, source)
    kinds = parts_of(annotation_at(Settings, key.split(".")))
    if text == "null" and type(None) in kinds:
        return None
    if kinds.isdisjoint((list, dict)):
        return text
    try:
        return load_plain(text)
    except yaml.YAMLError:
        form = "[one, two]" if list in kinds else "{name: value}"
        raise SettingsError(f"{source}: {key} = {text!r} is not valid: write it as {form}") from None


def known_keys() -> list[str]:
    """Every dotted key that can be set."""
    keys = []
    for section, field in Settings.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, Section):
            keys += [f"{section}.{name}" for name in annotation.model_fields]
    return keys


def _check_key(key: str, source: str) -> None:
    if key in FROM_ENVIRONMENT:
        raise SettingsError(f"{source}: {key} is set by {FROM_ENVIRONMENT[key]}")
    if key not in known_keys():
        raise SettingsError(f"{source}: no setting is called {key!r}; {_meant(key)}")


def _meant(key: str) -> str:
    """What to do about a key that is none."""
    section, _, name = key.rpartition(".")
    whole = next((known for known in known_keys() if key.startswith(f"{known}.")), None)
    if whole is not None:
        return f"{whole} is set as a whole"
    own = nearest(section, Settings.model_fields) if section else None
    keys = known_keys()
    inside = {known.partition(".")[2]: known for known in keys if known.partition(".")[0] == own}
    anywhere = {known.partition(".")[2]: known for known in reversed(keys)} | {known: known for known in keys}
    close = nearest(name, inside if name in inside or name not in anywhere else ())
    meant = inside[close] if close else anywhere.get(nearest(name, anywhere) or "")
    hint = f"did you mean {meant!r}? " if meant else ""
    return f"{hint}`python -m configs show` lists all"
