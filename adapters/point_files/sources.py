"""Opening a file, pipe or standard input as a source of points."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from adapters.point_files.csv_records import csv_items
from adapters.point_files.formats import Format
from adapters.point_files.items import Located
from adapters.point_files.json_lines import json_items
from adapters.point_files.parquet_rows import opened_parquet
from application.publishing.import_points import ItemBatch

STANDARD_INPUT = Path("-")

_descriptor = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,6})").fullmatch


class OpenedPoints(Struct):
    """Implements the port PointSource over an open file."""

    unit: str
    total: int | None
    path: str | None
    items: Callable[[int], Iterable[Located]]

    def batches(self, size: int) -> Iterator[ItemBatch]:
        iterator = iter(self.items(size))
        while chunk := list(islice(iterator, size)):
            places, encoded, texts = zip(*chunk, strict=True)
            yield ItemBatch(list(places), list(encoded), any_value=any(texts))


@contextmanager
def opened_points(path: Path, form: Format) -> Iterator[OpenedPoints]:
    """Open `path` for the block; `-` is standard input. It is opened and read only once.

    Raises UnreadablePoints if it is not a file of that format, and OSError.
    """
    with _opened(path) as file:
        regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        resolved = str(_resolved(path, file)) if regular else None
        if form is Format.PARQUET:
            with opened_parquet(file, regular=regular) as rows:
                yield OpenedPoints("row", rows.total, resolved, rows.items)
            return
        total = _count_lines(file) if regular else None
        items = json_items if form is Format.JSONL else csv_items
        yield OpenedPoints("line", total, resolved, lambda _size: items(file))


def _opened(path: Path) -> BinaryIO:
    if (number := _open_descriptor(path)) is not None:
        # Opening the path again fails for a socket, and loses the position in a file.
        return os.fdopen(os.dup(number), "rb")
    return path.open("rb")


def _open_descriptor(path: Path) -> int | None:
    if path == STANDARD_INPUT or str(path) in ("/dev/stdin", "/proc/self/fd/0"):
        return 0
    match = _descriptor(str(path))
    return int(match[1]) if match else None


def _resolved(path: Path, file: BinaryIO) -> Path:
    """Return the path of a regular file, even if it was opened as a descriptor."""
    if _open_descriptor(path) is None:
        return path.resolve()
    try:
        return Path(f"/proc/self/fd/{file.fileno()}").readlink()
    except OSError:  # not Linux: the name has to do
        return path


def _count_lines(file: BinaryIO) -> int:
    """Count the remaining lines, and restore the position."""
    begin = file.tell()
    lines, last = 0, b"\n"
    while chunk := file.read(1 << 20):
        lines += chunk.count(b"\n")
        last = chunk[-1:]
    file.seek(begin)
    return lines + (last != b"\n")
