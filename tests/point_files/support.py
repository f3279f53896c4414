"""Reading files of points in tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.point_files import Format, opened_points
from application.publishing.import_points import UnreadablePoints

ITEM = {"name": "orders", "timestamp": 1398788625, "value": 1.5, "tags": {"host": "a"}}


def read(path: Path, form: Format, size: int = 2) -> list[tuple[int, Any]]:
    """Return every point with its place."""
    read, error = read_until_error(path, form, size)
    if error is not None:
        raise error
    return read


def read_until_error(
    path: Path, form: Format, size: int
) -> tuple[list[tuple[int, Any]], UnreadablePoints | None]:
    """Return the points of all batches before an error, and the error if there is one."""
    read: list[tuple[int, Any]] = []
    try:
        read.extend(_located(path, form, size))
    except UnreadablePoints as error:
        return read, error
    return read, None


def _located(path: Path, form: Format, size: int) -> Iterator[tuple[int, Any]]:
    with opened_points(path, form) as source:
        for batch in source.batches(size):
            for place, item in zip(batch.places, batch.items, strict=True):
                yield place, json.loads(item)


def parquet(path: Path, *, row_group: int | None = None, **columns: Any) -> Path:
    """Write a table of these columns; columns that are not given are those of valid points."""
    count = len(next(iter(columns.values()), [0]))
    defaults = {
        "name": ["orders"] * count,
        "timestamp": [1398788625] * count,
        "value": [1.5] * count,
        "tags": pa.array([[("host", "a")]] * count, pa.map_(pa.string(), pa.string())),
    }
    pq.write_table(pa.table({**defaults, **columns}), path, row_group_size=row_group)
    return path
