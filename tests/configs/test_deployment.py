"""Dockerfile, compose file and their scripts, checked without a Docker engine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from configs.errors import install
from configs.settings import load_settings

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NIGHTLY = ROOT / "configs" / "nightly.sh"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return dict(compose["services"])


def test_the_compose_file_keeps_to_the_compose_specification() -> None:
    command = [
        BIN / "check-jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        ROOT / "docker-compose.yml",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_dockerfile_passes_hadolint() -> None:
    command = [BIN / "hadolint", "--failure-threshold", "info", ROOT / "Dockerfile"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_dockerfile_copies_what_is_there_and_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.M)
    for source in " ".join(copies).split():
        assert (ROOT / source).exists(), source
        assert any(source == path or source.startswith(f"{path}/") for path in allowed), source


def test_images_are_pinned_and_qdrant_fits_its_client(services: dict[str, Any]) -> None:
    constraints = (ROOT / "constraints.txt").read_text()
    client = re.search(r"^qdrant-client==(\d+\.\d+)\.", constraints, re.M)
    assert client
    assert re.fullmatch(rf"qdrant/qdrant:v{re.escape(client[1])}\.\d+", services["qdrant"]["image"])
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version
    assert {service["image"] for name, service in services.items() if name != "qdrant"} == {
        f"draftline:{version[1]}"
    }


def test_no_secret_stands_in_the_file_and_the_key_is_required(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, value in service["environment"].items():
            if "KEY" in name or "TOKEN" in name or "PASSWORD" in name:
                assert value.startswith("${DRAFTLINE_QDRANT_API_KEY:?"), name


def test_every_service_that_stays_is_watched_and_keeps_its_data(services: dict[str, Any]) -> None:
    image_checks_health = "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()
    for name, service in services.items():
        stays = service.get("restart") == "unless-stopped"
        assert stays == (name != "models")
        assert (
            not stays or "test" in service.get("healthcheck", {}) or (name == "app" and image_checks_health)
        )
        assert service["volumes"]


def test_the_services_settings_exist(services: dict[str, Any]) -> None:
    env = (
        {"DRAFTLINE__APP__HOST": "0.0.0.0"}
        | services["app"]["environment"]
        | services["nightly"]["environment"]
    )
    settings = load_settings(env={"HOME": "/home/draftline", **env})
    assert settings.store.kind == "server"
    assert settings.store.url.endswith("//qdrant:6333")


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_qdrants_health_check_reads_the_answer(status: int, healthy: bool, services: dict[str, Any]) -> None:
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/readyz"
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        Thread(target=server.handle_request, daemon=True).start()
        kind, *command = services["qdrant"]["healthcheck"]["test"]
        assert kind == "CMD"
        command[-1] = command[-1].replace("6333", str(server.server_port))
        ended = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        assert (ended.returncode == 0) == healthy, ended.stderr


def nightly_env(tmp_path: Path, at: str) -> dict[str, str]:
    (tmp_path / "bin").mkdir(exist_ok=True)
    python = tmp_path / "bin" / "python"
    python.write_text('#!/bin/sh\necho "ran: $*"\nexit 1\n')
    python.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "NIGHTLY_AT": at, "NIGHTLY_STATE": str(tmp_path / "next")}


def test_nightly_runs_at_its_time_goes_on_and_stops_at_once(tmp_path: Path) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%H:%M:%S")
    env = nightly_env(tmp_path, soon)
    with subprocess.Popen(["sh", NIGHTLY], env=env, stdout=subprocess.PIPE, text=True) as loop:
        assert loop.stdout is not None
        lines = [loop.stdout.readline() for _ in range(4)]
        assert lines[1:3] == ["ran: -m evaluate nightly\n", "the evaluation ended with code 1\n"]
        first, second = (
            datetime.strptime(line, "next evaluation: %Y-%m-%d %H:%M UTC\n") for line in (lines[0], lines[3])
        )
        assert second - first == timedelta(days=1)
        assert subprocess.run(["sh", NIGHTLY, "--health"], env=env, check=False).returncode == 0
        loop.send_signal(signal.SIGTERM)
        assert loop.wait(timeout=5) == 0
    (tmp_path / "next").write_text(str(int(time.time()) - 7 * 3600))
    assert subprocess.run(["sh", NIGHTLY, "--health"], env=env, check=False).returncode == 1


def test_nightly_refuses_what_is_no_time(tmp_path: Path) -> None:
    ended = subprocess.run(
        ["sh", NIGHTLY], env=nightly_env(tmp_path, "late"), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr == "error: NIGHTLY_AT=late is no time of day; write it as 02:00\n"


@pytest.mark.parametrize(
    "path", ["configs/nightly.sh", "configs/renew-constraints.sh", "tests/browser/install-chromium.sh"]
)
def test_scripts_are_sound_shell(path: str) -> None:
    dash = shutil.which("dash") or "sh"
    subprocess.run([dash, "-n", ROOT / path], check=True)


def test_hints_and_handbook_install_an_extra_alike() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    handbook = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert install("gpu") in handbook
    for path in (ROOT / "ingest").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "pip install" not in text, path
        assert set(re.findall(r"\binstall\('(\w+)'\)", text)) <= set(project["optional-dependencies"]), path
