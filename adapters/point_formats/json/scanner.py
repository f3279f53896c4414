"""The fastest reader of publish bodies: one pass of compiled code over the bytes of several.

A decoder makes four objects per point, which then have to be sorted into columns. The scanner
writes the columns directly: numbers as numbers, and each name and tag set as the number of its
text. A new text is checked once and then remembered. Calling compiled code takes as long as
scanning some forty points, so the bodies that arrive together are scanned together.

It gives up on anything that few clients write (an escape in a name, a field twice, a time that is
not a plain integer), which the decoder then reads.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

import numpy as np

from adapters.compiled_code import BoundFunction
from adapters.point_formats.json.compiled_scan import FULL, PROGRAM, Columns
from adapters.point_formats.known_texts import KnownTexts
from adapters.point_formats.scanned_texts import PADDING
from domain.columns import CodedColumn
from domain.metric_point import PointBatch, TagSet
from domain.values import all_finite


class BodyScanner:
    """Scans bodies, of which those scanned together have at most `max_points` points.

    For one thread. `name` and `tag_set` decode the JSON of a name and of tags, and return None if
    it is invalid. Raises NotCompiled.

    Memory is bounded: 56 bytes of arrays per point of `max_points`, and the texts remembered, as
    `KnownTexts` bounds them. Tags of more than `MAX_TEXT` bytes (16 KiB) are not scanned, so tags
    at the contract's limits, up to 40 of 255 + 1024 characters, are decoded and not remembered.
    """

    def __init__(
        self,
        max_points: int,
        name: Callable[[bytes], str | None],
        tag_set: Callable[[bytes], TagSet | None],
    ) -> None:
        def meaning(text: bytes) -> str | TagSet | None:
            return name(text) if text.startswith(b'"') else tag_set(text)

        self._texts = KnownTexts(meaning)
        self._batch = 0
        self._columns = Columns(
            names=np.zeros(max_points, np.uint32),
            times=np.zeros(max_points, np.int64),
            values=np.zeros(max_points, np.float64),
            tags=np.zeros(max_points, np.uint32),
            name_table=np.zeros(max_points, np.int32),
            tag_table=np.zeros(max_points, np.int32),
            hard=np.zeros(3 * max_points, np.int64),
        )
        self._bind = PROGRAM.load()
        self._make_room(64)

    def scan(
        self, bodies: Sequence[bytes], latest: int, max_points: int
    ) -> list[PointBatch | None]:
        """Return the points of each body; None if it gives up, or there are none or too many.

        It gives up on all of them if together they have more texts than can be remembered.
        `latest` is the latest time accepted, in milliseconds since the epoch.
        """
        sent = PADDING.join((*bodies, b""))
        sizes, ends, last = self._scanned(bodies, sent, latest)
        if last[0] == FULL:
            self._texts.forget()
            sizes, ends, last = self._scanned(bodies, sent, latest)
        if last[0] == FULL:  # these bodies alone have too many, so none was scanned to its end
            self._texts.forget()
            return [None] * len(bodies)
        self._texts.learn()
        columns, meaning = self._columns, self._texts.meanings.__getitem__
        rows, hard, name, tag = last
        for row, start, end in columns.hard[: 3 * hard].reshape(-1, 3).tolist():
            columns.values[row] = float(sent[start:end])
        name_table = [*map(meaning, columns.name_table[:name].tolist())]
        tag_table = [*map(meaning, columns.tag_table[:tag].tolist())]
        if not hard and sizes.count(1) == len(sizes):
            return self._single_points(name_table, tag_table)
        names, tags = columns.names[:rows].tobytes(), columns.tags[:rows].tobytes()
        times, values = columns.times[:rows].tobytes(), columns.values[:rows].tobytes()
        batches: list[PointBatch | None] = []
        row = hard = name = tag = 0
        for points, (end, hard_end, name_end, tag_end) in zip(sizes, ends, strict=True):
            of_32_bits, of_64_bits = slice(4 * row, 4 * end), slice(8 * row, 8 * end)
            if (  # an invalid name or tag set is None
                not 0 < points <= max_points
                or not all(name_table[name:name_end])
                or not all(tag_table[tag:tag_end])
                or (hard_end > hard and not all_finite(columns.values[row:end].tolist()))
            ):
                batches.append(None)
            else:
                batches.append(
                    PointBatch(
                        CodedColumn(name_table[name:name_end], array("I", names[of_32_bits])),
                        array("q", times[of_64_bits]),
                        array("d", values[of_64_bits]),
                        CodedColumn(tag_table[tag:tag_end], array("I", tags[of_32_bits])),
                        known_finite=True,
                    )
                )
            row, hard, name, tag = end, hard_end, name_end, tag_end
        return batches

    def _single_points(
        self, names: Sequence[str | None], tag_sets: Sequence[TagSet | None]
    ) -> list[PointBatch | None]:
        """Return the points of bodies of one point each, without columns of their own."""
        times = self._columns.times[: len(names)].tolist()
        values = self._columns.values[: len(names)].tolist()
        return [
            None
            if name is None or tags is None
            else PointBatch((name,), (time,), (value,), (tags,), known_finite=True)
            for name, time, value, tags in zip(names, times, values, tag_sets, strict=True)
        ]

    def _scanned(
        self, bodies: Sequence[bytes], sent: bytes, latest: int
    ) -> tuple[list[int], list[list[int]], list[int]]:
        """Return what `compiled_scan.scan` found: each body's points and ends, and the last end."""
        count = len(bodies)
        if count > self._sizes.size:
            self._make_room(2 * count)
        self._sizes[:count] = [*map(len, bodies)]
        self._batch += count
        last = self._scan(sent, count, self._batch, latest)
        return self._sizes[:count].tolist(), self._ends[: 4 * count].reshape(-1, 4).tolist(), last

    def _make_room(self, bodies: int) -> None:
        self._sizes = np.zeros(bodies, np.int64)
        self._ends = np.zeros(4 * bodies, np.int64)
        self._scan: BoundFunction = self._bind(
            self._sizes, self._ends, self._texts.arrays, self._columns
        )
