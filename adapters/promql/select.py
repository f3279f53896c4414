"""Selectors: the samples they read, and a series' value at each step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from adapters.promql.labels import Labels
from adapters.promql.syntax.tree import At, MatrixSelector, VectorSelector
from adapters.promql.vectors import Floats, Integers, SampleRows, Steps, Vector, is_stale
from adapters.promql.windows import Result, Windows, over
from application.reading.query_budget import QueryBudget
from application.reading.series import Owner, SelectedSeries, SeriesSource

LATEST = 1 << 60
"""The latest time in ms that counts, so that a range around it fits into 64 bits."""

_NO_SAMPLES = np.zeros(1, np.int64)


class Selecting:
    """Reads the series of selectors, each range once per query."""

    def __init__(
        self, source: SeriesSource, owner: Owner, budget: QueryBudget, look_back: int
    ) -> None:
        """Make it; a sample counts for `look_back` ms unless another one follows."""
        self._source = source
        self._owner = owner
        self._budget = budget
        self._look_back = look_back
        self._read: dict[object, _Read] = {}

    def instant(self, selector: VectorSelector, steps: Steps, *, times: bool = False) -> Vector:
        """Return each series' last sample before or at each step, if not too old.

        A series that ended with a stale marker has none. With `times`, return the samples' times
        in seconds instead of their values.
        """
        ends = shifted(steps, selector.offset, selector.at)
        found = self._series(selector, ends, self._look_back)
        rows = SampleRows(
            found.labels, found.times, found.values, found.starts, ends, self._look_back
        )

        def last(windows: Windows) -> Result:
            values = windows.at(windows.end - 1)
            present = (windows.count > 0) & ~is_stale(values)
            return windows.times_at(windows.end - 1) / 1000 if times else values, present

        return over(rows, steps.times, last, self._budget)

    def range(self, selector: MatrixSelector, steps: Steps) -> SampleRows:
        """Return the samples of a range selector, without stale markers."""
        inner, width = selector.selector, selector.range
        ends = shifted(steps, inner.offset, inner.at)
        found = self._series(inner, ends, width)
        found = found.without_stale_markers()
        return SampleRows(found.labels, found.times, found.values, found.starts, ends, width)

    def _series(self, selector: VectorSelector, ends: Integers, width: int) -> _Read:
        matchers = selector.matchers
        start, end = int(ends.min()) - width + 1, int(ends.max())
        key = (tuple((one.name, one.operator, one.value) for one in matchers), start, end)
        if key not in self._read:
            found = self._source.select(self._owner, matchers, start, end, self._budget)
            self._read[key] = _Read.of(found)
            self._budget.check_time()
        return self._read[key]


def shifted(steps: Steps, offset: int, at: At | None) -> Integers:
    """Return the times (ms) a selector refers to, by its `offset` and `@`, one per step."""
    if at is None:
        return steps.times - offset
    if isinstance(at, str):
        at = steps.start if at == "start" else steps.end
    return np.full(len(steps), max(-LATEST, min(LATEST, at)) - offset, np.int64)


class _Read(Struct, frozen=True):
    """Selected series as arrays; see SampleRows."""

    labels: Sequence[Labels]
    times: Integers
    values: Floats
    starts: Integers

    @classmethod
    def of(cls, found: SelectedSeries) -> _Read:
        ends = np.frombuffer(found.ends, np.int64)
        return cls(
            found.labels,
            np.frombuffer(found.times, np.int64),
            np.frombuffer(found.values, np.float64),
            np.concatenate((_NO_SAMPLES, ends)),
        )

    def without_stale_markers(self) -> _Read:
        stale = is_stale(self.values)
        if not stale.any():
            return self
        sound = ~stale
        before = np.concatenate((_NO_SAMPLES, np.cumsum(sound, dtype=np.int64)))
        return _Read(self.labels, self.times[sound], self.values[sound], before[self.starts])
