"""The process that serves the page: ``python -m app.server PORT``, started by ``python -m app``.

It reads its settings from the environment and hands them to Streamlit as flags, which win over a
config.toml that lies around.
"""

from __future__ import annotations

import sys
from pathlib import Path

from configs.settings import Settings, load_settings

_FOLDER = Path(__file__).parent
_LOCAL = ("localhost", "127.0.0.1", "::1")


def flags(settings: Settings, port: int) -> list[str]:
    """Streamlit's command line for these settings."""
    host = settings.app.host
    options = {
        "server.address": host,
        "server.port": port,
        "server.headless": "true",
        "server.enableCORS": "true",
        "server.enableXsrfProtection": "true",
        # Magic would draw every bare expression of the page's module.
        "runner.magicEnabled": "false",
        # torch's modules make the watcher walk into things that cannot be imported.
        "server.fileWatcherType": "none",
        "server.enableStaticServing": "false",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        # The welcome message asks a server in the web for this machine's address.
        "logger.hideWelcomeMessage": "true",
        "logger.level": "warning",
        "theme.base": _FOLDER / "theme.toml",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    if host in _LOCAL:
        # A page elsewhere that rebinds its name to this machine is turned away.
        words += [f"--server.allowedHosts={name}" for name in _LOCAL]
    return words


def main() -> None:
    """Serve until a signal ends it."""
    from streamlit import net_util
    from streamlit.web import cli

    # Asked for when a request's origin is unknown; it would look itself up in the web.
    net_util.get_external_ip = lambda: None
    cli.main(["run", str(_FOLDER / "chat.py"), *flags(load_settings(), int(sys.argv[1]))])


if __name__ == "__main__":
    main()
