"""Requests prepared before the measurement: as a file for wrk, or as bytes for the pusher."""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from tests.benchmarks.formats import Format
from tests.benchmarks.points import INTERVAL, SERIES, points

POINTS_PER_PASS = 100_000
"""Points prepared for wrk; all their times advance after each pass through them."""

STAMP = "@" * 10
"""The placeholder for the ten digits of a time in a prepared body."""


class Body(Struct, frozen=True):
    """A body with stamps, their offsets, and the seconds to write there."""

    content: bytes
    offsets: Sequence[int]
    seconds: Sequence[int]


@lru_cache(maxsize=8)
def bodies(form: Format, size: int) -> Sequence[Body]:
    """Return the bodies of one pass, `size` points each."""
    return [_body(form, number * size, size) for number in range(max(1, POINTS_PER_PASS // size))]


def _body(form: Format, first: int, size: int) -> Body:
    chosen = list(points(first, size))
    content = form.content(chosen, STAMP)
    offsets = [match.start() for match in re.finditer(STAMP.encode(), content)]
    return Body(content, offsets, [point.second for point in chosen[: len(offsets)]])


def write_requests(path: Path, head: bytes, form: Format, size: int) -> None:
    """Write the requests of one pass, for `load.lua`.

    All numbers are unsigned 32-bit integers in native byte order: the number of requests, and the
    seconds by which times advance per pass; then for each request its length and number of stamps,
    the offset and second of each stamp, and its text, padded to a multiple of four bytes.
    """
    prepared = bodies(form, size)
    span = -(-len(prepared) * size // SERIES) * INTERVAL
    with path.open("wb") as file:
        file.write(struct.pack("=II", len(prepared), span))
        for body in prepared:
            start = head + b"%d\r\n\r\n" % len(body.content)
            text = start + body.content
            places = array("I")
            for offset, second in zip(body.offsets, body.seconds, strict=True):
                places.append(len(start) + offset)
                places.append(second)
            file.write(struct.pack("=II", len(text), len(body.offsets)))
            file.write(places.tobytes())
            file.write(text + b"\0" * (-len(text) % 4))


def requests(
    head: bytes, form: Format, size: int, count: int, first: int = 0, *, ever_new: bool = False
) -> Iterator[bytes]:
    """Yield `count` requests of `size` points each, from point number `first` on."""
    for number in range(count):
        chosen = list(points(first + number * size, size, ever_new=ever_new))
        content = form.content(chosen, None)
        yield head + b"%d\r\n\r\n%s" % (len(content), content)
