"""The readers of each version agree with a slow one, on every body."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.point_formats.remote_write import wire
from adapters.point_formats.remote_write.scanner import Scanner
from adapters.point_formats.remote_write.version_1 import Version1Reader
from adapters.point_formats.remote_write.version_2 import Version2Reader
from adapters.point_formats.scanned_texts import MAX_TEXTS
from application.errors import MalformedBody
from application.publishing.ports import BodyTerms
from tests.point_formats.remote_write.requests import (
    TIME,
    Labels,
    damaged,
    metadata_1,
    named,
    request_1,
    request_2,
    requests_1,
    requests_2,
    sample,
    series_1,
    series_2,
)
from tests.point_formats.remote_write.slow_reader import (
    LATEST,
    Reading,
    read_version_1,
    read_version_2,
    reading_of,
)
from tests.point_formats.remote_write.wire import Malformed

TERMS = BodyTerms(LATEST, TIME, 1000)
VERSION_1, VERSION_2, SCANNER = Version1Reader(), Version2Reader(), Scanner(1000)

MORE = [(b"job", b"node"), (b"zone", b"b")]

thorough = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def read(reader: Version1Reader | Version2Reader, body: bytes) -> Reading | None:
    try:
        return reading_of(reader.read(body, TERMS))
    except MalformedBody:
        return None


def read_slowly(read: Callable[[bytes], Reading], body: bytes) -> Reading | None:
    try:
        return read(body)
    except Malformed:
        return None


def check_scanner(body: bytes, expected: Reading | None) -> None:
    """Check that the scanner gives up, or reads the same; with new labels, and with known ones."""
    for _ in range(2):
        scanned = SCANNER.scan(body, TERMS)
        assert scanned is None or reading_of(scanned) == expected


@thorough
@given(body=requests_1())
def test_version_1_is_read_as_the_slow_reader_does(body: bytes) -> None:
    # An unknown field may have the number of one that is known, but not its form.
    expected = read_slowly(read_version_1, body)
    for _ in range(2):
        assert read(VERSION_1, body) == expected
    check_scanner(body, expected)


@thorough
@given(body=requests_2())
def test_version_2_is_read_as_the_slow_reader_does(body: bytes) -> None:
    expected = read_slowly(read_version_2, body)
    for _ in range(2):
        assert read(VERSION_2, body) == expected


@thorough
@given(body=damaged(requests_1()) | st.binary(max_size=40))
def test_damaged_bodies_of_version_1_have_one_reading(body: bytes) -> None:
    expected = read(VERSION_1, body)
    assert expected == read_slowly(read_version_1, body)
    check_scanner(body, expected)


@thorough
@given(body=damaged(requests_2()) | st.binary(max_size=40))
def test_damaged_bodies_of_version_2_have_one_reading(body: bytes) -> None:
    assert read(VERSION_2, body) == read_slowly(read_version_2, body)


small_labels = st.sampled_from([named("up", host=f"h{n}") for n in range(5)] + [named("")])
small_samples = st.lists(st.builds(sample, st.floats(), st.sampled_from([TIME, -1])), max_size=2)


@thorough
@given(
    shape=st.lists(st.tuples(small_labels, small_samples), min_size=1, max_size=20),
    described=st.integers(0, 3),
    piece=st.integers(120, 600),
)
def test_a_body_in_pieces_is_read_like_the_whole(
    shape: list[tuple[Labels, list[bytes]]], described: int, piece: int
) -> None:
    body_1 = request_1(
        *(series_1(labels, *samples) for labels, samples in shape),
        metadata=[metadata_1(2, f"m{n}") for n in range(described)],
    )
    metadata = (2, "Help.", "s") if described else None
    body_2 = request_2(*(series_2(labels, *sent, metadata=metadata) for labels, sent in shape))
    for reader, body in ((VERSION_1, body_1), (VERSION_2, body_2)):
        whole = read(reader, body)
        assert whole is not None
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(wire, "PIECE", piece)
            assert read(reader, body) == whole


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=30
    )
)
def test_what_most_clients_send_is_scanned(shape: list[tuple[int, int, int]]) -> None:
    """Labels are often the beginning of other ones, and follow others than last time."""
    body = request_1(
        *(
            series_1([*named("up", host=f"h{host}"), *MORE[:more]], *[sample(1.0)] * samples)
            for host, more, samples in shape
        )
    )
    scanned = SCANNER.scan(body, TERMS)
    assert scanned is not None
    assert reading_of(scanned) == read_version_1(body)


def test_more_series_than_are_remembered_are_scanned() -> None:
    scanner = Scanner(TERMS.max_points)
    assert scanner._known.arrays.hashes.size == MAX_TEXTS
    for first in range(0, MAX_TEXTS + 3000, 1000):
        numbers = range(first, first + 1000)
        body = request_1(*(series_1(named("up", n=f"{n}"), sample(float(n))) for n in numbers))
        scanned = scanner.scan(body, TERMS)
        assert scanned is not None
        assert [*scanned.points.values] == [float(n) for n in numbers]
        assert [each.pairs for each in scanned.points.tag_sets] == [
            (("n", f"{n}"),) for n in numbers
        ]
