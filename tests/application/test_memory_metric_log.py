"""The metric log in memory fulfils the ports' contracts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import pytest

from adapters.memory.metric_log import MemoryMetricLog
from application.event_log.partitioning import DEFAULT_PARTITIONS
from application.publishing.ports import Appended, Idempotency, IdempotencyRecords
from domain.errors import IdempotencyConflict
from tests.application.doubles import NOW, FakeClock
from tests.contracts.entry_log import EntryLogContract, RawLog
from tests.contracts.metric_log import PARTITIONS, MetricLogContract, MetricLogPorts, published

KEY = Idempotency("key", b"body")
DAY = timedelta(hours=24)
MICROSECOND = timedelta(microseconds=1)


class TestMemoryMetricLog(MetricLogContract):
    @pytest.fixture(autouse=True)
    def at_a_fixed_time(self) -> None:
        self.clock = FakeClock()

    @asynccontextmanager
    async def open_log(self, **limits: Any) -> AsyncIterator[MetricLogPorts]:
        log = MemoryMetricLog(self.clock, PARTITIONS, **limits)
        yield MetricLogPorts(log, log.entries)

    async def let_a_millisecond_pass(self) -> None:
        self.clock.advance(timedelta(milliseconds=1))


class TestMemoryEntryLog(EntryLogContract):
    @contextmanager
    def open_entries(self) -> Iterator[RawLog]:
        clock = FakeClock()
        log = MemoryMetricLog(clock, PARTITIONS)
        yield RawLog(log.entries, lambda partition, fields: log.add(partition, fields, clock()))


def append(log: MemoryMetricLog, idempotency: Idempotency | None = None) -> Appended:
    return asyncio.run(log.append(published(), idempotency))


def test_receipts_have_the_time_of_the_append_and_never_go_back_with_the_clock() -> None:
    clock = FakeClock()
    log = MemoryMetricLog(clock)
    first = append(log).receipt
    second = append(log).receipt
    clock.advance(-timedelta(seconds=1))
    third = append(log).receipt
    clock.advance(timedelta(seconds=2))
    fourth = append(log).receipt
    start = int(NOW.timestamp()) * 1000
    assert [(r.milliseconds, r.sequence) for r in (first, second, third, fourth)] == [
        (start, 0), (start, 1), (start, 2), (start + 1000, 0),
    ]  # fmt: skip


def test_a_key_is_remembered_for_24_hours_and_free_from_then_on() -> None:
    clock = FakeClock()
    log = MemoryMetricLog(clock)
    first = append(log, KEY)
    clock.advance(DAY - MICROSECOND)
    assert append(log, KEY) == Appended(first.receipt, replayed=True)
    with pytest.raises(IdempotencyConflict):
        append(log, Idempotency("key", b"other"))
    clock.advance(MICROSECOND)
    later = append(log, Idempotency("key", b"other"))
    assert not later.replayed
    assert later.receipt > first.receipt


def test_a_replay_does_not_prolong_the_24_hours() -> None:
    clock = FakeClock()
    log = MemoryMetricLog(clock)
    append(log, KEY)
    clock.advance(DAY / 2)
    assert append(log, KEY).replayed
    clock.advance(DAY / 2)
    assert not append(log, KEY).replayed


def test_there_is_room_for_keys_again_once_others_are_forgotten() -> None:
    clock = FakeClock()
    log = MemoryMetricLog(clock, max_records=1)
    append(log, KEY)
    assert log.idempotency() == IdempotencyRecords(1, 1)
    clock.advance(DAY)
    assert log.idempotency() == IdempotencyRecords(0, 1)
    assert not append(log, Idempotency("other", b"body")).replayed


def test_it_has_sixteen_partitions_by_default() -> None:
    assert MemoryMetricLog(FakeClock()).partitions() == DEFAULT_PARTITIONS == 16
