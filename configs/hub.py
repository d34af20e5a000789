"""A child process that downloads one repository of the hub: ``python -m configs.hub ID REVISION FOLDER``.

It ends with code 0, or with the reason on stdout and code 1. Progress goes to stderr.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from configs.models import sha256_of

PATTERNS = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "README.md", "LICENSE*"]
# Copies of the same weights in forms that transformers does not read.
IGNORED = ["onnx/*", "openvino/*", "original/*", "consolidated*", "*/onnx/*"]


def download(repository: str, revision: str, folder: Path) -> None:
    """Download what transformers loads, and compare large files with the hub's own sha256.

    What an earlier, stopped download left in ``folder`` is taken up.

    Raises:
        ValueError: a file came damaged, or there are no safetensors weights.
    """
    from huggingface_hub import HfApi, snapshot_download

    info = HfApi().model_info(repository, revision=revision, files_metadata=True, timeout=15)
    snapshot_download(
        repository, revision=info.sha, local_dir=folder, allow_patterns=PATTERNS, ignore_patterns=IGNORED
    )
    for sibling in info.siblings or ():
        path = folder / sibling.rfilename
        if sibling.lfs and path.is_file() and sha256_of(path) != sibling.lfs.sha256:
            path.unlink()
            raise ValueError(f"{sibling.rfilename} came damaged: its sha256 is not the hub's")
    if not any(folder.glob("*.safetensors")) or not (folder / "config.json").is_file():
        raise ValueError("the repository has no config.json with safetensors weights")
    shutil.rmtree(folder / ".cache", ignore_errors=True)


def main() -> int:
    """Run as a program."""
    repository, revision, folder = sys.argv[1:]
    from huggingface_hub.errors import GatedRepoError

    try:
        download(repository, revision, Path(folder))
    except GatedRepoError:
        reason = "its licence has to be accepted on the hub, and HF_TOKEN set to a token of that account"
    except Exception as error:
        reason = " ".join(str(error).split()).partition(" For more information")[0] or type(error).__name__
    else:
        return 0
    sys.stdout.write(reason + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
