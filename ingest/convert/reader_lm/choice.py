"""Who converts web pages: the rules of the default converter, or a reader model.

Nothing heavy is imported here, unless a reader model is named and its weights are here.
"""

from __future__ import annotations

from pathlib import Path

from configs.errors import ModelError
from configs.folders import expanded
from configs.models import catalogue, find_problem, is_folder_name, model_path
from configs.settings import Settings

VERSION = "1"
"""Changes whenever the same page may be written differently; pages are then converted again."""


def reader_name(settings: Settings) -> str | None:
    """The reader model that ``ingest.html`` chooses here; None: pages go to the default converter.

    ``auto`` takes one that ``models.reader`` names, whose weights are here, on a machine with a GPU.

    Raises:
        ModelError: ``reader-lm`` without a model.
    """
    name, wanted = settings.models.reader, settings.ingest.html
    if wanted == "default" or (wanted == "auto" and name is None):
        return None
    if name is None:
        raise ModelError(
            "ingest.html is reader-lm, but no model is named: set models.reader, for example to "
            "readerlm-v2 (CC-BY-NC-4.0: not for commercial use), or ingest.html=default"
        )
    if wanted == "auto" and (_find_problem(name, settings) is not None or not _has_gpu(settings)):
        return None
    return name


def reader_folder(name: str, settings: Settings) -> Path:
    """Where the model lies.

    Raises:
        ModelError: it is unknown, of another kind, not here, or damaged; says what to do.
    """
    return model_path(name, settings, role="convert")


def reader_recipe(settings: Settings) -> list[str | float] | None:
    """All that decides, beside a page's bytes, what the reader model makes of it; None: there is none.

    Raises:
        ModelError: see `reader_name`.
    """
    name = reader_name(settings)
    if name is None:
        return None
    ingest = settings.ingest
    limits = (ingest.reader_tokens, ingest.reader_page_tokens, ingest.reader_penalty)
    return [VERSION, name, *limits, ingest.reader_max_ratio, ingest.reader_max_invented]


def reader_notice(name: str) -> str | None:
    """What a person has to know before using the model; None for a model of their own."""
    model = catalogue().get(name)
    if model is None or not model.non_commercial:
        return None
    return f"web pages are converted by {name}, whose licence {model.label()} forbids commercial use"


def _find_problem(name: str, settings: Settings) -> str | None:
    folder = expanded(name) if is_folder_name(name) else settings.models_dir / name
    return find_problem(folder)


def _has_gpu(settings: Settings) -> bool:
    if settings.generate.device == "cpu":
        return False
    import torch

    return torch.cuda.is_available()
