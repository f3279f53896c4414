"""Feeding one generation of a projection from the log: each event exactly once, in log order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import structlog
from msgspec import Struct

from application.event_log.ports import (
    RecordedDescriptions,
    RecordedEvent,
    RecordedMetrics,
    SkippedMetrics,
    UnreadableMetrics,
)
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.projections.errors import ProjectionError, RowsRefused
from application.projections.folds import Projection, Rows
from application.projections.pages import LAST, OwnPages, Pages, Passed, check, checkpoint_of
from application.projections.ports import Checkpoint, ProjectionStore, SetAside
from domain.events import MetricsDescribed

MAX_POINTS = 90_000
"""Maximum points per commit, unless a single event has more."""

MAX_PAGE = 1000
"""Maximum entries per read of the log; large entries are read fewer at a time, to fit a commit."""

FIRST_POINTS = 1000.0
"""Estimate of the points per entry before the first read."""

_log = structlog.get_logger(__name__)


class Progress(Struct, frozen=True):
    """The result of a step: its events, the points in them, and whether the log had more.

    Events that were skipped count too.
    """

    events: int
    points: int
    more: bool


class _Read(Struct):
    """What a step has read: how many events, and of these the ones that the projection concerns."""

    entries: list[Passed] = []
    checkpoints: dict[int, Checkpoint] = {}
    events: int = 0
    points: int = 0
    more: bool = False


class ProjectionRunner:
    """Reads each partition from the store's checkpoint on, folds the events, and commits the rows.

    Reads the partitions that the store writes; if these change, make a new runner.
    Every read starts with the checkpoint's own event and compares its digest, so a log that lost
    events, as a failover may cause, is never mistaken for the one that was read before.
    With `until` (milliseconds, exclusive), events recorded later are left out. Takes the events
    from `pages`; without them, it reads the log by itself.
    """

    def __init__(
        self,
        log: MetricLogReader,
        store: ProjectionStore,
        projection: Projection,
        *,
        max_points: int = MAX_POINTS,
        until: int | None = None,
        pages: Pages | None = None,
    ) -> None:
        self._log = log
        self._pages = pages or OwnPages(log, projection.event)
        self._store = store
        self._projection = projection
        self._max_points = max_points
        self._end = None if until is None else Receipt(0, until, 0).position
        self._checkpoints = dict(store.checkpoints())
        self._turn = 0
        self._points_per_entry = FIRST_POINTS

    @property
    def positions(self) -> list[int]:
        """How far each partition was read; 0 for not at all, LAST for one that is not read here."""
        return [
            self._position(partition) if self._store.writes(partition) else LAST
            for partition in range(self._log.entries.partitions())
        ]

    def check_continuity(self) -> None:
        """Compare the store's checkpoints with the log, and look for gaps above them.

        Raises ProjectionDiverged, LogGap, LogUnavailable.
        """
        check_continuity(self._log, self._checkpoints.values())
        for partition, position in enumerate(self.positions):
            gap = self._log.entries.gap(partition)
            if gap is not None and gap.concerns(position):
                raise gap

    def step(self) -> Progress:
        """Commit the next events of the log, up to a commit's worth, waiting for a short time.

        Raises ProjectionDiverged, LogUnavailable, StoreUnavailable and StoreFull. After an error,
        make a new runner: it continues from the checkpoints that were committed.
        """
        read = self._read(self._log.entries.wait_for_entries(self.positions))
        if read.events:
            self._commit(read.entries, read.checkpoints)
        return Progress(read.events, read.points, read.more)

    def _read(self, partitions: Sequence[int]) -> _Read:
        """Read a commit's worth of these partitions."""
        read = _Read()
        room = self._max_points
        self._turn += 1
        for turn in range(len(partitions)):
            # Start with another partition in every step, so that a busy one cannot starve others.
            partition = partitions[(turn + self._turn) % len(partitions)]
            known = self._checkpoints.get(partition) or Checkpoint(partition, 0, b"")
            while page := self._after(known, room):
                known = read.checkpoints[partition] = checkpoint_of(page[-1])
                read.entries += [entry for entry in page if self._concerns(entry)]
                read.events += len(page)
                points, descriptions = _contents(page)
                read.points += points
                room -= points + descriptions
                if room <= 0:
                    read.more = True
                    return read
        return read

    def _after(self, known: Checkpoint, room: int) -> Sequence[Passed]:
        """Read the events after a checkpoint that are likely to fit."""
        limit = max(1, min(MAX_PAGE, int(room / self._points_per_entry)))
        page = self._pages.after(known, limit)
        if page:
            self._points_per_entry = max(1.0, sum(_contents(page)) / len(page))
        if self._end is None:
            return page
        return [entry for entry in page if entry.receipt.position < self._end]

    def _concerns(self, entry: Passed) -> bool:
        """Return whether the projection folds this event, or has to set it aside."""
        if isinstance(entry, RecordedEvent):
            return isinstance(entry.event, self._projection.event)
        return isinstance(entry, UnreadableMetrics) and (
            entry.event is None or entry.event is self._projection.event
        )

    def _commit(self, entries: Sequence[Passed], checkpoints: Mapping[int, Checkpoint]) -> None:
        """Commit events together with the checkpoints to which they and others lead."""
        try:
            rows, set_aside = self._folded(entries)
            self._store.commit(rows, set_aside, [*checkpoints.values()])
        except RowsRefused as error:
            if len(entries) == 1 and isinstance(entries[0], RecordedEvent):
                (entry,) = entries
                unreadable = UnreadableMetrics(entry.receipt, str(error), entry.digest)
                self._commit([unreadable], checkpoints)
                return
            if len(entries) <= 1:
                raise
            # At least one of these events cannot be stored: halve until it is alone.
            first, second = entries[: len(entries) // 2], entries[len(entries) // 2 :]
            self._commit(first, {e.receipt.partition: checkpoint_of(e) for e in first})
            self._commit(second, checkpoints)
            return
        self._checkpoints.update(checkpoints)

    def _folded(self, entries: Sequence[Passed]) -> tuple[Rows, list[SetAside]]:
        events = [entry for entry in entries if isinstance(entry, RecordedEvent)]
        set_aside = [
            SetAside(entry.receipt, entry.reason)
            for entry in entries
            if isinstance(entry, UnreadableMetrics)
        ]
        for event in set_aside:
            _log.error(
                "event set aside",
                projection=self._projection.name,
                receipt=str(event.receipt),
                reason=event.reason,
            )
        try:
            return self._projection.fold(events), set_aside
        except ProjectionError:
            raise
        except Exception as error:
            raise RowsRefused(f"{type(error).__name__}: {error}") from error

    def _position(self, partition: int) -> int:
        checkpoint = self._checkpoints.get(partition)
        return checkpoint.position if checkpoint else 0


def check_continuity(log: MetricLogReader, checkpoints: Iterable[Checkpoint]) -> None:
    """Compare checkpoints with the log. Raises ProjectionDiverged, LogUnavailable."""
    for known in checkpoints:
        check(known, log.read(known.partition, known.position - 1, 1))


def _contents(page: Sequence[Passed]) -> tuple[int, int]:
    """Return the points and the descriptions in a page: what bounds a read and a commit.

    An event that cannot be read, or was erased, counts as a point.
    """
    points = descriptions = 0
    for entry in page:
        match entry:
            case RecordedMetrics():
                points += len(entry.event.points)
            case RecordedDescriptions():
                descriptions += len(entry.event.descriptions)
            case SkippedMetrics() if entry.outline.event is MetricsDescribed:
                descriptions += entry.outline.count
            case SkippedMetrics():
                points += entry.outline.count
            case _:
                points += 1
    return points, descriptions
