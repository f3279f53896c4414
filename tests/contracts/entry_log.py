"""The contract of EntryLog, for every adapter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from msgspec import Struct

from application.event_log.ports import EntryLog
from application.event_log.receipts import Receipt
from application.projections.pages import LAST
from tests.contracts.metric_log import PARTITIONS

Fields = Mapping[bytes, bytes]


class RawLog(Struct):
    """A log, and a function that appends an entry with any fields to a partition."""

    entries: EntryLog
    add: Callable[[int, Fields], Receipt]


def fields(number: int) -> Fields:
    return {b"topic": b"from.elsewhere.v7", b"number": b"%d" % number}


class EntryLogContract(ABC):
    """Subclass it as `Test…` and implement how a log is opened."""

    @abstractmethod
    def open_entries(self) -> AbstractContextManager[RawLog]:
        """Open a new, empty log with `PARTITIONS` partitions, and close it at the end."""

    def test_an_empty_partition_has_no_first_and_no_last_position(self) -> None:
        with self.open_entries() as log:
            assert log.entries.partitions() == PARTITIONS
            for partition in range(PARTITIONS):
                assert log.entries.first_position(partition) == 0
                assert log.entries.last_position(partition) == 0
                assert log.entries.count(partition) == 0
                assert list(log.entries.read(partition, 0, 10)) == []

    def test_fields_are_kept_unchanged_and_in_order_unknown_ones_included(self) -> None:
        """Digests cover all fields, and a later release may use fields unknown to this one."""
        odd = {b"z": b"\x00\xff", b"a": b"", b"topic": b"x" * 100_000, b"\xff": b"\r\n$5"}
        with self.open_entries() as log:
            receipt = log.add(1, odd)
            (entry,) = log.entries.read(1, 0, 10)
            assert entry.receipt == receipt
            assert list(entry.fields.items()) == list(odd.items())

    def test_every_page_but_the_last_is_full(self) -> None:
        with self.open_entries() as log:
            receipts = [log.add(2, fields(number)) for number in range(25)]
            pages = []
            after = 0
            while page := log.entries.read(2, after, 10):
                pages.append([entry.receipt for entry in page])
                after = page[-1].receipt.position
            assert pages == [receipts[:10], receipts[10:20], receipts[20:]]
            assert list(log.entries.read(2, after, 10)) == []
            assert list(log.entries.read(2, after + 10**9, 10)) == []

    def test_positions_ascend_strictly_and_bound_the_log(self) -> None:
        with self.open_entries() as log:
            positions = [log.add(0, fields(number)).position for number in range(20)]
            assert positions[0] > 0
            assert positions == sorted(set(positions))
            assert log.entries.first_position(0) == positions[0]
            assert log.entries.last_position(0) == positions[-1]
            assert log.entries.first_position(1) == 0

    def test_entries_are_counted_above_a_position(self) -> None:
        with self.open_entries() as log:
            positions = [log.add(0, fields(number)).position for number in range(12)]
            assert log.entries.count(0) == 12
            for place, position in enumerate(positions):
                assert log.entries.count(0, position) == 11 - place
                assert log.entries.count(0, position - 1) == 12 - place
            assert log.entries.count(1) == 0

    def test_waiting_returns_the_partitions_that_have_more(self) -> None:
        with self.open_entries() as log:
            nothing = [0] * PARTITIONS
            assert list(log.entries.wait_for_entries(nothing)) == []
            first, last = log.add(0, fields(0)), log.add(PARTITIONS - 1, fields(1))
            assert sorted(log.entries.wait_for_entries(nothing)) == [0, PARTITIONS - 1]
            known = list(nothing)
            known[0] = first.position
            assert list(log.entries.wait_for_entries(known)) == [PARTITIONS - 1]
            known[PARTITIONS - 1] = last.position
            assert list(log.entries.wait_for_entries(known)) == []
            assert list(log.entries.wait_for_entries([*nothing[:-1], LAST])) == [0]

    def test_many_threads_may_read_concurrently(self) -> None:
        with self.open_entries() as log, ThreadPoolExecutor(4) as threads:
            receipts = [log.add(0, fields(number)) for number in range(10)]
            for page in threads.map(lambda _: log.entries.read(0, 0, 100), range(20)):
                assert [entry.receipt for entry in page] == receipts
