"""Usage in memory passes the contract of UsageStore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.memory.usage import MemoryUsageStore
from application.usage.ports import UsageStore
from tests.contracts.usage_store import MINUTE, UsageStoreContract


class TestMemoryUsageStore(UsageStoreContract):
    @contextmanager
    def open_usage(self) -> Iterator[UsageStore]:
        yield MemoryUsageStore()

    def current_minute(self, usage: UsageStore) -> int:
        return MINUTE
