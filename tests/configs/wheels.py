"""A wheel that pip accepts, made in a test."""

from __future__ import annotations

import zipfile
from pathlib import Path

FILES = {
    "config.json": b'{"model_type": "bert"}',
    "model.safetensors": bytes(range(256)) * 400,
    "1_Pooling/config.json": b"{}",
}


def build_wheel(folder: Path, files: dict[str, bytes], package: str = "tiny-model") -> Path:
    """A wheel that pip accepts, with ``files`` under ``tiny/``."""
    name = package.replace("-", "_")
    info = f"{name}-1.0.dist-info"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, data in files.items():
            archive.writestr(f"tiny/{file}", data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path
