"""Reading the log once for all projections of a process."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from application.event_log.ports import RecordedMetrics
from application.event_log.reader import MetricLogReader
from application.projections.pages import LAST, OwnPages, Passed, checkpoint_of
from application.projections.ports import Checkpoint
from domain.columns import coded
from domain.events import MetricEvent, MetricsPublished

MAX_HELD = 64 << 20
"""Maximum bytes of the events that are held, approximately. Above it, all are forgotten."""

EVENT_BYTES = 600
POINT_BYTES = 20
NAME_BYTES = 80
TAG_SET_BYTES = 500
"""Approximate bytes of a decoded event, of each point, and of each name and tag set but the first.

Events of one series share these with others."""


class SharedPages:
    """The events that one projection has read and others have yet to read. Thread-safe.

    The projection that is ahead reads the log, decodes events of all types and leaves them here.
    Those behind it take them from here. Of two at the same place, one reads and the other waits for
    that; nobody waits for a projection that is elsewhere, or that does anything but read.

    What follows a checkpoint is taken from here only if its own event is here too, with the same
    digest; otherwise the log is read, and compared with the checkpoint. All is forgotten whenever a
    projection begins anew, as it does after any error, since the log may be another one then.

    A projection that is too far behind reads by itself. So does one of descriptions where it is
    ahead, as it has no need to decode points.
    """

    def __init__(self, log: MetricLogReader, max_held: int = MAX_HELD) -> None:
        self.log = log
        self._max_held = max_held
        self._everything = OwnPages(log, None)
        self._changed = threading.Condition()
        self._readers: list[SharedReader] = []
        self._runs: dict[int, _Run] = {}
        self._being_read: set[Checkpoint] = set()

    @property
    def held(self) -> int:
        """The approximate number of bytes held."""
        with self._changed:
            return self._size()

    @contextmanager
    def reader(self, event: type[MetricEvent]) -> Iterator[SharedReader]:
        """Yield the pages of a projection, which folds events of one type."""
        reader = SharedReader(self, OwnPages(self.log, event), leads=event is MetricsPublished)
        with self._changed:
            self._readers.append(reader)
        try:
            yield reader
        finally:
            with self._changed:
                self._readers.remove(reader)
                self._forget()

    def begin(self, reader: SharedReader, positions: Sequence[int]) -> None:
        """Note where a reader begins, by partition."""
        with self._changed:
            reader.positions = [*positions]
            self._forget()

    def after(self, reader: SharedReader, known: Checkpoint, limit: int) -> Sequence[Passed]:
        """Return a reader's next page; it implements the port Pages."""
        with self._changed:
            while not (page := self._held_after(known, limit)) and known in self._being_read:
                self._changed.wait()
            if page:
                self._pass(reader, page)
                return page
            run = self._runs.get(known.partition)
            is_behind = run is not None and known.position < run.start.position
            leads = reader.leads and not is_behind
            being_read = self._being_read
            if leads:
                being_read.add(known)
        if not leads:
            page = reader.own.after(known, limit)
            with self._changed:
                self._pass(reader, page)
            return page
        try:
            page = self._everything.after(known, limit)
            with self._changed:
                if being_read is self._being_read:  # nothing was forgotten meanwhile
                    self._hold(known, page)
                self._pass(reader, page)
        finally:
            with self._changed:
                being_read.discard(known)
                self._changed.notify_all()
        return page

    def _held_after(self, known: Checkpoint, limit: int) -> Sequence[Passed]:
        run = self._runs.get(known.partition)
        return [] if run is None else run.after(known, limit)

    def _hold(self, known: Checkpoint, page: Sequence[Passed]) -> None:
        """Hold a page that was read, unless a part of it was read before."""
        run = self._runs.get(known.partition)
        if run is None or known.position > run.end.position:
            run = self._runs[known.partition] = _Run(known)
        if known == run.end:
            run.extend(page)
        if self._size() > self._max_held:
            self._runs.clear()

    def _pass(self, reader: SharedReader, page: Sequence[Passed]) -> None:
        """Note what a reader was given, and let go of what no reader has yet to read."""
        if not page:
            return
        partition = page[-1].receipt.partition
        reader.positions[partition] = page[-1].receipt.position
        if (run := self._runs.get(partition)) is not None:
            run.drop(min(other.positions[partition] for other in self._readers))

    def _forget(self) -> None:
        self._runs = {}
        self._being_read = set()
        self._changed.notify_all()

    def _size(self) -> int:
        return sum(run.size for run in self._runs.values())


class SharedReader:
    """Implements the port Pages for one projection, which takes what another one has read.

    `positions` says how far it has read each partition; LAST is for those that it does not read.
    Unless it `leads`, it reads the log by itself when nobody else has.
    """

    def __init__(self, shared: SharedPages, own: OwnPages, *, leads: bool) -> None:
        self._shared = shared
        self.own = own
        self.leads = leads
        self.positions = [LAST] * shared.log.entries.partitions()

    def begin(self, positions: Sequence[int]) -> None:
        """Begin, also anew, at these positions, one per partition."""
        self._shared.begin(self, positions)

    def after(self, known: Checkpoint, limit: int) -> Sequence[Passed]:
        return self._shared.after(self, known, limit)


class _Run:
    """Successive events of a partition, all of those after `start`. `size` is in bytes."""

    def __init__(self, start: Checkpoint) -> None:
        self.start = start
        self.size = 0
        self._events: list[Passed] = []
        self._positions: list[int] = []

    @property
    def end(self) -> Checkpoint:
        return checkpoint_of(self._events[-1]) if self._events else self.start

    def after(self, known: Checkpoint, limit: int) -> Sequence[Passed]:
        """Return the events after a checkpoint; none if its own event is not one of these."""
        first = bisect_right(self._positions, known.position)
        before = checkpoint_of(self._events[first - 1]) if first else self.start
        return self._events[first : first + limit] if before == known else []

    def extend(self, page: Sequence[Passed]) -> None:
        self._events += page
        self._positions += [entry.receipt.position for entry in page]
        self.size += _size(page)

    def drop(self, position: int) -> None:
        """Drop the events up to a position."""
        count = bisect_right(self._positions, position)
        if count:
            self.start = checkpoint_of(self._events[count - 1])
            self.size -= _size(self._events[:count])
            del self._events[:count], self._positions[:count]


def _size(page: Sequence[Passed]) -> int:
    size = EVENT_BYTES * len(page)
    for entry in page:
        if isinstance(entry, RecordedMetrics) and (count := len(entry.event.points)) > 1:
            points = entry.event.points
            names, tag_sets = len(coded(points.names).table), len(coded(points.tag_sets).table)
            size += POINT_BYTES * count + NAME_BYTES * (names - 1) + TAG_SET_BYTES * (tag_sets - 1)
    return size
