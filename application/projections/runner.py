"""Feeding one generation of a projection from the log: each event exactly once, in log order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from msgspec import Struct

from application.event_log.ports import (
    Recorded,
    RecordedDescriptions,
    RecordedEvent,
    RecordedMetrics,
    SkippedMetrics,
    UnreadableMetrics,
)
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.projections.errors import ProjectionDiverged, ProjectionError, RowsRefused
from application.projections.folds import Projection, Rows
from application.projections.ports import Checkpoint, ProjectionStore, SetAside
from domain.events import MetricsDescribed

MAX_POINTS = 90_000
"""Maximum points per commit, unless a single event has more."""

MAX_PAGE = 1000
"""Maximum entries per read of the log; large entries are read fewer at a time, to fit a commit."""

LAST = (1 << 63) - 1
"""The position above which no partition has any event."""

FIRST_POINTS = 1000.0
"""Estimate of the points per entry before the first read."""

Passed = Recorded | SkippedMetrics

_log = structlog.get_logger(__name__)


class Progress(Struct, frozen=True):
    """The result of a step: its events, the points in them, and whether the log had more.

    Events that were skipped count too.
    """

    events: int
    points: int
    more: bool


class ProjectionRunner:
    """Reads each partition from the store's checkpoint on, folds the events, and commits the rows.

    Reads the partitions that the store writes; if these change, make a new runner.
    Every read starts with the checkpoint's own event and compares its digest, so a log that lost
    events, as a failover may cause, is never mistaken for the one that was read before.
    With `until` (milliseconds, exclusive), events recorded later are left out.
    """

    def __init__(
        self,
        log: MetricLogReader,
        store: ProjectionStore,
        projection: Projection,
        *,
        max_points: int = MAX_POINTS,
        until: int | None = None,
    ) -> None:
        self._log = log
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
        entries, more = self._read(self._log.entries.wait_for_entries(self.positions))
        if entries:
            self._commit(entries)
        return Progress(len(entries), _points(entries), more)

    def _read(self, partitions: Sequence[int]) -> tuple[list[Passed], bool]:
        """Read a commit's worth of these partitions; return whether there is more."""
        entries: list[Passed] = []
        room = self._max_points
        self._turn += 1
        for turn in range(len(partitions)):
            # Start with another partition in every step, so that a busy one cannot starve others.
            partition = partitions[(turn + self._turn) % len(partitions)]
            known = self._checkpoints.get(partition)
            while page := self._after(known or Checkpoint(partition, 0, b""), room):
                entries += page
                room -= _size(page)
                if room <= 0:
                    return entries, True
                known = _checkpoint(page[-1])
        return entries, False

    def _after(self, known: Checkpoint, room: int) -> Sequence[Passed]:
        """Read the entries after a known one, which is read again to check the log."""
        event = self._projection.event
        limit = max(1, min(MAX_PAGE, int(room / self._points_per_entry)))
        if known.position == 0:
            page = self._log.read_only(event, known.partition, 0, limit)
        else:
            found = self._log.read_only(event, known.partition, known.position - 1, limit + 1)
            _check(known, found)
            page = found[1:]
        if page:
            self._points_per_entry = max(1.0, _size(page) / len(page))
        return [e for e in page if self._end is None or e.receipt.position < self._end]

    def _commit(self, entries: Sequence[Passed]) -> None:
        try:
            rows, set_aside = self._folded(entries)
            checkpoints = {entry.receipt.partition: _checkpoint(entry) for entry in entries}
            self._store.commit(rows, set_aside, list(checkpoints.values()))
        except RowsRefused as error:
            entry = entries[0]
            if isinstance(entry, UnreadableMetrics) and len(entries) == 1:
                raise
            if len(entries) == 1:
                self._commit([UnreadableMetrics(entry.receipt, str(error), entry.digest)])
                return
            # At least one of these events cannot be stored: halve until it is alone.
            middle = len(entries) // 2
            self._commit(entries[:middle])
            self._commit(entries[middle:])
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
        _check(known, log.read(known.partition, known.position - 1, 1))


def _check(known: Checkpoint, found: Sequence[Passed]) -> None:
    receipt = Receipt.at(known.partition, known.position)
    if not found or found[0].receipt != receipt:
        raise ProjectionDiverged(f"the event {receipt}, read before, is no longer in the log")
    if found[0].digest != known.digest:
        raise ProjectionDiverged(f"the event {receipt} differs from the one that was read before")


def _checkpoint(entry: Passed) -> Checkpoint:
    return Checkpoint(entry.receipt.partition, entry.receipt.position, entry.digest)


def _size(entries: Sequence[Passed]) -> int:
    """Return the points and descriptions of the entries: what bounds a read and a commit."""
    return sum(map(_things, entries))


def _things(entry: Passed) -> int:
    match entry:
        case RecordedMetrics():
            return len(entry.event.points)
        case RecordedDescriptions():
            return len(entry.event.descriptions)
        case SkippedMetrics():
            return entry.outline.count
        case _:
            return 1


def _points(entries: Sequence[Passed]) -> int:
    return sum(_things(entry) for entry in entries if not _describes(entry))


def _describes(entry: Passed) -> bool:
    if isinstance(entry, SkippedMetrics):
        return entry.outline.event is MetricsDescribed
    return isinstance(entry, RecordedDescriptions)
