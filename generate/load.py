"""Loading a model folder: its tokenizer, and an engine running in its thread."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from configs.errors import ModelError
from configs.sections import GenerateSettings
from generate.engine import fp8
from generate.engine.int8 import int8_linear, quantise_modules, why_no_int8
from generate.engine.lean import LeanRunner
from generate.engine.lean_model import why_not
from generate.engine.linear import FloatLinear
from generate.engine.native.runner import NativeRunner
from generate.engine.native.runner import why_not as native_why_not
from generate.engine.runner import ModelRunner, load_model
from generate.engine.service import EngineService

if TYPE_CHECKING:
    from generate.speculate.factory import DraftModel


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
    """The fastest runner that the model, its device and the settings allow.

    Raises:
        ModelError: the model cannot be loaded on the wanted device, or not with the wanted weights.
    """
    if settings.weights_mb is not None:
        return _streaming_runner(folder, settings)
    model = load_model(folder, device=settings.device, dtype=settings.dtype)
    if settings.weights == "fp8":
        _quantise_fp8(model)
        return _cuda_runner(model, settings.attention_window, weights="fp8")
    return runner_for(model, int8=_wants_int8(model, settings), attention_window=settings.attention_window)


def runner_for(model: Any, *, int8: bool = False, attention_window: int | None = None) -> ModelRunner:
    """The fastest runner that a loaded model and its device allow.

    Args:
        int8: quantise its weights; `why_no_int8` must have nothing against it.
        attention_window: see `ModelRunner`.
    """
    if model.device.type == "cuda":
        return _cuda_runner(model, attention_window)
    weights = "int8" if int8 else None
    if why_not(model, attention_window) is None:
        if native_why_not(model) is None:
            return NativeRunner(model, int8=int8)
        return LeanRunner(model, int8_linear if int8 else FloatLinear, weights=weights)
    if int8:
        quantise_modules(model)
    return ModelRunner(model, weights=weights, attention_window=attention_window)


def load_draft(folder: Path, target: Path, settings: GenerateSettings) -> DraftModel:
    """A draft model, and what its tokens are to the model in the folder ``target``.

    Raises:
        ModelError: it cannot be loaded.
        InputError: it has too few of the target's tokens.
    """
    from generate.speculate.factory import DraftModel
    from generate.speculate.vocabulary import VocabularyMap

    vocabulary = VocabularyMap.between(load_tokenizer(target), load_tokenizer(folder))
    return DraftModel(load_runner(folder, settings.model_copy(update={"weights_mb": None})), vocabulary)


def _wants_int8(model: Any, settings: GenerateSettings) -> bool:
    if settings.weights == "float":
        return False
    reason = why_no_int8(model)
    if reason is not None and settings.weights == "int8":
        raise ModelError(f"generate.weights is int8, but {reason}; set generate.weights=float")
    return reason is None


def _quantise_fp8(model: Any) -> None:
    if (reason := fp8.why_no_fp8(model)) is not None:
        raise ModelError(f"generate.weights is fp8, but {reason}; set generate.weights=float")
    fp8.quantise_modules(model)


def _streaming_runner(folder: Path, settings: GenerateSettings) -> ModelRunner:
    """A model larger than memory: reading weights makes all steps slow, and large trees nearly free."""
    if settings.weights in ("int8", "fp8"):
        raise ModelError(
            f"generate.weights is {settings.weights}, but generate.weights_mb has weights read anew for "
            "every step, which are not quantised; set one of the two only"
        )
    model = load_model(folder, device=settings.device, dtype=settings.dtype, weights_mb=settings.weights_mb)
    runner = ModelRunner(model, attention_window=settings.attention_window)
    runner.identity += f" {settings.weights_mb} MB"
    return runner


def _cuda_runner(model: Any, attention_window: int | None, weights: str | None = None) -> ModelRunner:
    """With Triton and CUDA graphs; without Triton (the ``gpu`` extra) by torch alone, slower."""
    try:
        from generate.engine.cuda import CudaRunner, cuda_capture
    except ImportError:
        return ModelRunner(model, weights=weights, attention_window=attention_window)
    return CudaRunner(model, cuda_capture(), weights=weights, attention_window=attention_window)


def load_service(
    folder: Path,
    settings: GenerateSettings,
    costs_file: Path | None = None,
    draft: Path | None = None,
) -> EngineService:
    """An engine over the folder's model, in a thread that is already running.

    Args:
        costs_file: keeps what steps cost on this machine, which is measured at the first start.
        draft: folder of the draft model, if there is one.

    Raises:
        ModelError: a model cannot be loaded on the wanted device.
        InputError: a draft model that does not suit.
    """
    import torch

    from generate.engine.engine import Engine
    from generate.speculate.factory import open_speculator

    if settings.threads:
        torch.set_num_threads(settings.threads)
    engine = Engine(load_runner(folder, settings), settings)
    load = partial(load_draft, draft, folder, settings) if draft else None
    engine.speculator = open_speculator(engine, settings, costs_file, load)
    return EngineService(engine)
