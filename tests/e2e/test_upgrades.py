"""Requests that offer another protocol are served in HTTP/1.1, as if they had not offered it."""

from __future__ import annotations

import pytest

from tests.e2e.tenant import Tenant
from tests.e2e.test_connections import LIVE, connected, publish, stored_values
from tests.e2e.test_heads import MAX_HEAD, chunked, head_of, in_pieces, tenant_publish

H2C = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
)
"""As Java's HTTP client offers it with each connection's first request."""

WEBSOCKET = (
    "connection: keep-alive, upgrade",
    "UPGRADE: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def offering(request: bytes, fields: tuple[str, ...]) -> bytes:
    line, rest = request.split(b"\r\n", 1)
    return b"\r\n".join([line, *(field.encode() for field in fields), rest])


@pytest.mark.parametrize("fields", [H2C, WEBSOCKET])
@pytest.mark.parametrize("piece", [1, 7, 100, 10_000])
def test_a_publish_is_stored(tenant: Tenant, fields: tuple[str, ...], piece: int) -> None:
    with connected(tenant.service) as connection:
        for value in (1.0, 2.0):
            for part in in_pieces(offering(publish(tenant, value), fields), piece):
                connection.send(part)
            assert connection.answer().status == 202
        connection.send(publish(tenant, 3.0))
        assert connection.answer().status == 202
    assert stored_values(tenant) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "change",
    [
        (b"\r\n", b"\r\nConnection: close\r\n"),
        (b"Connection: Upgrade,", b"Connection: close, Upgrade,"),
        (b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_a_last_request_is_stored_and_ends_the_connection(
    tenant: Tenant, change: tuple[bytes, bytes]
) -> None:
    request = offering(publish(tenant, 1.0), H2C).replace(*change, 1)
    for pieces in ([request], in_pieces(request, 7)):
        with connected(tenant.service) as connection:
            for part in pieces:
                connection.send(part)
            assert connection.answer().status == 202
            assert connection.ended()
    assert stored_values(tenant) == [1.0, 1.0]


@pytest.mark.parametrize("piece", [7, 100_000])
def test_pipelined_requests_are_answered_in_order(tenant: Tenant, piece: int) -> None:
    offers = [
        offering(publish(tenant, float(value), "Idempotency-Key: k"), H2C) for value in (1, 2)
    ]
    body = offering(tenant_publish(tenant, "Transfer-Encoding: chunked", body=chunked()), H2C)
    live = offering(LIVE, H2C)
    content = b"".join([offers[0], live * 500, body, LIVE, offers[1], live])
    expected = [202, *[200] * 500, 202, 200, 422, 200]
    with connected(tenant.service) as connection:
        for part in in_pieces(content, piece):
            connection.send(part)
        assert [connection.answer().status for _ in expected] == expected


def test_its_body_is_not_taken_for_a_request(tenant: Tenant) -> None:
    inner = publish(tenant, 1.0)
    request = offering(tenant_publish(tenant, f"Content-Length: {len(inner)}", body=inner), H2C)
    with connected(tenant.service) as connection:
        connection.send(request + LIVE)
        assert [connection.answer().status for _ in range(2)] == [400, 200]
    assert stored_values(tenant) == []


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (head_of(MAX_HEAD + 1), 431),
        (b"POST / HTTP/1.1\r\nHost: cave\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"CONNECT cave:80 HTTP/1.1\r\nHost: cave\r\n\r\n", 400),
    ],
)
def test_what_is_refused_is_still_refused(
    tenant: Tenant, request_bytes: bytes, status: int
) -> None:
    with connected(tenant.service) as connection:
        connection.send(offering(request_bytes, H2C))
        assert connection.answer().status == status
        assert connection.ended()
