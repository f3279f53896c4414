"""One generation of a projection, fed from the log: each event exactly once, in log order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from msgspec import Struct

from application.event_log.ports import (
    Recorded,
    RecordedMetrics,
    UnreadableMetrics,
)
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.projections.errors import ProjectionDiverged, ProjectionError, RowsRefused
from application.projections.folds import Projection, Rows
from application.projections.ports import Checkpoint, ProjectionStore, SetAside

MAX_POINTS = 90_000
"""Points per commit at most, unless a single event has more."""

MAX_PAGE = 1000
"""Entries a read of the log at most; fewer where they are large, to fit the commit."""

FIRST_POINTS = 1000.0
"""Points an entry is taken to have, before the first was seen."""

_log = structlog.get_logger(__name__)


class Progress(Struct, frozen=True):
    """What a step did: events taken, points in them, and whether the log had more for it."""

    events: int
    points: int
    more: bool


class ProjectionRunner:
    """Reads a store's partitions on from its checkpoints, folds, and commits.

    Every read begins with the event of the checkpoint itself and compares its digest: a log that
    lost what it once told (a failover may) is never taken for the one that was read before.
    With `until` (milliseconds, exclusive) events recorded later are left out.
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
        """How far each partition was read; 0 for not at all."""
        return [self._position(partition) for partition in range(self._log.entries.partitions())]

    def check_continuity(self) -> None:
        """As the function of that name, for the store's checkpoints."""
        check_continuity(self._log, self._checkpoints.values())

    def step(self) -> Progress:
        """Take what the log has, up to a commit's worth, and commit it; wait a little for it.

        Raises ProjectionDiverged, LogUnavailable, StoreUnavailable and StoreFull. What was
        committed by then the store's checkpoints tell: go on with a new runner.
        """
        entries, more = self._read(self._log.entries.wait_for_entries(self.positions))
        if entries:
            self._commit(entries)
        return Progress(len(entries), _points(entries), more)

    def _read(self, partitions: Sequence[int]) -> tuple[list[Recorded], bool]:
        """Read a commit's worth of these partitions; tell whether there is more."""
        entries: list[Recorded] = []
        room = self._max_points
        self._turn += 1
        for turn in range(len(partitions)):
            # Not always the same one first: none is left behind for another's sake.
            partition = partitions[(turn + self._turn) % len(partitions)]
            known = self._checkpoints.get(partition)
            while page := self._after(known or Checkpoint(partition, 0, b""), room):
                entries += page
                room -= _points(page)
                if room <= 0:
                    return entries, True
                known = _checkpoint(page[-1])
        return entries, False

    def _after(self, known: Checkpoint, room: int) -> Sequence[Recorded]:
        """Read the entries after a known one, that one making sure of the log."""
        limit = max(1, min(MAX_PAGE, int(room / self._points_per_entry)))
        if known.position == 0:
            page = self._log.read(known.partition, 0, limit)
        else:
            found = self._log.read(known.partition, known.position - 1, limit + 1)
            _check(known, found)
            page = found[1:]
        if page:
            self._points_per_entry = max(1.0, _points(page) / len(page))
        return [e for e in page if self._end is None or e.receipt.position < self._end]

    def _commit(self, entries: Sequence[Recorded]) -> None:
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
            # Some event of these cannot be stored: halve until it stands alone.
            middle = len(entries) // 2
            self._commit(entries[:middle])
            self._commit(entries[middle:])
            return
        self._checkpoints.update(checkpoints)

    def _folded(self, entries: Sequence[Recorded]) -> tuple[Rows, list[SetAside]]:
        events = [entry for entry in entries if isinstance(entry, RecordedMetrics)]
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


def _check(known: Checkpoint, found: Sequence[Recorded]) -> None:
    receipt = Receipt.at(known.partition, known.position)
    if not found or found[0].receipt != receipt:
        raise ProjectionDiverged(f"the event {receipt}, read before, is not in the log any more")
    if found[0].digest != known.digest:
        raise ProjectionDiverged(f"the event {receipt} is not the one that was read before")


def _checkpoint(entry: Recorded) -> Checkpoint:
    return Checkpoint(entry.receipt.partition, entry.receipt.position, entry.digest)


def _points(entries: Sequence[Recorded]) -> int:
    return sum(len(e.event.points) if isinstance(e, RecordedMetrics) else 1 for e in entries)
