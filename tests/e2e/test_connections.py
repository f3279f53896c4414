"""Requests on real sockets: in pieces, pipelined, by the short way and by uvicorn's in turn."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPResponse

import pytest

from tests.e2e.conftest import StartService
from tests.e2e.tenant import Tenant, metrics, point
from tests.service import Service

LIVE = b"GET /health/live HTTP/1.1\r\nHost: cave\r\n\r\n"


def publish(tenant: Tenant, value: float, *headers: str, token: str | None = None) -> bytes:
    """Return a publish of one point as bytes."""
    body = metrics(point(value=value))
    lines = [
        f"POST {tenant.metrics_path()} HTTP/1.1",
        "Host: cave",
        f"Authorization: Bearer {token or tenant.token}",
        *headers,
    ]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


class Connection:
    """One connection and its answers."""

    def __init__(self, service: Service) -> None:
        self.socket = socket.create_connection((service.host, service.port), timeout=20)
        self._reader = self.socket.makefile("rb")

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def answer(self, method: str = "POST") -> HTTPResponse:
        """Read the next answer completely."""
        response = HTTPResponse(_Kept(self._reader), method=method)  # type: ignore[arg-type]
        response.begin()
        response.content = response.read()  # type: ignore[attr-defined]
        return response

    def ended(self) -> bool:
        """Return whether the service has closed it."""
        return self._reader.read(1) == b""

    def close(self) -> None:
        self._reader.close()
        self.socket.close()


class _Kept:
    """A file that HTTPResponse cannot close, because other answers follow."""

    def __init__(self, file: object) -> None:
        self._file = file

    def makefile(self, _: str) -> _Kept:
        return self

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def close(self) -> None:
        pass

    def flush(self) -> None:
        pass


@contextmanager
def connected(service: Service) -> Iterator[Connection]:
    with closing(Connection(service)) as connection:
        yield connection


def stored_values(tenant: Tenant) -> list[float]:
    """Return the values of the tenant's events in log order."""
    events = sorted(tenant.events().values(), key=lambda recorded: recorded.receipt)
    return [value for recorded in events for value in recorded.event.points.values]


@pytest.mark.parametrize("piece", [1, 7, 100, 10_000])
def test_a_request_may_come_in_pieces(tenant: Tenant, piece: int) -> None:
    with connected(tenant.service) as connection:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for value in (1.0, 2.0):
            request = publish(tenant, value)
            for start in range(0, len(request), piece):
                connection.send(request[start : start + piece])
            assert connection.answer().status == 202
    assert stored_values(tenant) == [1.0, 2.0]


def test_a_body_may_come_after_its_head(tenant: Tenant) -> None:
    with connected(tenant.service) as connection:
        for value in (1.0, 2.0):
            head, _, body = publish(tenant, value).partition(b"\r\n\r\n")
            for piece in (head + b"\r\n\r\n", body[:5], body[5:]):
                connection.send(piece)
                time.sleep(0.02)
            assert connection.answer().status == 202
    assert stored_values(tenant) == [1.0, 2.0]


def test_pipelined_requests_are_answered_in_order(tenant: Tenant) -> None:
    requests = [publish(tenant, float(value)) for value in range(50)]
    with connected(tenant.service) as connection:
        connection.send(b"".join(requests))
        answers = [connection.answer() for _ in requests]
    receipts = [answer.headers["cave-receipt"] for answer in answers]
    stored = tenant.events()
    values = [stored[receipt].event.points.values[0] for receipt in receipts]
    assert values == [float(value) for value in range(50)]


def test_both_ways_can_alternate_on_one_connection(tenant: Tenant) -> None:
    requests = [
        (publish(tenant, 1.0), 202),
        (LIVE, 200),
        (publish(tenant, 2.0, "Idempotency-Key: one"), 202),
        (publish(tenant, 3.0), 202),
        (publish(tenant, 4.0, token="unknown"), 403),
        (publish(tenant, 5.0).replace(b"Bearer", b"Digest"), 401),
        (LIVE, 200),
        (publish(tenant, 6.0), 202),
    ]
    with connected(tenant.service) as connection:
        for request, status in requests:
            connection.send(request)
            assert connection.answer(request.split()[0].decode()).status == status
        connection.send(b"".join(request for request, _ in requests))
        for request, status in requests:
            assert connection.answer(request.split()[0].decode()).status == status
    # The second time, the batch with the key is already stored.
    assert stored_values(tenant) == [1.0, 2.0, 3.0, 6.0, 1.0, 3.0, 6.0]


def test_a_connection_is_usable_after_a_refused_batch(tenant: Tenant) -> None:
    with connected(tenant.service) as connection:
        for _ in range(2):
            connection.send(publish(tenant, 1.0).replace(b"http.cache.hits", b"2ttp.cache.hits"))
            refused = connection.answer()
            assert refused.status == 400
            assert refused.headers["content-type"] == "application/problem+json"
            connection.send(publish(tenant, 2.0))
            assert connection.answer().status == 202


def test_answers_have_a_date_and_the_body_of_an_accepted_one_is_empty(tenant: Tenant) -> None:
    with connected(tenant.service) as connection:
        connection.send(publish(tenant, 1.0))
        answer = connection.answer()
    assert answer.headers["date"]
    assert answer.headers["content-length"] == "0"
    assert answer.content == b""  # type: ignore[attr-defined]


def test_nonsense_after_a_body_is_refused(tenant: Tenant) -> None:
    with connected(tenant.service) as connection:
        connection.send(publish(tenant, 1.0) + b"nonsense\r\n\r\n")
        assert connection.answer().status == 202
        assert connection.answer().status == 400
        assert connection.ended()


def test_a_connection_is_closed_if_the_client_asks_for_it(tenant: Tenant) -> None:
    with connected(tenant.service) as connection:
        connection.send(publish(tenant, 1.0))
        assert connection.answer().status == 202
        connection.send(publish(tenant, 2.0, "Connection: close"))
        assert connection.answer().headers["connection"] == "close"
        assert connection.ended()


def test_unread_answers_pause_reading_and_nothing_is_lost(tenant: Tenant) -> None:
    requests = [publish(tenant, float(value)) for value in range(3000)]
    with connected(tenant.service) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.socket.setblocking(False)
        left = memoryview(b"".join(requests))
        deadline = time.monotonic() + 3
        while left and time.monotonic() < deadline:
            try:
                left = left[connection.socket.send(left[:65_536]) :]
            except BlockingIOError:
                time.sleep(0.01)
        connection.socket.settimeout(20)
        sent = 0
        reader = connection
        while sent < len(requests):
            if left:
                left = left[connection.socket.send(left[:1000]) :]
            assert reader.answer().status == 202
            sent += 1
    assert stored_values(tenant) == [float(value) for value in range(3000)]


def test_a_body_that_is_arriving_when_the_service_stops_is_still_answered(
    start_service: StartService,
) -> None:
    service = start_service()
    token = service.register("gilt")
    body = metrics(point())
    head = (
        "POST /organizations/gilt/metrics HTTP/1.1\r\nHost: cave\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with connected(service) as connection, connected(service) as idle:
        connection.send(head + body)
        assert connection.answer().status == 202
        idle.send(LIVE)
        assert idle.answer("GET").status == 200
        connection.send(head + body[:10])
        service.terminate()
        assert idle.ended()
        connection.send(body[10:])
        answer = connection.answer()
        assert answer.status == 202
        assert answer.headers["connection"] == "close"
        assert connection.ended()
    assert service.wait() == 0
    service.start()
    assert answer.headers["cave-receipt"] in service.stored()


def test_a_token_revoked_while_a_body_arrives_is_refused(tenant: Tenant) -> None:
    issued = tenant.issue("publish")
    requests = [
        publish(tenant, 1.0, token=issued["token"]),
        publish(tenant, 2.0, "Idempotency-Key: slow", token=issued["token"]),
    ]
    with connected(tenant.service) as one, connected(tenant.service) as other:
        connections = (one, other)
        for connection, request in zip(connections, requests, strict=True):
            connection.send(request[:-10])
        path = f"{tenant.path}/tokens/{issued['id']}"
        assert tenant.service.answer("DELETE", path, token=tenant.token)[0] == 204
        time.sleep(1)
        for connection, request in zip(connections, requests, strict=True):
            connection.send(request[-10:])
            assert connection.answer().status == 403
    assert stored_values(tenant) == []


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"POST /organizations/gilt/metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\nX: " + b"x" * 66_000, 431),
    ],
)
def test_an_invalid_request_is_answered_with_a_problem_document(
    service: Service, request_bytes: bytes, status: int
) -> None:
    with connected(service) as connection:
        connection.send(request_bytes[:100])
        time.sleep(0.1)
        connection.send(request_bytes[100:])
        answer = connection.answer()
        assert answer.status == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert json.loads(answer.content)["status"] == status  # type: ignore[attr-defined]
        assert connection.ended()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Idempotency-Key: one", "Idempotency-Key: two"], 400),
        (["Content-Encoding: br", "Content-Encoding: identity"], 415),
        (["Content-Type: text/plain", "Content-Type: application/json"], 415),
        (["Authorization: Bearer another"], 403),
    ],
)
def test_no_occurrence_of_a_repeated_field_is_preferred(
    tenant: Tenant, lines: list[str], status: int
) -> None:
    with connected(tenant.service) as connection:
        connection.send(publish(tenant, 1.0, *lines))
        assert connection.answer().status == status
    assert stored_values(tenant) == []
