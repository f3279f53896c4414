"""Request bodies are read and decompressed within limits."""

from __future__ import annotations

import asyncio
import gzip
import random
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.http.body import (
    MAX_MEMBERS,
    PIECE,
    BodyBudget,
    ClientDisconnected,
    Holding,
    content_coding,
    inflate,
    read_body,
)
from adapters.http.errors import TooManyBodies, UnsupportedMedia
from application.errors import BodyTooLarge, MalformedBody

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MEBIBYTE = 1 << 20


def deflate_raw(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "raw deflate": deflate_raw,
    "zstd": zstd.compress,
}


def coding(kind: str) -> str:
    return kind.rpartition(" ")[2]


@pytest.mark.parametrize("kind", COMPRESS)
@settings(max_examples=50)
@given(data=st.binary(max_size=2000))
def test_a_compressed_body_is_decompressed(kind: str, data: bytes) -> None:
    assert inflate(COMPRESS[kind](data), coding(kind), 2000) == data


@pytest.mark.parametrize("kind", COMPRESS)
def test_the_limit_is_inclusive(kind: str) -> None:
    compressed = COMPRESS[kind](b"x" * 1000)
    assert len(inflate(compressed, coding(kind), 1000)) == 1000
    with pytest.raises(BodyTooLarge, match="999"):
        inflate(compressed, coding(kind), 999)


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_bomb_is_not_decompressed_past_the_limit(kind: str) -> None:
    bomb = COMPRESS[kind](bytes(256 * MEBIBYTE))
    tracemalloc.start()
    with pytest.raises(BodyTooLarge):
        inflate(bomb, coding(kind), MEBIBYTE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * MEBIBYTE


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_body_cut_short_is_malformed(kind: str) -> None:
    whole = COMPRESS[kind](bytes(range(256)) * 10)
    for length in (1, len(whole) // 2, len(whole) - 1):
        with pytest.raises(MalformedBody):
            inflate(whole[:length], coding(kind), 10_000)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_several_members_are_one_body(kind: str) -> None:
    parts = COMPRESS[kind](b"ab") + COMPRESS[kind](b"") + COMPRESS[kind](b"cd")
    assert inflate(parts, kind, 4) == b"abcd"
    with pytest.raises(BodyTooLarge):
        inflate(parts, kind, 3)


@pytest.mark.parametrize("kind", COMPRESS)
def test_extra_bytes_after_the_data_are_malformed(kind: str) -> None:
    with pytest.raises(MalformedBody):
        inflate(COMPRESS[kind](b"ab") + b"garbage", coding(kind), 1000)


@pytest.mark.parametrize("kind", ["gzip", "deflate", "zstd"])
def test_plain_text_is_not_valid_compressed_data(kind: str) -> None:
    with pytest.raises(MalformedBody):
        inflate(b'{"metrics": []}', kind, 1000)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        (b"", None),
        (b"identity", None),
        (b"GZIP", "gzip"),
        (b" x-gzip", "gzip"),
        (b"deflate", "deflate"),
        (b"zstd", "zstd"),
    ],
)
def test_content_codings(header: bytes | None, expected: str | None) -> None:
    assert content_coding(header) == expected


@pytest.mark.parametrize("header", [b"br", b"gzip, gzip", b"\xff"])
def test_other_codings_are_refused(header: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        content_coding(header)


def read(*messages: dict[str, Any], limit: int = 10) -> bytes:
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(left)

    return asyncio.run(read_body(receive, limit))


def chunk(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


def test_chunks_of_a_body_are_joined() -> None:
    assert read(chunk(b"ab", more=True), chunk(b"", more=True), chunk(b"cd")) == b"abcd"


def test_a_body_is_refused_as_soon_as_it_is_over_the_limit() -> None:
    with pytest.raises(BodyTooLarge):
        read(chunk(b"x" * 11, more=True))
    with pytest.raises(BodyTooLarge):
        read(chunk(b"x" * 10, more=True), chunk(b"x", more=True))


def test_a_disconnect_raises_client_disconnected() -> None:
    with pytest.raises(ClientDisconnected):
        read(chunk(b"ab", more=True), {"type": "http.disconnect"})


def test_the_budget_refuses_more_than_is_left_and_is_given_back() -> None:
    budget = BodyBudget(10)
    budget.take(7)
    with pytest.raises(TooManyBodies):
        budget.take(4)
    budget.take(3)
    budget.give_back(10)
    budget.take(10)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_several_streams_are_one_body_up_to_a_maximum_number(kind: str) -> None:
    whole = COMPRESS[kind](b"a") * MAX_MEMBERS
    assert inflate(whole, kind, MAX_MEMBERS) == b"a" * MAX_MEMBERS
    with pytest.raises(MalformedBody, match=str(MAX_MEMBERS)):
        inflate(whole + COMPRESS[kind](b"a"), kind, 2 * MAX_MEMBERS)


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_body_larger_than_a_piece_is_decompressed(kind: str) -> None:
    data = random.Random(1).randbytes(3 * PIECE + 17)
    assert inflate(COMPRESS[kind](data), coding(kind), len(data)) == data


def test_a_budget_is_taken_as_a_body_arrives_and_given_back() -> None:
    budget = BodyBudget(10)

    async def arriving() -> None:
        left = iter([chunk(b"x" * 6, more=True), chunk(b"x" * 6)])

        async def receive() -> dict[str, Any]:
            return next(left)

        with Holding(budget) as holding:
            await read_body(receive, 100, holding.take)

    with pytest.raises(TooManyBodies):
        asyncio.run(arriving())
    budget.take(10)
