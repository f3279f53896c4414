"""A service that answers from a script and records the requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from msgspec import Struct


class Said(Struct, frozen=True):
    """An answer; status 0 closes the connection without one."""

    status: int
    headers: dict[str, str] = {}
    problem: dict[str, Any] = {}


ACCEPTED = Said(202, {"Cave-Receipt": "0-1-0"})
REPLAYED = Said(202, {"Cave-Receipt": "0-1-0", "Idempotent-Replayed": "true"})


class Received(Struct, frozen=True):
    """A request."""

    path: str
    key: str | None
    authorization: str | None
    items: list[dict[str, Any]]


class ScriptedService(HTTPServer):
    """Answers each request with the next entry of `script`, and with a 202 after the last."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[Said] = []
        self.received: list[Received] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedService

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(body["metrics"])

    def do_GET(self) -> None:
        self._answer([])

    def _answer(self, items: list[dict[str, Any]]) -> None:
        headers = self.headers
        self.server.received.append(
            Received(self.path, headers["Idempotency-Key"], headers["Authorization"], items)
        )
        said = self.server.script.pop(0) if self.server.script else ACCEPTED
        if said.status == 0:
            self.close_connection = True
            return
        content = json.dumps(said.problem).encode() if said.problem else b""
        self.send_response(said.status)
        for name, value in {**said.headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name in the base class
        """Say nothing."""


@contextmanager
def scripted_service() -> Iterator[ScriptedService]:
    """Run one for the block."""
    with ScriptedService() as service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()
