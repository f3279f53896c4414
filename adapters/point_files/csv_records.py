"""Reading CSV: one point per record, after a line that names the columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from adapters.point_files.formats import COLUMNS
from adapters.point_files.items import (
    MAX_LINE,
    Located,
    located,
    tags_in_json,
    value_in_text,
    whole_number,
)
from adapters.point_files.json_lines import lines_of
from application.publishing.import_points import UnreadablePoints

_line_ends = re.compile(r"\r\n|\r|\n").findall


def csv_items(file: BinaryIO) -> Iterator[Located]:
    """Yield points, each with the line where its record begins. Raises UnreadablePoints.

    Quoted fields may span lines; an error names the line where the invalid field begins.
    """
    records = _records(file)
    _, heading = next(records, (1, []))
    if sorted(heading) != sorted(COLUMNS):
        raise UnreadablePoints(f"line 1 must name the columns {', '.join(COLUMNS)}")
    name, timestamp, value, tags = map(heading.index, COLUMNS)
    for line, record in records:
        if len(record) != len(COLUMNS):
            raise UnreadablePoints(f"line {line} must have {len(COLUMNS)} fields")
        places = _places(line, record)
        yield located(
            line,
            record[name],
            whole_number(record[timestamp], places[timestamp]),
            value_in_text(record[value], places[value]),
            tags_in_json(record[tags], places[tags]),
        )


def _places(line: int, record: Sequence[str]) -> list[str]:
    places = []
    for field in record:
        places.append(f"line {line}")
        if "\n" in field or "\r" in field:
            line += len(_line_ends(field))
    return places


def _records(file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """Yield the non-empty records, each with the line where it begins."""
    csv.field_size_limit(MAX_LINE)
    lines = _Lines(file)
    reader = csv.reader(lines, strict=True)
    while True:
        lines.begin_record()
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise UnreadablePoints(f"{lines.record()} is not CSV: {error}") from error
        if record is None:
            return
        if record:
            yield lines.first, record


class _Lines(Iterator[str]):
    """A file's lines as text, decoded one by one so that a bad byte is reported with its line.

    `first` is the line where the record being read begins.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._lines = self._split(file)
        self.number = 0
        self.first = 1

    def begin_record(self) -> None:
        self.first = self.number + 1

    def record(self) -> str:
        """Describe where the record begins, and the last line read of it."""
        last = f" (read to line {self.number})" if self.first < self.number else ""
        return f"line {self.first}{last}"

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise UnreadablePoints(f"line {self.number} is not UTF-8: {error.reason}") from error

    @staticmethod
    def _split(file: BinaryIO) -> Iterator[bytes]:
        """Split at \\n, \\r\\n and \\r, as editors count lines."""
        for _, line in lines_of(file):
            yield from line.splitlines(keepends=True)
