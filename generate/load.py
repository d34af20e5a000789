"""Loading a model folder: its tokenizer, and an engine running in its thread."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import Any

from configs.errors import ModelError
from configs.settings import GenerateSettings
from generate.engine.lean import LeanRunner
from generate.engine.lean_model import why_not
from generate.engine.linear import float_linear
from generate.engine.runner import ModelRunner, load_model
from generate.engine.service import EngineService


def load_tokenizer(folder: Path) -> Any:
    """The folder's tokenizer, from local files.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # damaged files end in errors of any kind
        reason = shorten(f"{type(error).__name__}: {error}", 400, placeholder=" ...")
        raise ModelError(f"{folder}: its tokenizer cannot be loaded: {reason}") from error


def load_runner(folder: Path, settings: GenerateSettings) -> ModelRunner:
    """The fastest runner that the model and its device allow.

    Raises:
        ModelError: the model cannot be loaded on the wanted device.
    """
    if settings.weights_mb is not None:
        return _streaming_runner(folder, settings)
    return runner_for(load_model(folder, device=settings.device, dtype=settings.dtype))


def runner_for(model: Any) -> ModelRunner:
    """The fastest runner that a loaded model and its device allow."""
    if model.device.type == "cuda":
        return _cuda_runner(model)
    return ModelRunner(model) if why_not(model) else LeanRunner(model, float_linear)


def _streaming_runner(folder: Path, settings: GenerateSettings) -> ModelRunner:
    """A model larger than memory: reading weights makes all steps slow, and large trees nearly free."""
    model = load_model(folder, device=settings.device, dtype=settings.dtype, weights_mb=settings.weights_mb)
    runner = ModelRunner(model)
    runner.identity += f" {settings.weights_mb} MB"
    return runner


def _cuda_runner(model: Any) -> ModelRunner:
    """With Triton and CUDA graphs; without Triton (the ``gpu`` extra) by torch alone, slower."""
    try:
        from generate.engine.cuda import CudaRunner, cuda_capture
    except ImportError:
        return ModelRunner(model)
    return CudaRunner(model, cuda_capture())


def load_service(folder: Path, settings: GenerateSettings, costs_file: Path | None = None) -> EngineService:
    """An engine over the folder's model, in a thread that is already running.

    Args:
        costs_file: keeps what steps cost on this machine, which is measured at the first start.

    Raises:
        ModelError: the model cannot be loaded on the wanted device.
    """
    import torch

    from generate.engine.engine import Engine
    from generate.speculate.factory import open_speculator

    if settings.threads:
        torch.set_num_threads(settings.threads)
    engine = Engine(load_runner(folder, settings), settings)
    engine.speculator = open_speculator(engine, settings, costs_file)
    return EngineService(engine)
