"""The metric log as one sequence: its partitions merged by the log's clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from heapq import merge

from application.event_log.ports import Recorded
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt

PAGE = 20
"""Events per read. Small, as an event may have 100,000 points and a page is held per partition."""

FIRST_WINDOW_MS = 1000
WINDOW_GROWTH = 8

Wanted = Callable[[Recorded], bool]


class LogFollower:
    """Follows some partitions of the log: returns each event once, and only those `wanted`.

    Events of one partition come in log order. Events that one call returns from several partitions
    are sorted by the log's clock. Starts at the log's first event, unless `last` is called first.
    """

    def __init__(
        self, reader: MetricLogReader, partitions: Iterable[int], wanted: Wanted = lambda _: True
    ) -> None:
        self._reader = reader
        self._after = dict.fromkeys(partitions, 0)
        self._wanted = wanted

    def events(self) -> Iterator[Recorded]:
        """Yield the events that are in the log now and were not returned before."""
        ends = self._ends()
        after, self._after = self._after, ends
        return self._merged(after, ends)

    def last(self, count: int) -> list[Recorded]:
        """Return the last `count` events, and skip all before them.

        The log cannot be read backwards, so this reads from further and further back until it has
        found enough.
        """
        ends = self._ends()
        newest = max(Receipt.at(p, end).milliseconds for p, end in ends.items())
        window = FIRST_WINDOW_MS
        found: deque[Recorded] = deque(maxlen=count)
        while count:
            since = max(newest - window, 0)
            found.extend(self._merged({p: Receipt(p, since, 0).position for p in ends}, ends))
            if len(found) == count or since == 0:
                break
            found.clear()
            window *= WINDOW_GROWTH
        self._after = ends
        return list(found)

    def _ends(self) -> dict[int, int]:
        return {
            partition: self._reader.entries.last_position(partition) for partition in self._after
        }

    def _merged(self, after: dict[int, int], ends: dict[int, int]) -> Iterator[Recorded]:
        sequences = (self._between(p, after[p], end) for p, end in ends.items() if end > after[p])
        return filter(self._wanted, merge(*sequences, key=_clock))

    def _between(self, partition: int, after: int, end: int) -> Iterator[Recorded]:
        while after < end and (page := self._reader.read(partition, after, PAGE)):
            for recorded in page:
                after = recorded.receipt.position
                if after > end:
                    return
                yield recorded


def _clock(recorded: Recorded) -> tuple[int, int, int]:
    receipt = recorded.receipt
    return receipt.milliseconds, receipt.sequence, receipt.partition
