"""Series in memory keep the contract of SeriesSource."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.memory.series_source import MemorySeriesSource
from application.reading.series import SeriesSource
from tests.contracts.series_source import Published, SeriesSourceContract


class TestMemorySeriesSource(SeriesSourceContract):
    @contextmanager
    def open_source(self, published: Published) -> Iterator[SeriesSource]:
        source = MemorySeriesSource()
        for owner, labels, samples in published:
            source.add(owner, labels, samples)
        yield source
