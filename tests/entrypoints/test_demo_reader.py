"""The example of a client that reads, against a server that answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from entrypoints.demo import reader as module
from entrypoints.demo.client import bearer
from entrypoints.demo.reader import MetricsReader
from entrypoints.errors import CommandFailed

SAMPLES = [{"time": "2014-10-24T12:37:28.000Z", "value": 1.0}]


class Scripted(HTTPServer):
    """Answers with the statuses of `script`, one a request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[int] = []
        self.seen: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        status = self.server.script.pop(0)
        content = json.dumps({"metrics": SAMPLES} if status == 200 else {"status": status})
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    with Scripted() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def reader(server: Scripted) -> Iterator[MetricsReader]:
    with closing(MetricsReader("127.0.0.1", server.server_port, "gilt", bearer("t"))) as reader:
        yield reader


def test_what_passes_is_asked_again(server: Scripted, reader: MetricsReader) -> None:
    server.script = [403, 503, 200]
    assert reader.metrics("a b", aggregator="max", period="1s") == SAMPLES
    assert server.seen == ["/organizations/gilt/metrics?metric=a+b&aggregator=max&period=1s"] * 3


def test_what_does_not_pass_is_told(server: Scripted, reader: MetricsReader) -> None:
    server.script = [404]
    with pytest.raises(CommandFailed, match="GET /organizations/gilt/metric-names: 404"):
        reader.metric_names()
    server.script = [503] * 6
    with pytest.raises(CommandFailed, match="503"):
        reader.metric_names()
