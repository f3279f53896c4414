"""What one query may use: steps, series, samples, memory and time."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct

from application.reading.promql_errors import BadData, ExecutionFailed, QueryTimedOut


class QueryLimits(Struct, frozen=True, kw_only=True):
    """The most that one query may use. `memory` is in bytes."""

    steps: int = 11_000
    series: int = 200_000
    samples: int = 50_000_000
    memory: int = 256 << 20
    seconds: float = 30.0


class QueryBudget:
    """Counts what a query uses against its limits. For one thread at a time."""

    def __init__(self, limits: QueryLimits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._deadline = clock() + limits.seconds
        self._series = 0
        self._samples = 0
        self._kept = 0

    def take_steps(self, count: int) -> None:
        """Raise BadData if a query has more steps than it may."""
        if count > self._limits.steps:
            raise BadData(
                f"exceeded maximum resolution of {self._limits.steps:,} points per timeseries. "
                "Try decreasing the query resolution (?step=XX)"
            )

    def take_series(self, count: int) -> None:
        """Count series that are read. Raises ExecutionFailed, and QueryTimedOut."""
        self._series += count
        if self._series > self._limits.series:
            raise ExecutionFailed(
                "query processing would load too many series into memory in query execution"
            )
        self.check_time()

    def take_samples(self, count: int, *, bytes_each: int = 16) -> None:
        """Count samples that stay in memory. Raises ExecutionFailed, and QueryTimedOut."""
        self._samples += count
        if self._samples > self._limits.samples:
            raise ExecutionFailed(
                "query processing would load too many samples into memory in query execution"
            )
        self._kept += count * bytes_each
        self.check_memory(0)

    def check_memory(self, size: int) -> None:
        """Check that `size` more bytes would fit for a while. Raises like `take_samples`."""
        if self._kept + size > self._limits.memory:
            raise ExecutionFailed("query processing would use too much memory in query execution")
        self.check_time()

    def check_time(self) -> None:
        """Raise QueryTimedOut once the query's time is over."""
        if self._clock() > self._deadline:
            raise QueryTimedOut("query timed out in expression evaluation")
