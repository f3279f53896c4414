"""Token buckets in memory pass the contract of QuotaBuckets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from adapters.memory.quota_buckets import MemoryQuotaBuckets
from application.publishing.quota import QuotaBuckets
from tests.application.doubles import FakeMonotonic
from tests.contracts.quota_buckets import QuotaBucketsContract


class TestMemoryQuotaBuckets(QuotaBucketsContract):
    @contextmanager
    def open_buckets(self) -> Iterator[tuple[QuotaBuckets, Callable[[float], None]]]:
        clock = FakeMonotonic()

        def pass_seconds(seconds: float) -> None:
            clock.seconds += seconds

        yield MemoryQuotaBuckets(clock), pass_seconds
