"""Use case: the state of the projections, and how far they lag behind the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from application.clock import Clock, milliseconds
from application.event_log.ports import EntryLog
from application.event_log.receipts import Receipt
from application.projections.folds import PROJECTIONS, Projection
from application.projections.live import rebuild_hint, why_stopped
from application.projections.ports import Generation, LiveGenerations, Writer


class State(StrEnum):
    """Whether a projection is kept up to date.

    A `standby` one is written by projectors of other hosts only; this host's takes over if one of
    them ends or is not heard of. A `stopped` one can be read as it is, but is not written until it
    is rebuilt. A `missing` one has not been built yet.
    """

    LIVE = "live"
    STANDBY = "standby"
    STOPPED = "stopped"
    MISSING = "missing"


class PartitionStatus(Struct, frozen=True, kw_only=True):
    """How far a partition was read: `position` is the receipt of the last event, if any.

    `lag_events` is the number of events after it in the log; `lag_seconds` is the age of the first
    of them, or 0 if there are none.
    """

    partition: int
    position: Receipt | None
    lag_events: int
    lag_seconds: float


class ProjectionState(Struct, frozen=True, kw_only=True):
    """A projection's live generation (None if there is none), and its position by partition.

    `reason` says why it is stopped, if it is. `writers` are the processes that write it now.
    """

    projection: str
    generation: Generation | None
    positions: Mapping[int, int]
    reason: str | None
    writers: tuple[Writer, ...] = ()

    @property
    def state(self) -> State:
        if self.generation is None:
            return State.MISSING
        if self.reason is not None:
            return State.STOPPED
        here = not self.writers or any(writer.here for writer in self.writers)
        return State.LIVE if here else State.STANDBY

    @property
    def last_event(self) -> int:
        """When its last event was recorded, in ms since the epoch; 0 if it has none."""
        return max((Receipt.at(0, p).milliseconds for p in self.positions.values()), default=0)

    @property
    def help(self) -> str | None:
        """Advice for the operator, or None if nothing needs to be done."""
        return rebuild_hint(self.projection) if self.state is State.STOPPED else None


class ProjectionStatus(Struct, frozen=True):
    """A projection's state and lag.

    `lag_events` is the sum over its partitions, `lag_seconds` the maximum.
    """

    now: ProjectionState
    partitions: tuple[PartitionStatus, ...]

    @property
    def lag_events(self) -> int:
        return sum(partition.lag_events for partition in self.partitions)

    @property
    def lag_seconds(self) -> float:
        return max((partition.lag_seconds for partition in self.partitions), default=0.0)


class _Counted(Struct, frozen=True):
    """The number of a partition's events above `after` and up to `up_to`.

    `first` is when the first of them was recorded, in ms since the epoch.
    """

    after: int
    up_to: int
    events: int
    first: int


class Lags:
    """Measures how far positions lag behind the log. For one thread at a time.

    Keeps its counts, so that measuring a stopped projection does not get slower as it lags more.
    """

    def __init__(self, log: EntryLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._counted: dict[tuple[str, int], _Counted] = {}

    def __call__(
        self, projection: str, positions: Mapping[int, int]
    ) -> tuple[PartitionStatus, ...]:
        """Return the status of every partition. Raises LogUnavailable."""
        return tuple(
            self._partition(projection, partition, positions.get(partition, 0))
            for partition in range(self._log.partitions())
        )

    def _partition(self, projection: str, partition: int, position: int) -> PartitionStatus:
        events, first = self._unread(projection, partition, position)
        now = milliseconds(self._clock)
        return PartitionStatus(
            partition=partition,
            position=Receipt.at(partition, position) if position else None,
            lag_events=events,
            lag_seconds=max(now - first, 0) / 1000 if events else 0.0,
        )

    def _unread(self, projection: str, partition: int, position: int) -> tuple[int, int]:
        """Return the number of events above a position, and when the first was recorded (ms)."""
        last = self._log.last_position(partition)
        if last <= position:
            return 0, 0
        known = self._counted.get((projection, partition))
        if known is None or known.after != position or known.up_to > last:
            unread = self._log.read(partition, position, 1)
            if not unread:  # a failover lost the events that were there a moment ago
                return 0, 0
            known = _Counted(position, position, 0, unread[0].receipt.milliseconds)
        if known.up_to < last:
            # Events that arrive between the two calls are counted next time.
            more = self._log.count(partition, known.up_to) - self._log.count(partition, last)
            known = _Counted(position, last, known.events + more, known.first)
            self._counted[projection, partition] = known
        return known.events, known.first


class ProjectionStatuses:
    """Reads the state of all projections' live generations. Calls block.

    One thread at a time may call the object itself; `states` is thread-safe.
    """

    def __init__(self, live: LiveGenerations, log: EntryLog, clock: Clock) -> None:
        self._live = live
        self._lags = Lags(log, clock)

    def states(self) -> Sequence[ProjectionState]:
        """Return the state of every projection, without using the log. Raises StoreUnavailable."""
        return [self._state(projection) for projection in PROJECTIONS]

    def __call__(self) -> Sequence[ProjectionStatus]:
        """Return the status of every projection. Raises StoreUnavailable, LogUnavailable."""
        return [
            ProjectionStatus(state, self._lags(state.projection, state.positions))
            for state in self.states()
        ]

    def _state(self, projection: Projection) -> ProjectionState:
        found = self._live.live(projection.name)
        if found is None:
            return ProjectionState(
                projection=projection.name, generation=None, positions={}, reason=None
            )
        return ProjectionState(
            projection=projection.name,
            generation=found.generation,
            positions=found.positions,
            reason=why_stopped(projection, found.generation),
            writers=found.writers,
        )
