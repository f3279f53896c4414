"""Writing points to a file, chunk by chunk."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, BinaryIO

import msgspec

from adapters.point_files.formats import COLUMNS, Format, as_published
from application.reading.ports import PointRow, PointWriter
from domain.values import number_or_text


@contextmanager
def point_writer(form: Format, output: BinaryIO) -> Iterator[PointWriter]:
    """Yield a writer of points to `output`, which stays open.

    The output is complete once the block has ended.
    """
    match form:
        case Format.JSONL:
            yield _JsonLines(output)
        case Format.CSV:
            text = TextIOWrapper(output, encoding="utf-8", newline="", write_through=True)
            try:
                yield _Csv(text)
                text.flush()
            finally:
                text.detach()
        case Format.PARQUET:
            with _parquet(output) as writer:
                yield writer


class _JsonLines:
    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._encode = msgspec.json.Encoder().encode_lines

    def write(self, rows: Sequence[PointRow]) -> None:
        self._output.write(
            self._encode(
                [
                    {
                        "name": row.name,
                        "timestamp": as_published(row.time),
                        "value": number_or_text(row.value),
                        "tags": row.tags,
                    }
                    for row in rows
                ]
            )
        )


class _Csv:
    """Writes values as Python does: the shortest text that reads back as the same float.

    Values that are not finite are written as in JSON lines.
    """

    def __init__(self, output: TextIOWrapper) -> None:
        self._writer = csv.writer(output, lineterminator="\n")
        self._writer.writerow(COLUMNS)
        self._encode = msgspec.json.Encoder().encode

    def write(self, rows: Sequence[PointRow]) -> None:
        self._writer.writerows(
            (
                row.name,
                as_published(row.time),
                number_or_text(row.value),
                self._encode(row.tags).decode(),
            )
            for row in rows
        )


class _Parquet:
    def __init__(self, writer: Any, schema: Any) -> None:
        self._writer = writer
        self._schema = schema

    def write(self, rows: Sequence[PointRow]) -> None:
        import pyarrow as pa

        columns = [
            [row.name for row in rows],
            [row.time for row in rows],
            [row.value for row in rows],
            [list(row.tags.items()) for row in rows],
        ]
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))


@contextmanager
def _parquet(output: BinaryIO) -> Iterator[_Parquet]:
    # Here and above, since pyarrow is slow to load and the other formats do not need it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = (
        pa.string(),
        pa.timestamp("ms", "UTC"),
        pa.float64(),
        pa.map_(pa.string(), pa.string()),
    )
    schema = pa.schema(
        [pa.field(name, kind, nullable=False) for name, kind in zip(COLUMNS, types, strict=True)]
    )
    with pq.ParquetWriter(output, schema, compression="zstd") as writer:
        yield _Parquet(writer, schema)
