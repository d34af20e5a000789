"""Downloading from a hub: a small server that speaks the hub's interface stands in for it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from configs.download import Hub
from configs.errors import ModelError
from configs.fetch import fetch
from configs.models import Model, catalogue, find_problem, read_manifest
from configs.settings import load_settings

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": b"weights" * 1000,
    "onnx/model.onnx": b"the same weights once more",
    "pytorch_model.bin": b"and once more",
}
MODEL = Model(
    name="tiny",
    role="answer",
    use="tests",
    hub="someone/tiny",
    revision="main",
    licence="CC-BY-NC-4.0",
    non_commercial=True,
)


class HubHandler(BaseHTTPRequestHandler):
    """The few addresses that a snapshot download asks for."""

    protocol_version = "HTTP/1.1"
    digest_of_weights: str | None = None
    downloads: list[str]

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def _answer(self, *, head: bool) -> None:
        path = self.path.partition("?")[0]
        name = path.removeprefix(f"/someone/tiny/resolve/{COMMIT}/")
        if path == "/":
            self._send(b"a hub", head)
        elif path.startswith("/api/models/someone/tiny/revision/"):
            self._send(json.dumps(self._info()).encode(), head)
        elif path == f"/api/models/someone/tiny/tree/{COMMIT}":
            self._send(json.dumps(self._tree()).encode(), head)
        elif name in FILES:
            if not head:
                self.downloads.append(name)
            self._send(FILES[name], head, etag=hashlib.sha256(FILES[name]).hexdigest())
        else:
            self.send_error(404)

    def _info(self) -> dict[str, object]:
        weights = self.digest_of_weights or hashlib.sha256(FILES["model.safetensors"]).hexdigest()
        lfs = {"sha256": weights, "size": len(FILES["model.safetensors"]), "pointerSize": 1}
        siblings = [
            {"rfilename": name, "size": len(data), **({"lfs": lfs} if name == "model.safetensors" else {})}
            for name, data in FILES.items()
        ]
        return {"id": "someone/tiny", "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}

    def _tree(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in FILES.items()
        ]

    def _send(self, data: bytes, head: bool, etag: str | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Repo-Commit", COMMIT)
        if etag:
            self.send_header("ETag", f'"{etag}"')
        self.end_headers()
        if not head:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(index: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[HubHandler]]:
    handler = type("Handler", (HubHandler,), {"downloads": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        yield handler
        server.shutdown()
        thread.join()


def test_only_what_transformers_loads_is_downloaded(hub: type[HubHandler]) -> None:
    """HF_HUB_OFFLINE is set, as in every command: an explicit fetch lifts it."""
    notes: list[str] = []
    (folder,) = fetch([MODEL], load_settings(), notes.append)
    manifest = read_manifest(folder)
    assert set(manifest["files"]) == {"config.json", "model.safetensors"}
    assert manifest["origin"] == "hub someone/tiny@main"
    assert find_problem(folder, thorough=True) is None
    assert notes[-1] == "tiny is ready; licence CC-BY-NC-4.0 (non-commercial)"


def test_what_was_downloaded_before_is_not_downloaded_again(hub: type[HubHandler]) -> None:
    settings = load_settings()
    hub.digest_of_weights = "0" * 64
    with pytest.raises(ModelError, match=r"model\.safetensors came damaged: its sha256 is not the hub's"):
        fetch([MODEL], settings)
    hub.digest_of_weights = None
    fetch([MODEL], settings)
    assert sorted(hub.downloads) == ["config.json", "model.safetensors", "model.safetensors"]


def test_an_unknown_repository_is_reported(hub: type[HubHandler]) -> None:
    with pytest.raises(ModelError, match=r"2\. 127\.0\.0\.1:\d+/someone/else \(Client error '404 Not Found'"):
        fetch([MODEL.model_copy(update={"hub": "someone/else"})], load_settings())


def test_a_hub_that_does_not_answer_costs_seconds(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(Hub().problem).startswith("not reachable: ")
    monkeypatch.setattr("configs.download.PROBE_S", 0.05)
    monkeypatch.setattr("configs.download._probe", lambda url: time.sleep(0.5))
    assert Hub().problem == "no answer within 0.05 seconds"


@pytest.mark.deep
def test_the_real_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if Hub().problem:
        pytest.skip("the real hub cannot be reached from here")
    monkeypatch.setenv("DRAFTLINE_MODELS", str(tmp_path))
    (folder,) = fetch([catalogue()["all-minilm-l6-v2"]], load_settings())
    assert read_manifest(folder)["origin"].startswith("hub ")
