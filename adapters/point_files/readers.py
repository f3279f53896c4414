"""Reading points back, as batches ready to be published.

Only what keeps a point from being an item of a batch is an error here; whether the item obeys the
rules of a publish, the service says.
"""

from __future__ import annotations

import csv
import math
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import msgspec
from msgspec import Struct

from adapters.point_files.errors import PointFileError
from adapters.point_files.formats import COLUMNS, Format, as_published

_encode = msgspec.json.Encoder().encode
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode

Numbered = tuple[int, bytes]


class Batch(Struct, frozen=True):
    """Points as JSON items of a publish, and the line (of Parquet: the row) each stands at."""

    places: list[int]
    items: list[bytes]

    @property
    def body(self) -> bytes:
        return b'{"metrics":[%b]}' % b",".join(self.items)


def read_batches(path: Path, form: Format, size: int) -> Iterator[Batch]:
    """Yield a file's points, `size` a batch, the same batches for the same file.

    Raises PointFileError where there is one that cannot be read, and OSError.
    """
    match form:
        case Format.JSONL:
            with path.open("rb") as file:
                yield from _batches(_json_lines(file), size)
        case Format.CSV:
            with path.open(encoding="utf-8-sig", newline="") as text:
                yield from _batches(_csv_lines(text), size)
        case Format.PARQUET:
            yield from _batches(_parquet_rows(path, size), size)


def count_points(path: Path, form: Format) -> int:
    """Return about how many points a file has: its lines, or its rows. Raises as `read_batches`."""
    if form is Format.PARQUET:
        with _arrow_errors():
            import pyarrow.parquet as pq

            return int(pq.read_metadata(path).num_rows)
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _batches(items: Iterable[Numbered], size: int) -> Iterator[Batch]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        places, encoded = zip(*chunk, strict=True)
        yield Batch(list(places), list(encoded))


def _json_lines(file: BinaryIO) -> Iterator[Numbered]:
    for number, line in enumerate(file, start=1):
        if number == 1:
            line = line.removeprefix(BOM_UTF8)
        if not (item := line.strip()):
            continue
        try:
            msgspec.json.decode(item, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PointFileError(f"line {number} is not a JSON object: {error}") from error
        yield number, item


def _csv_lines(text: TextIO) -> Iterator[Numbered]:
    reader = csv.DictReader(text, restkey="")
    try:
        if sorted(reader.fieldnames or ()) != sorted(COLUMNS):
            raise PointFileError(f"line 1 must name the columns {', '.join(COLUMNS)}")
        for row in reader:
            yield reader.line_num, _csv_item(row, reader.line_num)
    except (csv.Error, UnicodeDecodeError) as error:
        raise PointFileError(f"line {reader.line_num + 1} is not CSV: {error}") from error


def _csv_item(row: dict[str, Any], line: int) -> bytes:
    if None in row.values() or "" in row:
        raise PointFileError(f"line {line} must have {len(COLUMNS)} fields")
    try:
        timestamp = int(_plain(row["timestamp"]))
    except ValueError:
        raise PointFileError(f"line {line}: timestamp must be a whole number") from None
    place = f"line {line}"
    return _item(row["name"], timestamp, _number(row["value"], place), _tags(row["tags"], place))


def _plain(given: Any) -> Any:
    """Return text or a number. Raises ValueError for the underscores that only Python reads."""
    if isinstance(given, str) and "_" in given:
        raise ValueError
    return given


def _number(given: Any, place: str) -> float:
    try:
        value = float(_plain(given))
    except (ValueError, TypeError):
        value = math.nan
    if not math.isfinite(value):
        raise PointFileError(f"{place}: value must be a finite number")
    return value


def _parquet_rows(path: Path, size: int) -> Iterator[Numbered]:
    with _arrow_errors():
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            if missing := set(COLUMNS) - set(file.schema_arrow.names):
                raise PointFileError(f"lacks the column {', '.join(sorted(missing))}")
            row = 0
            for chunk in file.iter_batches(size, columns=list(COLUMNS)):
                times = chunk.column("timestamp")
                is_time = pa.types.is_timestamp(times.type)
                if is_time:
                    times = times.cast(pa.timestamp("ms", times.type.tz), safe=False)
                    times = times.cast(pa.int64())
                columns = (chunk.column("name"), times, chunk.column("value"), chunk.column("tags"))
                for name, time, value, tags in zip(*map(_list, columns), strict=True):
                    row += 1
                    place = f"row {row}"
                    if not isinstance(time, int):
                        raise PointFileError(f"{place}: timestamp must be a whole number")
                    timestamp = as_published(time) if is_time else time
                    yield row, _item(name, timestamp, _number(value, place), _tags(tags, place))


def _list(column: Any) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values


def _tags(tags: Any, place: str) -> dict[str, str]:
    """Return tags, whether they are JSON text or pairs."""
    try:
        return _decode_tags(tags) if isinstance(tags, str) else dict(tags or ())
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError):
        raise PointFileError(f"{place}: tags must be an object of strings") from None


def _item(name: str, timestamp: int, value: float, tags: dict[str, str]) -> bytes:
    return _encode({"name": name, "timestamp": timestamp, "value": value, "tags": tags})


@contextmanager
def _arrow_errors() -> Iterator[None]:
    """Translate what Parquet's library raises; it is imported within, being slow to import."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        raise PointFileError(f"is not a Parquet file that can be read: {error}") from error
