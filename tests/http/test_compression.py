"""Compressed answers: for clients that accept them, and only where they are smaller."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from adapters.http.compression import MIN_SIZE, accepts_gzip, compressed
from adapters.http.problems import Answer


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip;q=0.5", True),
        ("br, gzip ; q=0.001", True),
        ("x-gzip", True),
        ("*", True),
        ("*;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("gzip;q=x", False),
        ("identity", False),
        ("br, deflate", False),
        ("", False),
    ],
)
def test_which_headers_accept_gzip(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) == accepted


@pytest.mark.parametrize("size", [0, 1, MIN_SIZE - 1, MIN_SIZE, 1 << 20])
@pytest.mark.parametrize("accept", ["gzip", "identity"])
def test_only_large_bodies_are_compressed(size: int, accept: str) -> None:
    body = b"0123456789" * (size // 10) + b"x" * (size % 10)
    answer = Answer(200, [(b"content-length", b"%d" % size), (b"x-other", b"1")], body)
    found = asyncio.run(compressed(answer, accept))
    headers = dict(found.headers)
    assert headers[b"vary"] == b"Accept-Encoding"
    assert headers[b"x-other"] == b"1"
    assert len(found.headers) == len(headers)
    assert int(headers[b"content-length"]) == len(found.body)
    if size >= MIN_SIZE and accept == "gzip":
        assert headers[b"content-encoding"] == b"gzip"
        assert gzip.decompress(found.body) == body
        assert len(found.body) < size
    else:
        assert b"content-encoding" not in headers
        assert found.body == body
