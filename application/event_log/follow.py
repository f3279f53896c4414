"""Use case: the metric log as one sequence, its partitions merged by the log's clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import merge

from msgspec import Struct

from application.event_log.partitioning import partition_of
from application.event_log.ports import Recorded, RecordedEvent, UnreadableMetrics
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.organizations.look_ups import LookUps

PAGE = 20
"""Events per read. Small, as an event may have 100,000 points and a page is held per partition."""

FIRST_WINDOW_MS = 1000
WINDOW_GROWTH = 8

Wait = Callable[[], bool]
"""Blocks until there may be new events; returns False to end instead."""


class FollowLog(Struct, frozen=True, kw_only=True):
    """The events of one organization, or of all.

    `last` is the number of events to start with, None for every event since the log began.
    """

    organization: str | None = None
    last: int | None = None


class FollowLogHandler:
    """Reads the log for people: it may block."""

    def __init__(self, look_ups: LookUps, reader: MetricLogReader) -> None:
        self._look_ups = look_ups
        self._reader = reader

    def __call__(self, query: FollowLog, wait: Wait) -> Iterator[Recorded]:
        """Yield each event once, then again what was appended after each `wait`, until it is False.

        Events of one partition come in log order, and those found in one pass over several
        partitions are ordered by the log's clock. An entry that cannot be read is yielded whatever
        the organization: it may belong to any that shares the partition. Raises
        UnknownOrganization, LogUnavailable.
        """
        if query.organization is not None:
            self._look_ups.organization(query.organization)
        return _followed(_Follower(self._reader, query.organization), query.last, wait)


def _followed(follower: _Follower, last: int | None, wait: Wait) -> Iterator[Recorded]:
    yield from follower.new() if last is None else follower.last(last)
    while wait():
        yield from follower.new()


class _Follower:
    """Keeps the position in each partition that an organization's events may be in."""

    def __init__(self, reader: MetricLogReader, organization: str | None) -> None:
        partitions = reader.entries.partitions()
        chosen = (
            range(partitions) if organization is None else (partition_of(organization, partitions),)
        )
        self._reader = reader
        self._organization = organization
        self._after = dict.fromkeys(chosen, 0)

    def new(self) -> Iterator[Recorded]:
        """Yield the events now in the log that were not returned before."""
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
        return filter(self._is_wanted, merge(*sequences, key=_clock))

    def _between(self, partition: int, after: int, end: int) -> Iterator[Recorded]:
        while after < end and (page := self._reader.read(partition, after, PAGE)):
            for recorded in page:
                after = recorded.receipt.position
                if after > end:
                    return
                yield recorded

    def _is_wanted(self, recorded: Recorded) -> bool:
        if self._organization is None or isinstance(recorded, UnreadableMetrics):
            return True
        return (
            isinstance(recorded, RecordedEvent)
            and recorded.event.organization == self._organization
        )


def _clock(recorded: Recorded) -> tuple[int, int, int]:
    receipt = recorded.receipt
    return receipt.milliseconds, receipt.sequence, receipt.partition
