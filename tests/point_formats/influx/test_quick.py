"""The quick reader has the readable one's verdict on any body."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.point_formats.influx import quick
from adapters.point_formats.influx.precisions import VERSION_1, VERSION_3, ToMilliseconds
from adapters.point_formats.influx.quick import QuickReader
from adapters.point_formats.influx.readable import LineReader, read_readably
from application.errors import BodyTooLarge
from application.publishing.limits import check_count
from application.publishing.ports import BodyTerms, Decoded
from tests.point_formats.influx.bodies import bodies

RECEIVED = 1_790_000_000_000
TERMS = BodyTerms(RECEIVED + 86_400_000, RECEIVED, 1000)
KEPT = QuickReader()


def verdict(decoded: Decoded) -> tuple[object, ...]:
    """Return all that a reader says, values bit for bit."""
    rows = [
        (point.name, point.timestamp, struct.pack(">d", point.value), point.tags)
        for point in decoded.points.points()
    ]
    refused = decoded.refused
    return rows, refused and (refused.first, refused.counts), decoded.timed


@pytest.mark.parametrize("precision", [VERSION_1["s"], VERSION_3["auto"]])
@example(body=b'm f="3 5\nm f=1 2')
@example(body=b'm f=1 2\nm f="\nm f=1 2')
@example(body=rb"m\ f=1 2")
@example(body=b"m\\\\ f=1 2\nm f\\\\=1 2")
@example(body=b"\tm f=1 2\n#m f=1 2")
@example(body=b'm f="\n\n",g=2 3\nm f=1 2')
@given(body=bodies())
def test_the_quick_reader_says_what_the_readable_one_says(
    precision: ToMilliseconds, body: bytes
) -> None:
    expected = verdict(read_readably(body, TERMS, precision))
    assert verdict(QuickReader().read(body, TERMS, precision)) == expected
    # What a reader remembers of other bodies makes no difference.
    assert verdict(KEPT.read(body, TERMS, precision)) == expected


@given(body=bodies(), limit=st.integers(0, 6))
def test_both_refuse_the_same_bodies_as_too_large(body: bytes, limit: int) -> None:
    terms = BodyTerms(TERMS.latest, RECEIVED, limit)
    outcomes: list[object] = []
    for read in (read_readably, QuickReader().read):
        try:
            decoded = read(body, terms, VERSION_1["s"])
            refused = decoded.refused.points if decoded.refused else 0
            check_count(len(decoded.points) + refused, limit)  # as the use case does
            outcomes.append(verdict(decoded))
        except BodyTooLarge:
            outcomes.append("too large")
    assert outcomes[0] == outcomes[1]


def test_plain_lines_are_not_read_readably(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(quick, "read_readably", fail)
    monkeypatch.setattr(LineReader, "read", fail)
    body = b"cpu,host=a user=1.5,idle=2i,on=t 1500000000\nmem value=-3e5 1500000001\r\n"
    assert len(QuickReader().read(body, TERMS, VERSION_1["s"]).points) == 4
