"""The compiled kernels of this folder, if there are any for this processor, and their structs."""

from __future__ import annotations

from ctypes import CDLL, POINTER, Structure, c_char_p, c_float, c_int, c_int32, c_int64, c_void_p
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

VARIANTS = ("_avx512", "_avx2")
"""The fastest first. Each is the same code for other instructions; pyproject.toml has it compiled."""

FLOAT32, INT8 = 0, 1
"""Kinds of weights."""


class Linear(Structure):
    _fields_ = (
        ("outputs", c_int32),
        ("inputs", c_int32),
        ("packed", c_void_p),
        ("bias", c_void_p),
        ("weights", c_int32),
    )


class Layer(Structure):
    _fields_ = (
        ("qkv", Linear),
        ("out", Linear),
        ("gate_up", Linear),
        ("down", Linear),
        ("attention_norm", c_void_p),
        ("mlp_norm", c_void_p),
        ("query_norm", c_void_p),
        ("key_norm", c_void_p),
        ("window", c_int32),
    )


class Model(Structure):
    _fields_ = (
        ("layer_count", c_int32),
        ("hidden", c_int32),
        ("inner", c_int32),
        ("heads", c_int32),
        ("kv_heads", c_int32),
        ("head_dim", c_int32),
        ("vocabulary", c_int32),
        ("eps", c_float),
        ("embedding", c_void_p),
        ("rotary", c_void_p),
        ("last_norm", c_void_p),
        ("head", Linear),
        ("layers", POINTER(Layer)),
    )


class Segment(Structure):
    _fields_ = (
        ("begin", c_int32),
        ("rows", c_int32),
        ("length", c_int32),
        ("slots", c_void_p),
        ("ancestors", c_void_p),
    )


class Batch(Structure):
    _fields_ = (
        ("rows", c_int32),
        ("segment_count", c_int32),
        ("logit_count", c_int32),
        ("ids", c_void_p),
        ("positions", c_void_p),
        ("own", c_void_p),
        ("segments", POINTER(Segment)),
        ("logit_rows", c_void_p),
        ("stores", c_void_p),
        ("slots", c_int64),
        ("queries", c_void_p),
        ("logits", c_void_p),
    )


def folder() -> Path:
    """Where the variants are."""
    return Path(__file__).parent


@cache
def kernels() -> CDLL | None:
    """The fastest variant that was compiled and runs on this processor; None if there is none."""
    for name in VARIANTS:
        for path in (folder() / (name + suffix) for suffix in EXTENSION_SUFFIXES):
            if path.exists() and (library := load(path)).runs_here():
                return library
    return None


def load(path: Path) -> CDLL:
    """A variant with its functions' signatures, whether or not it runs here."""
    library = CDLL(str(path))
    library.runs_here.argtypes, library.runs_here.restype = (), c_int
    library.refuse_tiles.argtypes, library.refuse_tiles.restype = (c_int,), c_int
    library.compiled_for.argtypes, library.compiled_for.restype = (), c_char_p
    library.packed_bytes.argtypes, library.packed_bytes.restype = (c_int, c_int, c_int), c_int64
    library.pack.argtypes, library.pack.restype = (c_void_p, c_int, c_int, c_int, c_void_p), None
    library.multiply.argtypes = (POINTER(Linear), c_void_p, c_void_p, c_float, c_int, c_void_p)
    library.multiply.restype = None
    library.runner_open.argtypes, library.runner_open.restype = (POINTER(Model),), c_void_p
    library.runner_close.argtypes, library.runner_close.restype = (c_void_p,), None
    library.runner_forward.argtypes = (c_void_p, POINTER(Batch), c_int)
    library.runner_forward.restype = c_int
    return library
