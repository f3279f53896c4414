"""Heads of requests: their size limit, and the transfer codings they may name."""

from __future__ import annotations

import json
import time

import pytest

from tests.e2e.tenant import POINT, Tenant, metrics
from tests.e2e.test_connections import connected, stored_values
from tests.service import Service

MAX_HEAD = 64 * 1024


def head_of(size: int, path: str = "/health/live") -> bytes:
    """Return the head of a GET request of exactly `size` bytes, including the empty line."""
    lines = b"GET %b HTTP/1.1\r\nHost: cave\r\nX-One: %%b\r\n\r\n" % path.encode()
    return lines % (b"x" * (size - len(lines) + len("%b")))


def in_pieces(head: bytes, size: int) -> list[bytes]:
    return [head[at : at + size] for at in range(0, len(head), size)]


@pytest.mark.parametrize("piece", [1 << 20, 40_000, 1000])
def test_a_head_of_64_kib_is_read_in_whatever_pieces_it_comes(service: Service, piece: int) -> None:
    with connected(service) as connection:
        for data in in_pieces(head_of(MAX_HEAD), piece):
            connection.send(data)
        assert connection.answer().status == 200


@pytest.mark.parametrize("piece", [1 << 20, 40_000, 1000])
@pytest.mark.parametrize("size", [MAX_HEAD + 1, MAX_HEAD + 5000, 200_000])
def test_a_larger_head_is_refused_in_whatever_pieces_it_comes(
    service: Service, size: int, piece: int
) -> None:
    with connected(service) as connection:
        for data in in_pieces(head_of(size), piece):
            connection.send(data)
        answer = connection.answer()
        assert answer.status == 431
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["connection"] == "close"
        assert json.loads(answer.content)["status"] == 431  # type: ignore[attr-defined]
        assert connection.ended()


def test_a_head_of_many_small_fields_is_as_large_as_all_of_them(service: Service) -> None:
    fields = b"".join(b"X-%d: 1\r\n" % number for number in range(7000))
    assert len(fields) > MAX_HEAD
    with connected(service) as connection:
        connection.send(b"GET /health/live HTTP/1.1\r\nHost: cave\r\n%b\r\n" % fields)
        assert connection.answer().status == 431


def test_a_refused_head_after_other_requests_is_answered_last(tenant: Tenant) -> None:
    """Otherwise the client would take the refusal for the answer to a stored batch."""
    with connected(tenant.service) as connection:
        connection.send(tenant_publish(tenant) + head_of(MAX_HEAD + 1))
        assert [connection.answer().status for _ in range(2)] == [202, 431]
        assert connection.ended()
    with connected(tenant.service) as connection:
        connection.send(head_of(1000) * 2 + head_of(MAX_HEAD + 1))
        assert [connection.answer().status for _ in range(3)] == [200, 200, 431]
        assert connection.ended()


def tenant_publish(tenant: Tenant, *fields: str, body: bytes | None = None) -> bytes:
    content = metrics(POINT) if body is None else body
    lines = [
        f"POST {tenant.metrics_path()} HTTP/1.1",
        "Host: cave",
        f"Authorization: Bearer {tenant.token}",
        *(fields or [f"Content-Length: {len(content)}"]),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def chunked() -> bytes:
    content = metrics(POINT)
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)


@pytest.mark.parametrize(
    "fields",
    [
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: gzip"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: deflate, chunked"],
        ["Transfer-Encoding: chunked, gzip"],
        ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
        ["transfer-encoding: GZIP,chunked"],
    ],
)
def test_a_transfer_coding_other_than_chunked_is_not_implemented(
    tenant: Tenant, fields: list[str]
) -> None:
    with connected(tenant.service) as connection:
        connection.send(tenant_publish(tenant, *fields, body=chunked()))
        answer = connection.answer()
        assert answer.status == 501
        assert answer.headers["content-type"] == "application/problem+json"
        assert "chunked" in json.loads(answer.content)["detail"]  # type: ignore[attr-defined]
        assert connection.ended()
    time.sleep(0)
    assert stored_values(tenant) == []


@pytest.mark.parametrize("coding", ["chunked", "Chunked", " chunked "])
def test_chunked_is_the_only_transfer_coding(tenant: Tenant, coding: str) -> None:
    with connected(tenant.service) as connection:
        connection.send(tenant_publish(tenant, f"Transfer-Encoding: {coding}", body=chunked()))
        assert connection.answer().status == 202
