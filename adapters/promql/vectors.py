"""The values that expressions have while they are evaluated, for all steps at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from adapters.promql.labels import Labels, key, without_name
from application.reading.promql_errors import ExecutionFailed
from application.reading.series import NAME

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

STALE = np.int64(0x7FF0000000000002)
"""The bits of the value that marks a series as ended."""


def is_stale(values: Floats) -> Bools:
    """Return which values are stale markers; the array must be contiguous."""
    bits: Integers = values.view(np.int64)
    return np.equal(bits, STALE)


class Steps(Struct, frozen=True):
    """The times at which a query is evaluated: `times` in ms since the epoch, ascending.

    `start` and `end` are those of the whole query, also within a subquery.
    """

    times: Integers
    start: int
    end: int

    def __len__(self) -> int:
        return len(self.times)


class Vector(Struct, frozen=True):
    """An instant vector at each step: row i has the labels `labels[i]`, column j is step j.

    Where `present` is False there is no sample, and the value means nothing.
    """

    labels: Sequence[Labels]
    values: Floats
    present: Bools

    @classmethod
    def empty(cls, steps: int) -> Vector:
        return cls((), np.zeros((0, steps)), np.zeros((0, steps), np.bool_))

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Sequence[int] | Integers) -> Vector:
        """Return some rows, in this order."""
        return Vector([self.labels[row] for row in rows], self.values[rows], self.present[rows])

    def with_values(self, values: Floats, present: Bools | None = None) -> Vector:
        """Return other values for the same series."""
        return Vector(self.labels, values, self.present if present is None else present)

    def without_empty_rows(self) -> Vector:
        """Leave out the series that have no sample at any step."""
        some = self.present.any(axis=1)
        return self if some.all() else self.take(np.flatnonzero(some))

    def without_names(self) -> Vector:
        """Drop the metrics' names. Raises ExecutionFailed if series then have equal labels."""
        names = {labels.get(NAME) for labels in self.labels}
        if names <= {None}:
            return self
        bare = Vector([without_name(labels) for labels in self.labels], self.values, self.present)
        return bare if len(names) == 1 else bare.merged()

    def merged(self) -> Vector:
        """Make one row of those with equal labels.

        Raises ExecutionFailed if two of them have samples at the same step.
        """
        places: dict[object, int] = {}
        target = np.fromiter(
            (places.setdefault(key(labels), len(places)) for labels in self.labels),
            np.int64,
            len(self),
        )
        if len(places) == len(self):
            return self
        first = np.unique(target, return_index=True)[1]
        values, present = self.values[first], self.present[first]
        for row in np.setdiff1d(np.arange(len(self)), first):
            into, here = target[row], self.present[row]
            if (present[into] & here).any():
                raise ExecutionFailed("vector cannot contain metrics with the same labelset")
            values[into] = np.where(here, self.values[row], values[into])
            present[into] |= here
        return Vector([self.labels[row] for row in first], values, present)


class SampleRows(Struct, frozen=True):
    """A range vector's samples: those of series i are from `starts[i]` to before `starts[i + 1]`.

    `times` (ms) ascend within a series. At step j, the samples of the range
    `(ends[j] - width, ends[j]]` count. `width` and `ends` are in ms.
    """

    labels: Sequence[Labels]
    times: Integers
    values: Floats
    starts: Integers
    ends: Integers
    width: int

    def of(self, row: int) -> tuple[Integers, Floats]:
        """Return the times and values of one series."""
        own = slice(self.starts[row], self.starts[row + 1])
        return self.times[own], self.values[own]


Value: TypeAlias = Vector | Floats | SampleRows | str
"""A vector, a scalar per step, a range vector or a string."""
