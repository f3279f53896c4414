"""The fastest reader of a publish body: one pass of compiled code over its bytes.

A decoder makes four objects per point, which then have to be sorted into columns. The scanner
writes the columns directly: numbers as numbers, and each name and tag set as the number of its
text. A new text is checked once and then remembered.

It gives up on anything that few clients write (an escape in a name, a field twice, a time that is
not a plain integer), which the decoder then reads.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from adapters.point_formats.json.compiled_scan import FULL, PROGRAM, RECENT, Columns
from adapters.point_formats.known_texts import KnownTexts
from adapters.point_formats.scanned_texts import PADDING
from domain.columns import CodedColumn, code_type

T = TypeVar("T")


class ScannedColumns(NamedTuple, Generic[T]):
    """The columns of a body; `timestamps` as sent."""

    names: CodedColumn[str]
    timestamps: CodedColumn[int]
    values: array[float]
    tag_sets: CodedColumn[T]


class BodyScanner(Generic[T]):
    """Scans bodies of at most `max_points` points, for one thread. Raises NotCompiled.

    `name` and `tag_set` decode the JSON of a name and of tags, and return None if it is invalid.

    Memory is bounded: 60 bytes of arrays per point of `max_points`, and the texts remembered, as
    `KnownTexts` bounds them. Tags of more than `MAX_TEXT` bytes (16 KiB) are not scanned, so tags
    at the contract's limits, up to 40 of 255 + 1024 characters, are decoded and not remembered.
    """

    def __init__(
        self,
        max_points: int,
        name: Callable[[bytes], str | None],
        tag_set: Callable[[bytes], T | None],
    ) -> None:
        def meaning(text: bytes) -> str | T | None:
            return name(text) if text.startswith(b'"') else tag_set(text)

        self._texts = KnownTexts(meaning)
        self._batch = 0
        self._columns = columns = Columns(
            names=np.zeros(max_points, np.uint32),
            times=np.zeros(max_points, np.uint32),
            values=np.zeros(max_points, np.float64),
            tags=np.zeros(max_points, np.uint32),
            name_table=np.zeros(max_points, np.int32),
            time_table=np.zeros(max_points, np.int64),
            tag_table=np.zeros(max_points, np.int32),
            hard=np.zeros(3 * max_points, np.int64),
            recent=np.zeros(RECENT, np.int64),
        )
        self._scan = PROGRAM.load()(self._texts.arrays, columns)

    def scan(self, body: bytes) -> ScannedColumns[T] | None:
        """Return the columns of a body of at least one point, or None if it gives up."""
        points, hard, names, times, tags = self._scanned(body)
        if points == FULL:
            self._texts.forget()
            points, hard, names, times, tags = self._scanned(body)
        self._texts.learn()
        if points < 0:
            return None
        columns, meaning = self._columns, self._texts.meanings.__getitem__
        found_names = [*map(meaning, columns.name_table[:names].tolist())]
        found_tags = [*map(meaning, columns.tag_table[:tags].tolist())]
        if None in found_names or None in found_tags:
            return None
        for row, start, end in columns.hard[: 3 * hard].reshape(-1, 3).tolist():
            columns.values[row] = float(body[start:end])
        return ScannedColumns(
            _coded(found_names, columns.names[:points]),
            _coded(columns.time_table[:times].tolist(), columns.times[:points]),
            array("d", columns.values[:points].tobytes()),
            _coded(found_tags, columns.tags[:points]),
        )

    def _scanned(self, body: bytes) -> list[int]:
        self._batch += 1
        return self._scan(body + PADDING, len(body), self._batch)


def _coded(table: Sequence[T], codes: NDArray[np.uint32]) -> CodedColumn[T]:
    sort = code_type(len(table))
    return CodedColumn(table, array(sort, codes.astype(sort).tobytes()))
