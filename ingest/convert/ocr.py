"""Text in pictures, by RapidOCR; its models come with its package, nothing is downloaded.

Lines are found in a small picture, where that is cheap, and read in a large one: small letters read
in the small picture lose the spaces between words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from configs.errors import InputError, install

Picture = npt.NDArray[np.uint8]
"""(height, width, 3): blue, green, red."""
Wish = Literal["auto", "off", "always"]

FIND_SIDE = 1_600
READ_SIDE = 3_300
"""Pixels of the longer side: 140 and 290 dots an inch of a letter page."""
_SMALLEST = 16
_MIN_SCORE = 0.5
_MARGIN = 0.2
"""Of a line's height."""
_MAX_LINES = 2_000


@dataclass(frozen=True)
class Found:
    """A line of text in a picture; left, top, right, bottom in shares of its size."""

    text: str
    box: tuple[float, float, float, float]


def ocr_is_installed() -> bool:
    """Whether the extra is there; nothing is imported."""
    return find_spec("rapidocr_onnxruntime") is not None


class TextReader:
    """Finds and reads the lines of a picture."""

    def __init__(self) -> None:
        if not ocr_is_installed():
            raise InputError(
                "ingest.ocr is 'always', but text recognition is not installed: "
                f"{install('ocr')}, or set it to 'auto'"
            )
        from rapidocr_onnxruntime import RapidOCR

        # One thread: files are converted side by side.
        self._engine: Any = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
        # By default a picture grows until its shorter side has 736 pixels: a thin one without end.
        self._engine.text_det.limit_type = "max"

    def read(self, picture: Picture) -> list[Found]:
        """The lines, in no particular order."""
        import cv2

        height, width = picture.shape[:2]
        if min(height, width) < _SMALLEST:
            return []
        small = _sized(cv2, picture, min(FIND_SIDE / max(height, width), 2.0))
        boxes, _ = self._engine.auto_text_det(np.ascontiguousarray(small))
        if boxes is None or not len(boxes):
            return []
        large = _sized(cv2, picture, min(READ_SIDE / max(height, width), 4.0))
        scale = np.array([large.shape[1] / small.shape[1], large.shape[0] / small.shape[0]])
        corners = [np.array(box, dtype=np.float32)[:, :2] * scale for box in boxes[:_MAX_LINES]]
        crops = self._engine.get_crop_img_list(large, [_wider(c).astype(np.float32) for c in corners])
        crops, _, _ = self._engine.text_cls(crops)
        texts, _ = self._engine.text_rec(crops, False)
        size = np.array([large.shape[1], large.shape[0]])
        return [
            Found(text.strip(), _box(corner / size))
            for corner, (text, score) in zip(corners, texts, strict=True)
            if score >= _MIN_SCORE and text.strip()
        ]


def _wider(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A line's box with a margin: in tight boxes the reader misses the spaces between words."""
    centre = corners.mean(axis=0)
    across, down = corners[1] - corners[0], corners[3] - corners[0]
    long, high = float(np.hypot(*across)), float(np.hypot(*down))
    if not long or not high:
        return corners
    margin = _MARGIN * min(long, high)
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    along = signs[:, :1] * across / long * (long / 2 + margin)
    wider: npt.NDArray[np.float64] = centre + along + signs[:, 1:] * down / high * (high / 2 + margin)
    return wider


def _sized(cv2: Any, picture: Picture, scale: float) -> Picture:
    """A picture made larger or smaller."""
    if abs(scale - 1) < 0.05:
        return picture
    size = max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    sized: Picture = cv2.resize(picture, size, interpolation=how)
    return sized


def _box(corners: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return x0, y0, x1, y1


@lru_cache(maxsize=1)
def text_reader() -> TextReader:
    """The reader, loaded once a process.

    Raises:
        InputError: the extra is not installed.
    """
    return TextReader()
