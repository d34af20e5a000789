"""A stand-in for a Qdrant server: its HTTP interface, as far as the store needs it, on a real socket.

Collections live in qdrant-client's in-memory mode; the double adds what that lacks (which fields are
indexed, nodes) and, when told to, the ways in which a server fails.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from pydantic import TypeAdapter
from qdrant_client import QdrantClient, models

Fault = str | int
"""A status to answer with, or: "hang", "close" (without an answer), "cut" (within one), "garbage",
"elsewhere" (another server's 404)."""


class QdrantDouble:
    """A server in a thread; ``fault`` decides about each request before it is carried out."""

    def __init__(self) -> None:
        self.client = QdrantClient(":memory:")
        self.indexes: dict[str, dict[str, dict[str, Any]]] = {}
        self.created: dict[str, models.CreateCollection] = {}
        self.replicas: list[tuple[int, int, str]] = [(0, 1, "Active")]
        """Shard, node and state."""
        self.requests: list[str] = []
        """What was asked, as "METHOD /path?query"."""
        self.fault: Callable[[str], Fault | None] = lambda request: None
        self.lock = threading.Lock()
        self.released = threading.Event()
        """Ends every hanging request."""
        handler = type("Handler", (_Handler,), {"double": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.client.close()

    def writes(self) -> list[str]:
        """Requests that changed points."""
        return [r for r in self.requests if (r.startswith("PUT") and "/points" in r) or "/points/delete" in r]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: ClassVar[QdrantDouble]

    def do_GET(self) -> None:
        self._handle()

    do_PUT = do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass

    def _handle(self) -> None:
        request, double = f"{self.command} {self.path}", self.double
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with double.lock:
            double.requests.append(request)
            fault = double.fault(request)
        if fault is None:
            status, answer = self._carry_out(json.loads(body) if body else None)
            self._send(status, json.dumps(answer).encode())
        elif isinstance(fault, int):
            self._send(fault, b'{"status": {"error": "told to fail"}}')
        elif fault == "elsewhere":
            self._send(404, b"<html>no such page</html>")
        elif fault == "garbage":
            self._send(200, b"<html>hello</html>")
        else:
            if fault == "hang":
                double.released.wait(30)
            if fault == "cut":
                self._send(200, b'{"result"', length=1000)
            self.close_connection = True

    def _send(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length or len(body)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _carry_out(self, body: Any) -> tuple[int, Any]:
        path = self.path.partition("?")[0]
        for method, pattern, call in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == self.command:
                arguments = [urllib.parse.unquote(part) for part in match.groups()]
                try:
                    with self.double.lock:
                        result = call(self.double, *arguments, body)
                except ValueError as error:
                    status = 404 if "not found" in str(error) else 400
                    return status, {"status": {"error": str(error)}}
                if path == "/":
                    return 200, _plain(result)
                return 200, {"result": _plain(result), "status": "ok", "time": 0.0}
        return 404, {"status": {"error": f"no such path: {path}"}}


def _plain(value: Any) -> Any:
    return TypeAdapter(Any).dump_python(value, mode="json")


def _create(double: QdrantDouble, name: str, body: Any) -> bool:
    asked = models.CreateCollection.model_validate(body)
    double.created[name] = asked
    double.indexes[name] = {}
    return double.client.create_collection(
        name,
        vectors_config=asked.vectors,
        sparse_vectors_config=asked.sparse_vectors,
        metadata=asked.metadata,
    )


def _info(double: QdrantDouble, name: str, body: Any) -> Any:
    info = _plain(double.client.get_collection(name))
    aliases = {a.alias_name: a.collection_name for a in double.client.get_aliases().aliases}
    return {**info, "payload_schema": double.indexes[aliases.get(name, name)]}


def _delete_collection(double: QdrantDouble, name: str, body: Any) -> bool:
    return bool(double.client.delete_collection(name))


def _index(double: QdrantDouble, name: str, body: Any) -> Any:
    schema = body["field_schema"]
    kind = schema if isinstance(schema, str) else schema["type"]
    params = None if isinstance(schema, str) else schema
    double.indexes[name][body["field_name"]] = {"data_type": kind, "params": params, "points": 0}
    return {"operation_id": 0, "status": "completed"}


def _unindex(double: QdrantDouble, name: str, field: str, body: Any) -> Any:
    double.indexes[name].pop(field, None)
    return {"operation_id": 0, "status": "completed"}


def _upsert(double: QdrantDouble, name: str, body: Any) -> Any:
    return double.client.upsert(name, [models.PointStruct.model_validate(p) for p in body["points"]])


def _delete(double: QdrantDouble, name: str, body: Any) -> Any:
    kind = models.PointIdsList if "points" in body else models.FilterSelector
    return double.client.delete(name, kind.model_validate(body))


def _query(double: QdrantDouble, name: str, body: Any) -> Any:
    asked = models.QueryRequestBatch.model_validate(body)
    return double.client.query_batch_points(name, asked.searches)


def _scroll(double: QdrantDouble, name: str, body: Any) -> Any:
    asked = models.ScrollRequest.model_validate(body)
    points, offset = double.client.scroll(
        name,
        scroll_filter=asked.filter,
        limit=asked.limit or 10,
        offset=asked.offset,
        with_payload=asked.with_payload if asked.with_payload is not None else True,
        with_vectors=asked.with_vector or False,
    )
    return {"points": points, "next_page_offset": offset}


def _retrieve(double: QdrantDouble, name: str, body: Any) -> Any:
    asked = models.PointRequest.model_validate(body)
    return double.client.retrieve(name, asked.ids, with_payload=asked.with_payload)


def _facet(double: QdrantDouble, name: str, body: Any) -> Any:
    asked = models.FacetRequest.model_validate(body)
    if asked.key not in double.indexes[name]:
        raise ValueError(f"Index required but missing for {asked.key!r}")
    return double.client.facet(
        name, asked.key, facet_filter=asked.filter, limit=asked.limit or 10, exact=True
    )


def _aliases(double: QdrantDouble, body: Any) -> Any:
    actions = TypeAdapter(list[models.AliasOperations]).validate_python(body["actions"])
    return double.client.update_collection_aliases(actions)


def _cluster(double: QdrantDouble, name: str, body: Any) -> Any:
    shards = [
        {"shard_id": shard, "peer_id": peer, "points_count": 0, "state": state}
        for shard, peer, state in double.replicas
    ]
    here = [{k: v for k, v in s.items() if k != "peer_id"} for s in shards if s["peer_id"] == 1]
    there = [{k: v for k, v in s.items() if k != "points_count"} for s in shards if s["peer_id"] != 1]
    count = len({shard["shard_id"] for shard in shards})
    return {
        "peer_id": 1,
        "shard_count": count,
        "local_shards": here,
        "remote_shards": there,
        "shard_transfers": [],
    }


NAME = r"/collections/([^/]+)"
ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("GET", "/", lambda double, body: double.client.info()),
    ("GET", "/collections", lambda double, body: double.client.get_collections()),
    ("GET", "/aliases", lambda double, body: double.client.get_aliases()),
    ("POST", "/collections/aliases", _aliases),
    ("GET", NAME, _info),
    ("PUT", NAME, _create),
    (
        "PATCH",
        NAME,
        lambda double, name, body: double.client.update_collection(name, metadata=body["metadata"]),
    ),
    ("DELETE", NAME, _delete_collection),
    ("GET", NAME + "/cluster", _cluster),
    ("PUT", NAME + "/index", _index),
    ("DELETE", NAME + "/index/([^/]+)", _unindex),
    ("PUT", NAME + "/points", _upsert),
    ("POST", NAME + "/points", _retrieve),
    ("POST", NAME + "/points/delete", _delete),
    ("POST", NAME + "/points/scroll", _scroll),
    ("POST", NAME + "/points/query/batch", _query),
    ("POST", NAME + "/points/count", lambda double, name, body: double.client.count(name, exact=True)),
    ("POST", NAME + "/facet", _facet),
]
