"""Answers to `prometheus.ReadRequest`: series with their samples, or in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, groupby, islice
from typing import Any, TypeVar

import cramjam
import google_crc32c
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from adapters.http.problems import Headers
from adapters.http.prometheus.remote_read.chunks import MAX_SAMPLES, xor_chunks
from adapters.http.prometheus.remote_read.messages import (
    STREAMED_XOR_CHUNKS,
    XOR,
    Chunk,
    ChunkedReadResponse,
    ChunkedSeries,
    Label,
    TimeSeries,
)
from adapters.http.prometheus.remote_read.samples import sample_fields
from application.reading.query_budget import QueryBudget
from application.reading.series import Series

BATCH = 1 << 16
"""About how many samples are written together."""

CHUNKS_IN_FRAME = 20_000
"""Chunks of a series in a frame: at most 40 MB, since Prometheus reads no frame above 50 MB."""

Results = Sequence[Sequence[Series]]
"""The series of each query."""

T = TypeVar("T")


class Content(Struct, frozen=True):
    """An answer's body, and the headers that describe it."""

    headers: Headers
    body: bytes


def content(response_type: int, results: Results, budget: QueryBudget) -> Content:
    """Return the answer in one of the types of ReadRequest. Raises what the budget raises."""
    if response_type == STREAMED_XOR_CHUNKS:
        media_type = b"application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
        return Content([(b"content-type", media_type)], chunked_responses(results, budget))
    return Content(
        [(b"content-type", b"application/x-protobuf"), (b"content-encoding", b"snappy")],
        read_response(results, budget),
    )


def read_response(results: Results, budget: QueryBudget) -> bytes:
    """Return a `prometheus.ReadResponse` as a block of snappy."""
    parts: list[bytes] = []
    size = 0
    for series in results:
        of_query: list[bytes] = []
        for part in _time_series(series):
            of_query.append(part)
            size += len(part)
            budget.check_memory(size)
        parts.append(_delimiter(1, sum(map(len, of_query))))  # ReadResponse.results
        parts += of_query
    # The parts, the whole and its compressed form are in memory at the same time.
    budget.check_memory(3 * size)
    return bytes(cramjam.snappy.compress_raw(b"".join(parts)))


def _time_series(series: Sequence[Series]) -> Iterator[bytes]:
    """Yield each series as the field `timeseries` of a QueryResult."""
    for batch in _batches(series, lambda one: len(one.times)):
        fields = sample_fields(
            np.concatenate([_times(one) for one in batch]),
            np.concatenate([_values(one) for one in batch]),
            [*accumulate(len(one.times) for one in batch)],
        )
        for one, samples in zip(batch, fields, strict=True):
            labels = TimeSeries(labels=_labels(one)).SerializeToString()
            yield _delimiter(1, len(labels) + len(samples)) + labels + samples


def chunked_responses(results: Results, budget: QueryBudget) -> bytes:
    """Return frames with a `prometheus.ChunkedReadResponse`, each with chunks of one series."""
    frames: list[bytes] = []
    size = 0
    for index, series in enumerate(results):
        for one, chunks in groupby(_chunks(series), lambda found: found[0]):
            while some := [chunk for _, chunk in islice(chunks, CHUNKS_IN_FRAME)]:
                chunked = ChunkedSeries(labels=_labels(one), chunks=some)
                message = ChunkedReadResponse(chunked_series=[chunked], query_index=index)
                frames.append(_frame(message.SerializeToString()))
                size += len(frames[-1])
                # Twice, because the frames are joined.
                budget.check_memory(2 * size)
    return b"".join(frames)


def _chunks(series: Sequence[Series]) -> Iterator[tuple[Series, Any]]:
    """Yield the chunks of each series, in order."""
    cut = (
        (one, slice(start, start + MAX_SAMPLES))
        for one in series
        for start in range(0, len(one.times), MAX_SAMPLES)
    )
    for batch in _batches(cut, lambda _: MAX_SAMPLES):
        parts = [(_times(one)[within], _values(one)[within]) for one, within in batch]
        for (one, _), (times, _), data in zip(batch, parts, xor_chunks(parts), strict=True):
            first, last = int(times[0]), int(times[-1])
            yield one, Chunk(min_time_ms=first, max_time_ms=last, type=XOR, data=data)


def _batches(items: Iterable[T], samples: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield items in lists that have BATCH samples, or a few more."""
    batch: list[T] = []
    size = 0
    for item in items:
        batch.append(item)
        size += samples(item)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _labels(series: Series) -> list[Any]:
    return [Label(name=name, value=value) for name, value in sorted(series.labels.items())]


def _times(series: Series) -> npt.NDArray[np.int64]:
    return np.frombuffer(series.times, np.int64)


def _values(series: Series) -> npt.NDArray[np.float64]:
    return np.frombuffer(series.values, np.float64)


def _frame(message: bytes) -> bytes:
    """Return a message after its length and its checksum (CRC-32C)."""
    checksum = int(google_crc32c.value(message))
    return _varint(len(message)) + checksum.to_bytes(4, "big") + message


def _delimiter(field: int, size: int) -> bytes:
    """Return what precedes the `size` bytes of a field that is a message."""
    return _varint(field << 3 | 2) + _varint(size)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
