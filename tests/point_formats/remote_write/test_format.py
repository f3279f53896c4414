"""The formats as the service uses them: on the event loop or in a thread, scanned or not."""

from __future__ import annotations

import asyncio

import pytest

from adapters.compiled_code import Program
from adapters.point_formats.reader_format import MAX_ON_LOOP, ReaderFormat
from adapters.point_formats.remote_write.scanning import ScanningReader, scanners
from adapters.point_formats.remote_write.version_2 import Version2Reader
from application.publishing.ports import BodyTerms, Decoded
from tests.compiled_code.missing import raise_not_compiled
from tests.point_formats.remote_write.requests import (
    TIME,
    named,
    request_1,
    request_2,
    sample,
    series_1,
    series_2,
)
from tests.point_formats.remote_write.slow_reader import (
    LATEST,
    read_version_1,
    read_version_2,
    reading_of,
)

MAX_POINTS = 10_000
TERMS = BodyTerms(LATEST, TIME, MAX_POINTS)
SERIES = [(named("up", host=f"h{n}", path="x" * 100), sample(float(n))) for n in range(3000)]
SIZES = pytest.mark.parametrize("series", [1, 100, 3000])


async def decode_twice(point_format: ReaderFormat, body: bytes) -> list[Decoded]:
    """Decode a body twice at the same time."""
    return await asyncio.gather(*(point_format.decode(body, TERMS) for _ in range(2)))


@SIZES
def test_version_1_is_read_the_same_before_and_after_the_scanner_is_loaded(series: int) -> None:
    body = request_1(*(series_1(*each) for each in SERIES[:series]))
    assert (len(body) > MAX_ON_LOOP) is (series == 3000)
    loading = scanners(MAX_POINTS)
    point_format = ReaderFormat(lambda: ScanningReader(loading))
    assert point_format.repeats
    expected = read_version_1(body)
    with asyncio.Runner() as runner:
        for _ in range(2):
            for decoded in runner.run(decode_twice(point_format, body)):
                assert reading_of(decoded) == expected
            loading.load()


@SIZES
def test_version_2_is_read_whatever_its_size(series: int) -> None:
    body = request_2(*(series_2(*each) for each in SERIES[:series]))
    for decoded in asyncio.run(decode_twice(ReaderFormat(Version2Reader), body)):
        assert reading_of(decoded) == read_version_2(body)


def test_the_first_large_body_loads_the_scanner() -> None:
    loading = scanners(MAX_POINTS)
    reader = ScanningReader(loading)
    reader.read(request_1(series_1(*SERIES[0])), TERMS)
    assert loading.thread is None
    reader.read(request_1(*(series_1(*each) for each in SERIES[:100])), TERMS)
    assert loading.thread is not None
    loading.thread.join()
    assert loading.get() is not None


def test_without_compiled_code_everything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Program, "load", raise_not_compiled)
    loading = scanners(MAX_POINTS)
    loading.load()
    assert loading.get() is None
    assert loading.thread is not None
    loading.thread.join()
    body = request_1(*(series_1(*each) for each in SERIES[:100]))
    assert reading_of(ScanningReader(loading).read(body, TERMS)) == read_version_1(body)
