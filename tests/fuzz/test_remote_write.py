"""Any body of remote write gets the rules' verdict: good points are stored once, others counted."""

from __future__ import annotations

import time
from collections.abc import Callable

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.conftest import Target, many
from tests.fuzz.test_publish import exactly
from tests.fuzz.verdict import MAX_FUTURE_MS
from tests.point_formats.remote_write.requests import (
    damaged,
    requests_1,
    requests_2,
)
from tests.point_formats.remote_write.slow_reader import (
    Reading,
    read_version_1,
    read_version_2,
)
from tests.point_formats.remote_write.wire import Malformed, text, varint

PATH = "/organizations/gilt/prometheus/api/v1/write"
VERSIONS = pytest.mark.parametrize(
    ("proto", "requests", "read"),
    [
        ("prometheus.WriteRequest", requests_1, read_version_1),
        ("io.prometheus.write.v2.Request", requests_2, read_version_2),
    ],
)
Read = Callable[[bytes, int], Reading]
Requests = Callable[[], st.SearchStrategy[bytes]]


def packed(content: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(content))


def headers(target: Target, proto: str) -> dict[str, str | bytes]:
    return {
        "Authorization": f"Bearer {target.token}",
        "Content-Type": f"application/x-protobuf;proto={proto}",
        "Content-Encoding": "snappy",
    }


def check(target: Target, body: bytes, proto: str, read: Read) -> None:
    try:
        expected = read(body, int(time.time() * 1000) + MAX_FUTURE_MS)
    except Malformed:
        expected = None
    before = target.events()
    answer = target.send(packed(body), headers(target, proto), PATH)
    if expected is None:
        assert (answer.status, answer.receipt) == (400, None), answer
        assert answer.body
        assert target.events() == before
    else:
        assert answer.status == (400 if expected.refused else 204), answer
        refused = sum(points for *_, points in expected.refused)
        total = refused + len(expected.rows)
        said = f"{refused} of {total} points were refused: ".encode() if refused else b""
        assert answer.body.startswith(said)
        if expected.rows:
            assert answer.receipt is not None
            stored = exactly(target.stored(answer.receipt))
            assert stored == [
                (name, at, v[::-1], dict(tags)) for name, at, v, tags in expected.rows
            ]
        # Points are one event, and descriptions another one, if they are new.
        points, described = bool(expected.rows), bool(expected.descriptions)
        assert points <= target.events() - before <= points + described


def stamped(proto: str) -> bytes:
    """Return an unknown field that makes a body like no other, which would not be stored again."""
    return text(15 if "v2" in proto else 14, varint(time.time_ns()))


@many
@VERSIONS
@given(data=st.data())
def test_any_request_gets_the_rules_verdict(
    target: Target, data: st.DataObject, proto: str, requests: Requests, read: Read
) -> None:
    check(target, data.draw(requests()) + stamped(proto), proto, read)


@many
@VERSIONS
@given(data=st.data())
def test_damaged_requests_have_one_reading(
    target: Target, data: st.DataObject, proto: str, requests: Requests, read: Read
) -> None:
    body = data.draw(damaged(requests()) | st.binary(max_size=60))
    check(target, stamped(proto) + body, proto, read)


@many
@given(content=damaged(requests_1().map(packed)) | st.binary(max_size=60))
def test_damaged_snappy_is_refused_or_read_as_it_is(target: Target, content: bytes) -> None:
    answer = target.send(content, headers(target, "prometheus.WriteRequest"), PATH)
    assert answer.status in (204, 400, 413), answer


def test_a_bomb_is_refused_by_its_declared_length(target: Target) -> None:
    for declared in (1 << 30, (1 << 32) - 1):
        bomb = varint(declared) + packed(bytes(1000))[2:]
        answer = target.send(bomb, headers(target, "prometheus.WriteRequest"), PATH)
        assert answer.status == 413
