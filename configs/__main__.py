"""``python -m configs``: what is set, and the models."""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

from pydantic import SecretStr

from configs.cli import Command, Context, run_main
from configs.models import Model, Role, catalogue, find_problem, is_folder_name, model_named, model_path
from configs.sections import Section
from configs.settings import Settings

MASK = "********"


def show(context: Context) -> int:
    """Print the settings in force and where each one came from."""
    rows = _rows(context.settings)
    if context.args.json:
        context.emit({key: {"value": value, "source": source} for key, value, source in rows})
        return 0
    widest = max(len(key) for key, _, _ in rows)
    shown = [(key, _text(value), source) for key, value, source in rows]
    wide = max(len(text) for _, text, _ in shown if len(text) <= 40)
    for key, text, source in shown:
        context.say(f"{key:<{widest}}  {text:<{wide}}  {source}")
    return 0


def _rows(settings: Settings) -> list[tuple[str, Any, str]]:
    """Key, plain value and source of every setting; secrets are masked."""
    sources = settings.sources()
    rows = []
    for section in Settings.model_fields:
        value = getattr(settings, section)
        leaves = (
            {f"{section}.{key}": item for key, item in value}
            if isinstance(value, Section)
            else {section: value}
        )
        rows += [(key, _plain(item), sources[key]) for key, item in leaves.items()]
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, str):
        return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", rf"\1:{MASK}@", value)
    if isinstance(value, Section):
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, int | float | None) else str(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def fetch(context: Context) -> int:
    """Make models be here: those named, else those that the settings name."""
    from configs.fetch import fetch as fetch_models

    wanted = [model_named(name) for name in context.args.names] or _models_in_use(context.settings)
    folders = fetch_models(wanted, context.settings, context.note, verify=context.args.verify)
    found = {model.name: str(folder) for model, folder in zip(wanted, folders, strict=True)}
    if context.args.json:
        context.emit(found)
    for name, folder in found.items():
        context.say(f"{name}  {folder}")
    return 0


def _models_in_use(settings: Settings) -> list[Model]:
    """The models that the settings name; a folder cannot be fetched, but has to be sound."""
    roles: dict[Role, str] = {"answer": settings.models.answer, "embed": settings.models.embed}
    if settings.models.rerank is not None:
        roles["rerank"] = settings.models.rerank
    if settings.models.reader is not None:
        roles["convert"] = settings.models.reader
    for role, name in roles.items():
        if is_folder_name(name):
            model_path(name, settings, role=role)
    return [model_named(name) for name in roles.values() if not is_folder_name(name)]


def models(context: Context) -> int:
    """List every model: role, licence, whether it is here."""
    rows = []
    for model in catalogue().values():
        folder = context.settings.models_dir / model.name
        problem = find_problem(folder)
        state = "here" if problem is None else "not here" if not folder.exists() else problem
        rows.append(model.model_dump(exclude={"wheel"}) | {"folder": str(folder), "state": state})
        context.say(f"{model.name:<22}  {model.role:<8}  {model.label():<30}  {state:<8}  {model.use}")
    if context.args.json:
        context.emit(rows)
    return 0


def _fetch_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="a name from `python -m configs models`")
    parser.add_argument(
        "--verify", action="store_true", help="check the sha256 of every file, and replace what is damaged"
    )


COMMANDS = [
    Command("show", "print the settings in force and where each came from", show),
    Command(
        "fetch", "download models: those named, else those that the settings name", fetch, _fetch_arguments
    ),
    Command("models", "list every model: role, licence, whether it is here", models),
]


def main() -> int:
    """Run ``python -m configs``."""
    return run_main("configs", "Draftline's settings and models.", COMMANDS)


if __name__ == "__main__":
    sys.exit(main())
