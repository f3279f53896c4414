"""Reading Parquet: one point per row."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

from adapters.point_files.formats import COLUMNS
from adapters.point_files.items import Located, located
from application.publishing.import_points import UnreadablePoints

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


@contextmanager
def opened_parquet(file: BinaryIO, *, regular: bool) -> Iterator[ParquetRows]:
    """Open a Parquet file for the block.

    Parquet is read from its end, so a pipe or the like is first copied to a temporary file. Raises
    UnreadablePoints if it is not a Parquet file or a column has an undocumented type, and OSError.
    """
    import pyarrow as pa  # here and below, since it loads slowly and other formats do not need it
    import pyarrow.parquet as pq

    from adapters.point_files.parquet_types import readers_of

    with ExitStack() as stack:
        if not regular:
            spool = stack.enter_context(TemporaryFile(prefix="cave-import-"))
            shutil.copyfileobj(file, spool, 1 << 20)
            file = spool
        try:
            # Without pre_buffer, one batch is read at a time instead of an entire row group.
            parquet = stack.enter_context(pq.ParquetFile(file, pre_buffer=False))
            schema = parquet.schema_arrow
        except pa.ArrowException as error:
            raise UnreadablePoints(f"is not a readable Parquet file: {error}") from error
        yield ParquetRows(parquet, readers_of(schema))


class ParquetRows:
    """The rows of an open Parquet file; `total` is their number according to its metadata."""

    def __init__(self, parquet: pq.ParquetFile, readers: list[Any]) -> None:
        self._parquet = parquet
        self._readers = readers
        self.total = int(parquet.metadata.num_rows)

    def items(self, size: int) -> Iterator[Located]:
        """Yield the points, read `size` at a time. Raises UnreadablePoints."""
        row = 0
        for chunk in self._chunks(size):
            columns = [_values(chunk.column(name)) for name in COLUMNS]
            for fields in zip(*columns, strict=True):
                row += 1
                place = f"row {row}"
                yield located(
                    row,
                    *(
                        _field(read, field, column, place)
                        for read, field, column in zip(self._readers, fields, COLUMNS, strict=True)
                    ),
                )

    def _chunks(self, size: int) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        done = 0
        chunks = self._parquet.iter_batches(size, columns=list(COLUMNS))
        while True:
            try:
                chunk = next(chunks, None)
            except (pa.ArrowException, OSError) as error:
                last = min(done + size, self.total)
                raise UnreadablePoints(
                    f"rows {done + 1} to {last} cannot be read: {error}"
                ) from error
            if chunk is None:
                return
            done += chunk.num_rows
            yield chunk


def _field(read: Any, field: Any, column: str, place: str) -> Any:
    if isinstance(field, UnicodeDecodeError):
        raise UnreadablePoints(f"{place}: {column} is not UTF-8: {field.reason}") from field
    return read(field, place)


def _values(column: pa.Array) -> list[Any]:
    """Return a column's values; times as integers in their unit, free of any calendar's bounds.

    For a value that is not UTF-8 the error is returned, so that the rows before it can still be
    used.
    """
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        return [_value(scalar) for scalar in column]
    return values


def _value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError as error:
        return error
