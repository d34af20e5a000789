"""PDFs and pictures whose bytes were changed: they are read, or refused with a reason; nothing else."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from configs.errors import InputError
from ingest.convert.base import Converted
from ingest.convert.image import ImageConverter
from tests.ingest.pdfs import (
    H1,
    H2,
    PROSE,
    Paragraph,
    bullets,
    code,
    drawn,
    lines,
    paragraph,
    read_pdf,
    story,
    table,
)

ROWS = [["Part", "Count"], ["valve", "2"], ["pipe", "14"]]
LINK = 'See <a href="https://acme.test/a">this</a>.'


@lru_cache
def pdfs() -> tuple[bytes, ...]:
    everything = [
        Paragraph("The pump", H1),
        paragraph(PROSE * 3),
        Paragraph("Care", H2),
        bullets("a wrench", "a lamp"),
        table(ROWS, grid=True),
        code("def run():\n    pass"),
        paragraph(LINK),
    ]
    return (
        story(everything, columns=2, title="Manual"),
        drawn(lines("First words"), lines("Second words")),
        story([paragraph(PROSE * 2), table(ROWS, grid=True), *everything], pageCompression=0),
    )


@lru_cache
def pictures() -> tuple[bytes, ...]:
    made = []
    exif = Image.Exif()
    exif[0x0132] = "2024:01:01 00:00:00"
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"):
        out = io.BytesIO()
        Image.effect_noise((50, 60), 40).convert("RGB").save(out, kind, exif=exif)
        made.append(out.getvalue())
    return tuple(made)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A few changes: bytes, numbers, pieces lost, doubled or cut off."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        if not changed:
            break
        place = chance.randrange(len(changed))
        length = chance.choice((1, 4, 40, 400))
        what = chance.randrange(6)
        if what == 0:
            changed[place] = chance.randrange(256)
        elif what == 1:
            del changed[place : place + length]
        elif what == 2:
            changed[place:place] = changed[place : place + length]
        elif what == 3:
            changed[place : place + length] = chance.randbytes(length)
        elif what == 4:
            number = str(chance.choice((0, -1, 2**31, 2**63, 1e30, 0.0001))).encode()
            digits = [n for n, byte in enumerate(changed) if 48 <= byte < 58]
            if digits:
                place = chance.choice(digits)
                changed[place : place + 1] = number
        else:
            del changed[place:]
    return bytes(changed)


def survive(convert: Callable[[bytes], Converted], data: bytes) -> None:
    reason = "none"
    try:
        convert(data).body.encode()
    except InputError as error:
        reason = str(error)
    assert reason
    assert "\n" not in reason


def survive_pdf(seed: int) -> None:
    chance = random.Random(seed)
    survive(read_pdf, mutated(chance.choice(pdfs()), chance))


def survive_picture(seed: int) -> None:
    chance = random.Random(seed)
    converter = ImageConverter("off")
    survive(lambda data: converter.convert(data, ".png"), mutated(chance.choice(pictures()), chance))


SEEDS = st.integers(0, 2**32)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
DEEP = settings(QUICK, max_examples=1500)


@QUICK
@given(SEEDS)
def test_changed_pdfs(seed: int) -> None:
    survive_pdf(seed)


@QUICK
@given(SEEDS)
def test_changed_pictures(seed: int) -> None:
    survive_picture(seed)


@pytest.mark.deep
@DEEP
@given(SEEDS)
def test_many_changed_pdfs(seed: int) -> None:
    survive_pdf(seed)


@pytest.mark.deep
@DEEP
@given(SEEDS)
def test_many_changed_pictures(seed: int) -> None:
    survive_picture(seed)
