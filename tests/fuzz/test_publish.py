"""Any body gets the contract's verdict, and points are stored as the contract says."""

from __future__ import annotations

import gzip
import struct
import sys
import zlib
from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.bodies import MAX_BODY, bodies, mutated
from tests.fuzz.conftest import Answer, Target, many
from tests.fuzz.verdict import Refused, Row, points_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}


def check(target: Target, answer: Answer, body: bytes) -> None:
    """Check the answer to a body within the limits against the contract."""
    try:
        expected = points_of(body)
    except Refused:
        assert answer.status == 400, answer
        assert answer.receipt is None
        assert answer.problem()["detail"]
        return
    assert answer.status == 202, answer
    assert answer.body == b""
    stored = target.stored(answer.receipt) if answer.receipt is not None else []
    assert exactly(stored) == exactly(expected)


def exactly(rows: list[Row]) -> list[tuple[object, ...]]:
    """Return rows with their values bit for bit: 0.0 is not -0.0."""
    return [(name, time, struct.pack(">d", value), tags) for name, time, value, tags in rows]


@many
@example(body=rb'{"metrics":"\ud800","metrics":[]}')
@given(body=bodies)
def test_any_body_gets_the_contracts_verdict(target: Target, body: bytes) -> None:
    before = target.events()
    answer = target.send(body)
    check(target, answer, body)
    assert target.events() - before == (answer.receipt is not None)


@many
@given(body=bodies, coding=st.sampled_from(list(COMPRESS)))
def test_the_verdict_is_the_same_for_every_content_encoding(
    target: Target, body: bytes, coding: str
) -> None:
    packed = COMPRESS[coding](body)
    headers = {"Authorization": f"Bearer {target.token}", "Content-Encoding": coding}
    check(target, target.send(packed, headers), body)


@many
@given(data=st.data(), coding=st.sampled_from(["gzip", "deflate", "zstd"]))
def test_damaged_compressed_bodies_are_refused_or_read_as_they_are(
    target: Target, data: st.DataObject, coding: str
) -> None:
    packed = data.draw(mutated(bodies.map(COMPRESS[coding])) | st.binary(max_size=60))
    headers = {"Authorization": f"Bearer {target.token}", "Content-Encoding": coding}
    answer = target.send(packed, headers)
    assert answer.status in (202, 400, 413), answer


@many
@given(size=st.integers(MAX_BODY - 2, MAX_BODY + 2), chunked=st.booleans())
def test_the_limit_is_exact(target: Target, size: int, chunked: bool) -> None:
    headers = {"Authorization": f"Bearer {target.token}"}
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
    body = b'{"metrics": []}'.ljust(size)
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    assert target.send(sent, headers).status == (413 if size > MAX_BODY else 202)
