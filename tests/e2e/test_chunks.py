"""Chunked bodies whose framing is invalid: each request has exactly one answer, and the last."""

from __future__ import annotations

import json
import time

import pytest

from tests.e2e.tenant import Tenant
from tests.e2e.test_connections import LIVE, connected, publish, stored_values

INVALID = [
    b"zz\r\n",
    b"-1\r\n",
    b"5\r\nfive!no-end\r\n",
    b"5\r\nfive!\r\nzz\r\n",
    b"fffffffffffffffff\r\n",
    b"2\r\n{}\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n",
]


def head(path: str, token: str) -> bytes:
    """Return the head of a request with a chunked body."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: cave",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@pytest.mark.parametrize("body", INVALID)
@pytest.mark.parametrize("path", ["metrics", "tokens", "opentsdb/api/put"])
def test_a_request_whose_chunks_are_invalid_is_refused(
    tenant: Tenant, path: str, body: bytes
) -> None:
    """In one piece and in two, of which the second comes once the request is being read."""
    request = head(f"{tenant.path}/{path}", tenant.token)
    for pieces in ((request + body,), (request, body)):
        with connected(tenant.service) as connection:
            for piece in pieces:
                connection.send(piece)
                time.sleep(0.05)
            answer = connection.answer()
            assert answer.status in (400, 501)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["connection"] == "close"
            assert json.loads(answer.content)["status"] == answer.status  # type: ignore[attr-defined]
            assert connection.ended()
    assert stored_values(tenant) == []


@pytest.mark.parametrize("earlier", [1, 2, 5])
def test_earlier_requests_are_answered_before_the_refusal(tenant: Tenant, earlier: int) -> None:
    request = head(tenant.metrics_path(), tenant.token)
    with connected(tenant.service) as connection:
        connection.send(LIVE * earlier + publish(tenant, 1.0) + request + b"zz\r\n")
        assert [connection.answer().status for _ in range(earlier)] == [200] * earlier
        assert [connection.answer().status for _ in range(2)] == [202, 400]
        assert connection.ended()
    assert stored_values(tenant) == [1.0]


def test_a_request_that_was_answered_before_its_body_has_no_second_answer(tenant: Tenant) -> None:
    with connected(tenant.service) as connection:
        connection.send(head(tenant.metrics_path(), "unknown"))
        assert connection.answer().status == 403
        connection.send(b"zz\r\n")
        assert connection.ended()
