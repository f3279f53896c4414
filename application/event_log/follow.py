"""The metric log as one sequence: its partitions merged by the log's clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from heapq import merge

from application.event_log.ports import Recorded
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt

PAGE = 20
"""Events per read: a batch may have a hundred thousand points, and each partition holds a page."""

FIRST_WINDOW_MS = 1000
WINDOW_GROWTH = 8

Wanted = Callable[[Recorded], bool]


class LogFollower:
    """Follows some partitions of the log: each event once, and only those that are `wanted`.

    Events of one partition come in log order. Those that one call returns from several partitions
    come by the log's clock. It starts at the log's first event, unless `last` is called first.
    """

    def __init__(
        self, reader: MetricLogReader, partitions: Iterable[int], wanted: Wanted = lambda _: True
    ) -> None:
        self._reader = reader
        self._after = dict.fromkeys(partitions, 0)
        self._wanted = wanted

    def events(self) -> Iterator[Recorded]:
        """Yield what is in the log by now and was not returned before."""
        ends = self._ends()
        after, self._after = self._after, ends
        return self._merged(after, ends)

    def last(self, count: int) -> list[Recorded]:
        """Return the last `count` events, and skip those before them.

        The log cannot be read backwards: looks further and further back until it has enough.
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
