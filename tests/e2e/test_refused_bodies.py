"""413 and 415: bodies that are too large, or of an unsupported type or encoding."""

from __future__ import annotations

import gzip
import socket
import sys
import zlib
from collections.abc import Callable

import pytest

from tests.e2e.conftest import MAX_BODY, MAX_INFLATED, MAX_POINTS
from tests.e2e.tenant import POINT, Tenant, metrics

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}
BOMB = 64 << 20


def padded(size: int) -> bytes:
    """Return a valid body of that size."""
    return metrics(POINT).ljust(size)


@pytest.mark.parametrize("encoding", [*COMPRESS, "GZIP", "x-gzip"])
def test_a_compressed_body_is_accepted(tenant: Tenant, encoding: str) -> None:
    content = COMPRESS[encoding.lower().removeprefix("x-")](padded(MAX_INFLATED))
    response = tenant.publish(content, headers={"Content-Encoding": encoding})
    assert response.status_code == 202
    assert len(tenant.events()[response.headers["cave-receipt"]].event.points) == 1


def test_the_limit_as_sent_is_exact(tenant: Tenant) -> None:
    assert tenant.publish(padded(MAX_BODY)).status_code == 202
    tenant.refused(413, "body-too-large", padded(MAX_BODY + 1))


def test_a_body_of_undeclared_length_ends_at_the_limit(tenant: Tenant) -> None:
    sent = {"Authorization": f"Bearer {tenant.token}"}
    parts = (bytes(100_000) for _ in range(MAX_BODY // 100_000 + 1))
    response = tenant.client.post(tenant.metrics_path(), content=parts, headers=sent)
    assert response.status_code == 413


def test_a_declared_length_over_the_limit_is_refused_before_the_body_is_sent(
    tenant: Tenant,
) -> None:
    head = (
        f"POST {tenant.metrics_path()} HTTP/1.1\r\nHost: cave\r\n"
        f"Authorization: Bearer {tenant.token}\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n"
    )
    address = (tenant.service.host, tenant.service.port)
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_body_that_inflates_over_the_limit_is_refused(tenant: Tenant, encoding: str) -> None:
    sent = {"Content-Encoding": encoding}
    over = COMPRESS[encoding](padded(MAX_INFLATED + 1))
    tenant.refused(413, "body-too-large", over, headers=sent)
    bomb = COMPRESS[encoding](bytes(BOMB))
    problem = tenant.refused(413, "body-too-large", bomb, headers=sent)
    assert str(MAX_INFLATED) in problem["detail"]


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_body_not_in_its_declared_encoding_is_malformed(tenant: Tenant, encoding: str) -> None:
    sent = {"Content-Encoding": encoding}
    whole = COMPRESS[encoding](metrics(POINT))
    for content in (b"", metrics(POINT), whole[:-1], whole[:10], whole + b"x"):
        tenant.refused(400, "malformed-body", content, headers=sent)


def test_more_points_than_a_batch_may_have_are_too_many(tenant: Tenant) -> None:
    tiny = {"name": "a", "timestamp": 0, "value": 1, "tags": {}}
    assert tenant.publish(metrics(*[tiny] * MAX_POINTS)).status_code == 202
    problem = tenant.refused(413, "body-too-large", metrics(*[tiny] * (MAX_POINTS + 1)))
    assert str(MAX_POINTS) in problem["detail"]


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "json", "/"])
def test_another_media_type_is_not_supported(tenant: Tenant, media: str) -> None:
    problem = tenant.refused(415, "unsupported-media", headers={"Content-Type": media})
    assert "application/json" in problem["detail"]


@pytest.mark.parametrize("encoding", ["br", "compress", "gzip, gzip", "gzip, zstd", "\xff"])
def test_another_encoding_is_not_supported(tenant: Tenant, encoding: str) -> None:
    sent = {"Content-Encoding": encoding.encode("latin-1")}
    problem = tenant.refused(415, "unsupported-media", headers=sent)
    assert all(name in problem["detail"] for name in COMPRESS)
