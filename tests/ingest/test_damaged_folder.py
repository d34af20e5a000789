"""A folder of damaged files of all kinds: each becomes a document or is listed, and the run ends."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from configs.settings import load_settings
from ingest.convert.kinds import kind_of
from ingest.ledger import read_ledger
from retrieve.store import open_store
from tests.ingest.formats.test_damaged import BUILDERS, mutated
from tests.ingest.stored import Ran

PAGE = """<html lang="en"><head><title>Lights</title><script type="application/ld+json">{"@type": "Article",
"headline": "Lights", "datePublished": "2024-03-05"}</script></head><body><main><h1>Lights</h1><p>A red light
means no uplink.</p><ul><li>one<li>two</ul><table><tr><th>a<th>b<tr><td>1<td>2</table><pre><code>x = 1
</code></pre></main></body></html>"""


def pdf() -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file)
    canvas.drawString(72, 720, "A line of text on a page.")
    canvas.showPage()
    canvas.drawString(72, 720, "And another one.")
    canvas.save()
    return file.getvalue()


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(file, "PNG")
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.md", "# A\n\nIn an archive.\n")
        archive.writestr("sub/b.html", PAGE)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        entry = tarfile.TarInfo("a.md")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"# A\n"))
    return file.getvalue()


ALL: dict[str, Callable[[], bytes]] = {
    **BUILDERS,
    ".md": lambda: b"---\nyear: 2024\n---\n# Pump\n\nThe pump runs.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
    ".html": PAGE.encode,
    ".txt": "Plain text, größer als ASCII.\n".encode,
    ".pdf": pdf,
    ".png": picture,
    ".zip": zipped,
    ".tgz": tarred,
    ".gz": lambda: gzip.compress(b"# Packed\n"),
    ".jsonl": lambda: b'{"id": "a", "text": "one"}\n{"text": "two"}\n',
    ".mbox": lambda: (
        b"From a@b Mon Jan  1 00:00:00 2024\nSubject: s\n\nText.\n\nFrom b\nSubject: t\n\nMore.\n"
    ),
}


def damage(folder: Path, files: int, seed: int) -> list[str]:
    """Write damaged files, by turns of every kind; returns their paths in the folder."""
    chance, names = random.Random(seed), []
    for number in range(files):
        suffix = list(ALL)[number % len(ALL)]
        data = mutated(ALL[suffix](), chance.randrange(1 << 30))
        if chance.random() < 0.1:
            data = data[: chance.randrange(len(data) + 1)]
        if chance.random() < 0.05:
            suffix = chance.choice(list(ALL))  # wrongly named
        names.append(f"{number % 20:02d}/{number}{suffix}")
        path = folder / names[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return names


@pytest.mark.parametrize("files", [pytest.param(60, id="sample"), pytest.param(2500, marks=pytest.mark.deep)])
def test_every_damaged_file_is_a_document_or_listed(
    files: int, sync: Callable[..., Ran], tmp_path: Path
) -> None:
    assert {kind_of(f"x{suffix}") for suffix in ALL} >= {"archive", "records", "pdf", "image", "html", "mail"}
    folder = tmp_path / "damaged"
    names = damage(folder, files, seed=files)
    ran = sync(folder, "--set", "ingest.convert_timeout_s=20")
    assert ran.code in (0, 1), ran.err[-2000:]
    assert "Traceback" not in ran.err
    errors = ran.failed()
    assert all(error.strip() and "\n" not in error for error in errors.values())
    wrong = [f"{path}: {error}" for path, error in errors.items() if "crash" in error or "took more" in error]
    assert wrong == []
    ledger = read_ledger(open_store(load_settings()))
    known = {path for _, path in (*ledger.documents, *ledger.containers)} | set(errors)
    lost = [name for name in names if name not in known]
    assert lost == []
    again = sync(folder, "--set", "ingest.convert_timeout_s=20")
    assert again.counts()[0::3] == (0, 0)
    assert again.failed() == errors
