"""Helpers for the tests of writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from time import monotonic

from adapters.ducklake.database import Location, attach, connect
from adapters.ducklake.lease.leases import Lease, Leases
from adapters.ducklake.store.fence import Fence
from adapters.ducklake.store.generation import DuckLakeStore
from adapters.ducklake.store.stored_names import lake_name
from adapters.ducklake.store.stores import DuckLakeStores
from adapters.ducklake.store.tables import TABLES
from application.event_log.ports import RecordedMetrics
from application.event_log.receipts import Receipt
from application.projections.folds import POINTS, Projection
from application.projections.ports import Checkpoint, Generation, Owner, OwnerDigest, Role
from tests.contracts.projection_store import commit, recorded, some_points

POINTS_PER_EVENT = 50
"""Points of each numbered event."""


def numbered(partition: int, number: int) -> RecordedMetrics:
    """Return an event of POINTS_PER_EVENT points."""
    return recorded(partition, number, some_points(POINTS_PER_EVENT, number))


def number_of(checkpoints: Mapping[int, Checkpoint], partition: int = 0) -> int:
    """Return the number of the last committed event of a partition."""
    last = checkpoints.get(partition)
    return 0 if last is None else Receipt.at(0, last.position).milliseconds - 1_700_000_000_000


@contextmanager
def live_store(
    location: Location, projection: Projection = POINTS
) -> Iterator[tuple[DuckLakeStores, Generation, DuckLakeStore]]:
    """Open new stores with a live generation that is open for writing."""
    with closing(DuckLakeStores(location)) as stores:
        live = stores.create(projection, Role.LIVE)
        with stores.open(live) as store:
            yield stores, live, store


@contextmanager
def unleased_store(
    location: Location, generation: Generation, clock: Callable[[], float] = monotonic
) -> Iterator[DuckLakeStore]:
    """Open a generation with the fence of its writer, without a lease, as no program does."""
    name = lake_name(generation.projection, generation.number)
    with closing(connect(location)) as connection, closing(Leases(location)) as leases:
        attach(connection, location, name, "lake")
        connection.execute("SET ducklake_max_retry_count = 0")
        ((number,),) = connection.execute("SELECT fence FROM lake.writer").fetchall()
        fence = Fence(connection, Lease(name, "nobody", leases), number)
        table = TABLES[generation.projection]
        yield DuckLakeStore(connection, table, fence, location.root, clock)


def digests_of_all(stores: DuckLakeStores, last: Mapping[int, int]) -> Mapping[Owner, OwnerDigest]:
    """Return the digests of a generation that one writer made, of the events 1 to `last` each."""
    generation = stores.create(POINTS, Role.BUILDING)
    with stores.open(generation) as store:
        commit(store, *(numbered(p, n) for p, end in last.items() for n in range(1, end + 1)))
    return stores.digests(generation)


def digests_at_once(stores: DuckLakeStores, last: int) -> Mapping[tuple[str, str], OwnerDigest]:
    """Return the digests of a generation that received the events 1 to `last` in one commit."""
    generation = stores.create(POINTS, Role.BUILDING)
    with stores.open(generation) as store:
        commit(
            store, *(recorded(0, n, some_points(POINTS_PER_EVENT, n)) for n in range(1, last + 1))
        )
    return stores.digests(generation)
