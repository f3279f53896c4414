"""Reading JSON lines: one item of a publish per line."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from adapters.json_text.broken_text import readable
from adapters.point_files.items import MAX_LINE, Located
from application.publishing.import_points import UnreadablePoints
from domain.values import TEXTS


def json_items(file: BinaryIO) -> Iterator[Located]:
    """Yield the items unchanged; empty lines are only counted. Raises UnreadablePoints."""
    for number, line in lines_of(file):
        if not (item := line.strip()):
            continue
        try:
            fields = msgspec.json.decode(item, type=dict[str, Any])
        except UnicodeDecodeError as error:
            # Its position counts from the string that it is in: no place in the line.
            raise UnreadablePoints(f"line {number} is not UTF-8: {error.reason}") from error
        except (msgspec.DecodeError, RecursionError) as error:
            if readable(item) is not None:
                raise UnreadablePoints(
                    f"line {number} has text that is not valid Unicode"
                ) from error
            raise UnreadablePoints(f"line {number} is not a JSON object: {error}") from error
        value = fields.get("value")
        yield Located(number, item, isinstance(value, str) and value in TEXTS)


def lines_of(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number; drops a byte order mark before the first.

    Raises UnreadablePoints for a line longer than MAX_LINE.
    """
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise UnreadablePoints(f"line {number} is longer than {MAX_LINE:,} bytes")
        yield number, line.removeprefix(BOM_UTF8) if number == 1 else line
