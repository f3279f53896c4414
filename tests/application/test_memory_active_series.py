"""Active series in memory pass the contract of ActiveSeries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from adapters.memory.active_series import MemoryActiveSeries
from application.publishing.active_series import ActiveSeries
from tests.application.doubles import FakeClock
from tests.contracts.active_series import ActiveSeriesContract


class TestMemoryActiveSeries(ActiveSeriesContract):
    @contextmanager
    def open_counts(self) -> Iterator[tuple[ActiveSeries, Callable[[], None]]]:
        clock = FakeClock()
        yield MemoryActiveSeries(clock), lambda: clock.advance(timedelta(days=1))
