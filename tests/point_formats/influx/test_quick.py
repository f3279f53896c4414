"""The quick reader and the scanner have the readable reader's verdict on any body."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.compiled_code import Program
from adapters.point_formats.influx import quick
from adapters.point_formats.influx.format import LineReaders
from adapters.point_formats.influx.precisions import VERSION_1, VERSION_3, ToMilliseconds
from adapters.point_formats.influx.quick import QuickReader
from adapters.point_formats.influx.readable import LineReader, read_readably
from adapters.point_formats.influx.scanner import MAX_ODD_LINES, LineScanner
from adapters.point_formats.scanned_texts import MAX_TEXT
from application.errors import BodyTooLarge
from application.publishing.limits import check_count
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason
from domain.columns import CodedColumn
from tests.compiled_code.missing import raise_not_compiled
from tests.point_formats.influx.bodies import bodies, good_lines

RECEIVED = 1_790_000_000_000
CAPACITY = 1000
TERMS = BodyTerms(RECEIVED + 86_400_000, RECEIVED, CAPACITY)
KEPT, SCANNER = QuickReader(), LineScanner(CAPACITY)
SECONDS = VERSION_1["s"]

Read = Callable[[bytes, BodyTerms, ToMilliseconds], Decoded | None]


def verdict(decoded: Decoded | None) -> tuple[object, ...]:
    """Return all that a reader says, values bit for bit."""
    assert decoded is not None
    rows = [
        (point.name, point.timestamp, struct.pack(">d", point.value), point.tags)
        for point in decoded.points.points()
    ]
    refused = decoded.refused
    return rows, refused and (refused.first, refused.counts), decoded.timed


@pytest.mark.parametrize("precision", [SECONDS, VERSION_3["auto"]])
@example(body=b'm f="3 5\nm f=1 2')
@example(body=b'm f=1 2\nm f="\nm f=1 2')
@example(body=rb"m\ f=1 2")
@example(body=b"m\\\\ f=1 2\nm f\\\\=1 2")
@example(body=b"\tm f=1 2\n#m f=1 2")
@example(body=b'm f="\n\n",g=2 3\nm f=1 2')
@example(body=b"m f=-0,g=-0i,h=-0.0 1\nm f=1 9223372036854775808")
@example(body=b"\x00 f=1 2\n\x00f=1 2\n f=1 2\n=f=1 2")
@example(body=b"m f=True,g=TRUE,h=t,i=tr\x00 1\nm f=1 2\x00")
@given(body=bodies())
def test_the_other_readers_say_what_the_readable_one_says(
    precision: ToMilliseconds, body: bytes
) -> None:
    expected = verdict(read_readably(body, TERMS, precision))
    assert verdict(QuickReader().read(body, TERMS, precision)) == expected
    # What a reader remembers of other bodies makes no difference.
    assert verdict(KEPT.read(body, TERMS, precision)) == expected
    scanned = SCANNER.scan(body, TERMS, precision)
    if scanned is not None:
        assert verdict(scanned) == expected


@given(body=bodies(), limit=st.integers(0, 6))
def test_all_refuse_the_same_bodies_as_too_large(body: bytes, limit: int) -> None:
    terms = BodyTerms(TERMS.latest, RECEIVED, limit)

    def outcome(read: Read) -> object:
        try:
            decoded = read(body, terms, SECONDS)
            if decoded is None:
                return None
            refused = decoded.refused.points if decoded.refused else 0
            check_count(len(decoded.points) + refused, limit)  # as the use case does
            return verdict(decoded)
        except BodyTooLarge:
            return "too large"

    expected = outcome(read_readably)
    assert outcome(QuickReader().read) == expected
    assert outcome(SCANNER.scan) in (expected, None)
    assert outcome(LineScanner(limit).scan) in (expected, None)


TIMED = b"""\
cpu,host=a user=1.5,idle=2i 1500000000
mem value=-3e5,free=t 1500000001\r
disk,host=\xc3\xa9 f=12345678901234567890.5,g=false,h=1i 1500000001
"""
UNTIMED = b"""\
# a comment, with "quotes" and \xff

disk,host=\xc3\xa9 f=1u
"""


@pytest.mark.parametrize(
    ("read", "body"),
    [(QuickReader().read, TIMED), (SCANNER.scan, TIMED), (SCANNER.scan, UNTIMED + TIMED)],
)
def test_plain_lines_are_not_read_readably(
    monkeypatch: pytest.MonkeyPatch, read: Read, body: bytes
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    expected = verdict(read_readably(body, TERMS, SECONDS))
    monkeypatch.setattr(quick, "read_readably", fail)
    monkeypatch.setattr(LineReader, "read", fail)
    assert verdict(read(body, TERMS, SECONDS)) == expected


@given(lines=st.lists(good_lines(), min_size=1, max_size=20), data=st.data())
def test_a_scan_goes_on_behind_lines_that_are_not_plain(
    lines: list[str], data: st.DataObject
) -> None:
    odd = st.sampled_from(['m s="a\nb",f=1', "bad", r"a\,b f=1 1500000000", "m f=1,g="])
    for _ in range(data.draw(st.integers(1, 5))):
        lines.insert(data.draw(st.integers(0, len(lines))), data.draw(odd))
    body = "\n".join(lines).encode("ascii", "replace")
    expected = read_readably(body, TERMS, SECONDS)
    scanned = SCANNER.scan(body, TERMS, SECONDS)
    reasons = set(expected.refused.counts) if expected.refused else set()
    if reasons <= {Reason.SYNTAX, Reason.UNSUPPORTED}:  # of others, the series or time is invalid
        assert verdict(scanned) == verdict(expected)


@pytest.mark.parametrize(
    "body",
    [
        b"bad\n" * (MAX_ODD_LINES + 1),
        b"m f=1\n" * (CAPACITY + 1),
        b"m,t= f=1\n",
        b"m f=1e400\n",
        b"m f=1 99999999999999\n",
        b"m,t=\xff f=1\n",
        b"bad\nm,t=\xc3\xa9 f=1\n",
        b"m" * (MAX_TEXT + 1) + b" f=1\nm,t=\xc3\xa9 f=1\n",
    ],
)
def test_a_scanner_gives_up_on_a_body_that_takes_long_or_is_invalid(body: bytes) -> None:
    assert SCANNER.scan(body, TERMS, SECONDS) is None


def test_a_scanner_whose_texts_are_full_forgets_them() -> None:
    scanner = LineScanner(50_000)
    terms = BodyTerms(TERMS.latest, RECEIVED, 50_000)

    def body(first: int) -> bytes:
        return b"".join(b"m,host=%d f=1 1500000000\n" % n for n in range(first, first + 50_000))

    read = [scanner.scan(body(number * 50_000), terms, SECONDS) for number in range(5)]
    assert [found is None for found in read] == [False, False, True, False, False]
    for number, found in enumerate(read):
        if found is not None:
            tags = [each.as_dict() for each in found.points.tag_sets]
            assert tags == [{"host": str(n + number * 50_000)} for n in range(50_000)]


def test_equal_tag_sets_are_in_a_batch_once() -> None:
    body = b"a,t=x f=1 1500000000\nb,t=x f=1 1500000000\na,u=y,t=x f=1 1500000000\n"
    for read in (SCANNER.scan, QuickReader().read):
        found = read(body, TERMS, SECONDS)
        assert found is not None
        assert isinstance(found.points.tag_sets, CodedColumn)
        assert [len(found.points.tag_sets.table), *found.points.tag_sets.codes] == [2, 0, 0, 1]


def test_a_line_of_many_keys_is_scanned_or_given_up() -> None:
    few = b"m " + b",".join(b"f%d=%d" % (n, n) for n in range(CAPACITY)) + b" 1500000000"
    assert verdict(SCANNER.scan(few, TERMS, SECONDS)) == verdict(read_readably(few, TERMS, SECONDS))
    large = LineScanner(50_000)
    many = b"m " + b",".join(b"f%d=%d" % (n, n) for n in range(50_000)) + b" 1500000000"
    assert large.scan(many, BodyTerms(TERMS.latest, RECEIVED, 50_000), SECONDS) is None


def read_by(readers: LineReaders, body: bytes) -> Decoded:
    return asyncio.run(readers.read(body, TERMS, SECONDS))


def test_the_first_large_body_loads_the_scanner() -> None:
    readers = LineReaders(CAPACITY)
    read_by(readers, TIMED)
    assert readers.scanner.thread is None
    large = TIMED * 30
    expected = verdict(read_readably(large, TERMS, SECONDS))
    assert verdict(read_by(readers, large)) == expected
    assert readers.scanner.thread is not None
    readers.scanner.thread.join()
    assert readers.scanner.made is not None
    assert verdict(read_by(readers, large)) == expected


def test_without_compiled_code_lines_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Program, "load", raise_not_compiled)
    readers = LineReaders(CAPACITY, scan_from=0)
    readers.scanner.load()
    assert readers.scanner.made is None
    assert len(read_by(readers, TIMED).points) == 7
