"""Range vectors: the samples of each series and step, found and handled block by block.

A block is a few series at all steps. Functions of ranges see one block at a time, so their
temporary arrays stay small, whatever the number of series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from msgspec import Struct

from adapters.promql.vectors import Bools, Floats, Integers, SampleRows, Vector
from application.reading.query_budget import QueryBudget

BLOCK = 32_768
"""Windows per block, so that a dozen arrays of them fit into a processor's cache."""


MAX_SHARED = 200
"""Sequences of times that are remembered while windows are found."""

_NO_TIME = np.zeros(1, np.int64)
_NO_VALUE = np.zeros(1)


class Windows(Struct, frozen=True):
    """The windows of some series (rows) at all steps (columns).

    The samples of all rows are in `times` (ms) and `values`, one row after the other; there is at
    least one, which may belong to no window, so that every place has a value. Window
    (i, j) is `values[first[i, j]:end[i, j]]`, those in the range `(ends[j] - width, ends[j]]`;
    `steps[j]` is the time of evaluation. All times are in ms.
    """

    times: Integers
    values: Floats
    first: Integers
    end: Integers
    ends: Integers
    width: int
    steps: Integers

    @property
    def count(self) -> Integers:
        """The number of samples of each window."""
        return self.end - self.first

    def at(self, places: Integers) -> Floats:
        """Return the values at these places; a place past the end gives any value."""
        return self.values.take(places, mode="clip")

    def times_at(self, places: Integers) -> Integers:
        return self.times.take(places, mode="clip")

    def terms(self) -> Iterator[tuple[Integers, Bools]]:
        """Yield the place of each window's first sample, second and so on, and whether it exists.

        Calculations that add up samples one by one do so for all windows at once.
        """
        count = self.count
        for term in range(int(count.max(initial=0))):
            yield self.first + term, count > term


Result = tuple[Floats, Bools]
"""Values, and which of them are present; both like `Windows.first`."""

WindowFunction = Callable[[Windows], Result]


def over(
    rows: SampleRows, steps: Integers, function: WindowFunction, budget: QueryBudget
) -> Vector:
    """Apply a function to each window. Series without any result are left out."""
    shape = (len(rows.labels), len(steps))
    budget.check_memory(shape[0] * shape[1] * 9)
    values, present = np.empty(shape), np.empty(shape, np.bool_)
    done = 0
    for block in _blocks(rows, steps):
        budget.check_time()
        part = slice(done, done + len(block.first))
        values[part], present[part] = function(block)
        done = part.stop
    return Vector(rows.labels, values, present).without_empty_rows()


def _blocks(rows: SampleRows, steps: Integers) -> Iterator[Windows]:
    size = max(1, BLOCK // max(1, len(steps)))
    places = _Places(rows.ends, rows.width)
    for start in range(0, len(rows.labels), size):
        bounds = rows.starts[start : start + size + 1]
        times, values = rows.times[bounds[0] : bounds[-1]], rows.values[bounds[0] : bounds[-1]]
        first = np.empty((len(bounds) - 1, len(steps)), np.int64)
        end = np.empty_like(first)
        own = (bounds - bounds[0]).tolist()
        for row in range(len(first)):
            begins, ends = places.of(times[own[row] : own[row + 1]])
            np.add(begins, own[row], out=first[row])
            np.add(ends, own[row], out=end[row])
        if not len(times):
            times, values = _NO_TIME, _NO_VALUE
        yield Windows(times, values, first, end, rows.ends, rows.width, steps)


class _Places:
    """Finds windows in series' times. Series that are scraped together share their times."""

    def __init__(self, ends: Integers, width: int) -> None:
        self._ends = ends
        self._starts = ends - width
        self._found: dict[tuple[int, ...], tuple[Integers, Integers, Integers]] = {}

    def of(self, times: Integers) -> tuple[Integers, Integers]:
        """Return the place of each window's first sample, and of the one after its last."""
        sketch = (len(times), int(times[0]), int(times[-1])) if len(times) else (0,)
        known = self._found.get(sketch)
        if known is not None and (known[0] == times).all():
            return known[1:]
        first = times.searchsorted(self._starts, "right")
        end = times.searchsorted(self._ends, "right")
        if len(self._found) < MAX_SHARED:
            self._found[sketch] = times, first, end
        return first, end
