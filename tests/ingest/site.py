"""A site on this machine: pages by path, requests remembered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Reply:
    """What the server says; a page with an ETag unless it has other headers."""

    body: bytes = b""
    status: int = 200
    type: str = "text/html"
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: Callable[[BaseHTTPRequestHandler], None] | None = None
    """Writes the whole answer instead."""


@dataclass
class Site:
    """Pages by path with query; ``seen`` are the requests, with their headers."""

    port: int
    pages: dict[str, Reply | str] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self) -> list[str]:
        """The paths asked for since the last time, without robots.txt."""
        paths = [path for path, _ in self.seen if path != "/robots.txt"]
        self.seen.clear()
        return paths


def page(text: str, *links: str) -> str:
    """A page that a converter takes for an article."""
    anchors = " ".join(f'<a href="{link}">{link}</a>' for link in links)
    words = f"{text} is what this page is about, and it says so in a sentence that is long enough to be read."
    return (
        f"<html><head><title>{text}</title></head><body><main><h1>{text}</h1><p>{words}</p></main>"
        f"<nav>{anchors}</nav></body></html>"
    )


@contextmanager
def serve() -> Iterator[Site]:
    """A server for the length of a test."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            reply = site.pages.get(self.path, Reply(b"nothing here", 404))
            reply = Reply(reply.encode()) if isinstance(reply, str) else reply
            if reply.raw is not None:
                reply.raw(self)
                return
            headers = {"ETag": f'"{sha256(reply.body).hexdigest()[:12]}"', **reply.headers}
            fresh = reply.status == 200 and self.headers.get("If-None-Match") == headers["ETag"]
            self.send_response(304 if fresh else reply.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", reply.type)
            self.send_header("Content-Length", "0" if fresh else str(len(reply.body)))
            self.end_headers()
            if not fresh:
                self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that had enough

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    site = Site(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
