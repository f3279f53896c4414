"""The example of a client, against a server that answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from entrypoints.demo import client as module
from entrypoints.demo.client import MetricsClient, bearer


class Scripted(HTTPServer):
    """Answers with the statuses of `script`, one a request; 0 is no answer at all."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[int] = []
        self.seen: list[tuple[str | None, bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.headers["Idempotency-Key"], body))
        status = self.server.script.pop(0)
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Cave-Receipt", "0-1-0")
        self.end_headers()

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
def client(server: Scripted) -> Iterator[MetricsClient]:
    with closing(MetricsClient("127.0.0.1", server.server_port, "/", bearer("t"))) as client:
        yield client


def test_a_batch_is_sent_again_with_the_same_key_until_it_is_accepted(
    server: Scripted, client: MetricsClient
) -> None:
    server.script = [503, 0, 429, 202]
    answer = client.publish([{"name": "a"}])
    assert (answer.status, answer.receipt, answer.replayed) == (202, "0-1-0", False)
    assert len(server.seen) == 4
    assert len(set(server.seen)) == 1


def test_two_batches_have_two_keys(server: Scripted, client: MetricsClient) -> None:
    server.script = [202, 202]
    client.publish([])
    client.publish([])
    assert len({key for key, _ in server.seen}) == 2


def test_a_refusal_is_not_sent_again(server: Scripted, client: MetricsClient) -> None:
    server.script = [400, 202]
    assert client.publish([]).status == 400


def test_a_service_that_stays_away_is_given_up(server: Scripted, client: MetricsClient) -> None:
    server.script = [503] * 5 + [0]
    with pytest.raises(ConnectionError, match="does not answer"):
        client.publish([])
    server.script = [503] * 6
    assert client.publish([]).status == 503
