"""Projections in memory. Skips: durability, upkeep, more than one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256

import msgspec
from msgspec import Struct

from application.event_log.ports import RecordedMetrics
from application.event_log.receipts import Receipt
from application.projections.errors import (
    ProjectionBusy,
    ProjectionMissing,
    RowsRefused,
    StoreUnavailable,
)
from application.projections.folds import (
    MetricDescriptionRow,
    MetricNameRow,
    Projection,
    Rows,
)
from application.projections.ports import (
    Checkpoint,
    Generation,
    GenerationInfo,
    Owner,
    OwnerDigest,
    Role,
    SetAside,
    Writer,
)
from domain.values import bits_of

RETIRED_SECONDS = 60.0

MAX_TIME = 1 << 53
"""Milliseconds; later points are refused, as a store refuses what its time type cannot hold."""

Row = tuple[object, ...]
Keyed = dict[tuple[object, ...], tuple[Owner, Receipt, Row]]


class _Held(Struct):
    """A generation with its data; `rows` by the key that identifies each."""

    generation: Generation
    rows: Keyed = {}
    checkpoints: dict[int, Checkpoint] = {}
    set_aside: list[SetAside] = []
    open: bool = False
    retired_at: float = 0.0


class MemoryProjectionStore:
    """Implements the port ProjectionStore."""

    def __init__(self, held: _Held, lock: threading.RLock) -> None:
        self._held = held
        self._lock = lock
        self._checkpoints = dict(held.checkpoints)

    def writes(self, partition: int) -> bool:  # noqa: ARG002
        return True

    def balance(self) -> bool:
        return False

    def checkpoints(self) -> Mapping[int, Checkpoint]:
        self._checkpoints = dict(self._held.checkpoints)
        return self._checkpoints

    def commit(
        self, rows: Rows, set_aside: Sequence[SetAside], checkpoints: Sequence[Checkpoint]
    ) -> None:
        if self._held.checkpoints != self._checkpoints:
            raise StoreUnavailable("another process writes this generation")
        keyed: Keyed = {}
        for row in rows:
            keyed.update(_keyed(row))
        with self._lock:
            self._held.rows = {**keyed, **self._held.rows}
            self._held.set_aside += set_aside
            self._held.checkpoints.update({c.partition: c for c in checkpoints})
        self._checkpoints = dict(self._held.checkpoints)

    def set_aside(self) -> Sequence[SetAside]:
        return sorted(self._held.set_aside, key=lambda event: event.receipt)

    def tidy(self) -> None:
        """Do nothing; memory needs no upkeep."""


class MemoryProjectionStores:
    """Implements the port ProjectionStores. `clock` returns seconds since the epoch."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        retired_seconds: float = RETIRED_SECONDS,
    ) -> None:
        self._clock = clock
        self._retired_seconds = retired_seconds
        self._lock = threading.RLock()
        self._held: dict[str, dict[int, _Held]] = {}
        self._numbers: dict[str, int] = {}

    def generations(self, projection: str) -> Sequence[Generation]:
        with self._lock:
            return [held.generation for held in self._held.get(projection, {}).values()]

    def create(
        self,
        projection: Projection,
        role: Role,
        *,
        label: str | None = None,
        until: int | None = None,
    ) -> Generation:
        with self._lock:
            for other in self.generations(projection.name):
                taken = label is not None and label == other.label
                if taken or role is other.role is Role.LIVE:
                    what = f"copy {label!r}" if taken else "live generation"
                    raise ProjectionBusy(f"there is a {what} of {projection.name} already")
            number = self._numbers[projection.name] = self._numbers.get(projection.name, 0) + 1
            generation = Generation(
                projection=projection.name,
                number=number,
                version=projection.version,
                role=role,
                label=label,
                until=until,
            )
            self._held.setdefault(projection.name, {})[number] = _Held(generation)
            return generation

    @contextmanager
    def open(self, generation: Generation) -> Iterator[MemoryProjectionStore]:
        with self._lock:
            held = self._find(generation)
            if held.open:
                raise ProjectionBusy(f"{generation.projection} is being written")
            held.open = True
        try:
            yield MemoryProjectionStore(held, self._lock)
        finally:
            held.open = False

    def join(self, generation: Generation) -> AbstractContextManager[MemoryProjectionStore]:
        return self.open(generation)

    def swap_in(self, generation: Generation) -> bool:
        with self._lock:
            held = self._find(generation)
            if held.generation.role is not Role.BUILDING:
                raise ProjectionMissing(f"{generation.projection} is no longer being built")
            for other in self._held[generation.projection].values():
                if other.generation.role is Role.LIVE:
                    for partition, checkpoint in other.checkpoints.items():
                        mine = held.checkpoints.get(partition)
                        behind = mine is None or mine.position < checkpoint.position
                        if behind and other.generation.stopped is None:
                            return False
                    _change(other, role=Role.RETIRED)
                    other.retired_at = self._clock()
            _change(held, role=Role.LIVE)
            return True

    def keep(self, generation: Generation) -> Generation:
        with self._lock:
            held = self._find(generation)
            if held.generation.role is not Role.COPYING:
                raise ProjectionMissing(f"{generation.projection} is no longer being copied")
            _change(held, role=Role.COPY)
            return held.generation

    def stop(self, generation: Generation, reason: str | None) -> None:
        with self._lock:
            _change(self._find(generation), stopped=reason)

    def drop(self, generation: Generation) -> None:
        with self._lock:
            held = self._held.get(generation.projection, {}).get(generation.number)
            if held is None:
                return
            if held.open or held.generation.role is Role.LIVE:
                raise ProjectionBusy(f"{generation.projection} is in use")
            del self._held[generation.projection][generation.number]

    def drop_retired(self) -> None:
        with self._lock:
            before = self._clock() - self._retired_seconds
            for held in [h for of_one in self._held.values() for h in of_one.values()]:
                retired = held.generation.role is Role.RETIRED and held.retired_at < before
                if retired and not held.open:
                    self.drop(held.generation)

    def info(self, generation: Generation) -> GenerationInfo:
        with self._lock:
            held = self._find(generation)
            return GenerationInfo(
                generation,
                dict(held.checkpoints),
                len(held.rows),
                len(repr(held.rows)),
                MemoryProjectionStore(held, self._lock).set_aside(),
                (Writer("this process", here=True),) if held.open else (),
            )

    def positions(self, generation: Generation) -> Mapping[int, int]:
        with self._lock:
            checkpoints = self._find(generation).checkpoints
            return {partition: found.position for partition, found in checkpoints.items()}

    def digests(
        self, generation: Generation, up_to: Mapping[int, int] | None = None
    ) -> Mapping[Owner, OwnerDigest]:
        found: dict[Owner, OwnerDigest] = {}
        with self._lock:
            for owner, receipt, row in self._find(generation).rows.values():
                if up_to is None or receipt.position <= up_to.get(receipt.partition, 0):
                    before = found.get(owner, OwnerDigest(0, 0))
                    digest = int.from_bytes(sha256(repr((row, receipt)).encode()).digest()[:8])
                    found[owner] = OwnerDigest(before.rows + 1, before.digest + digest)
        return found

    def _find(self, generation: Generation) -> _Held:
        try:
            return self._held[generation.projection][generation.number]
        except KeyError:
            raise ProjectionMissing(f"{generation.projection} no longer exists") from None


def _keyed_points(recorded: RecordedMetrics) -> Keyed:
    event, receipt = recorded.event, recorded.receipt
    owner = (event.organization, event.team or "")
    keyed: Keyed = {}
    for item, point in enumerate(event.points.points()):
        if not 0 <= point.timestamp < MAX_TIME:
            raise RowsRefused(f"the time {point.timestamp} cannot be stored")
        bits = bits_of(point.value or 0.0)  # minus zero is zero
        row = (item, point.name, sorted(point.tags.items()), point.timestamp, bits)
        keyed[(*owner, receipt, item)] = owner, receipt, row
    return keyed


def _keyed(row: RecordedMetrics | MetricNameRow | MetricDescriptionRow) -> Keyed:
    if isinstance(row, RecordedMetrics):
        return _keyed_points(row)
    owner, receipt = (row.organization, row.team or ""), row.receipt
    if isinstance(row, MetricNameRow):
        return {(*owner, row.name, row.tag): (owner, receipt, (row.name, row.tag))}
    described = row.description
    return {(*owner, described.name, receipt): (owner, receipt, msgspec.structs.astuple(described))}


def _change(held: _Held, **changes: object) -> None:
    held.generation = msgspec.structs.replace(held.generation, **changes)
