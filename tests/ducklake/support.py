"""Helpers for the tests of writing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from adapters.ducklake.database import Location
from adapters.ducklake.store.generation import DuckLakeStore
from adapters.ducklake.store.stores import DuckLakeStores
from application.event_log.receipts import Receipt
from application.projections.folds import POINTS, Projection
from application.projections.ports import Checkpoint, Generation, OwnerDigest, Role
from tests.contracts.projection_store import commit, recorded, some_points

POINTS_PER_EVENT = 50
"""Points of each numbered event."""


def number_of(checkpoints: Mapping[int, Checkpoint]) -> int:
    """Return the number of the last committed event of partition 0."""
    last = checkpoints.get(0)
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


def digests_at_once(stores: DuckLakeStores, last: int) -> Mapping[tuple[str, str], OwnerDigest]:
    """Return the digests of a generation that received the events 1 to `last` in one commit."""
    generation = stores.create(POINTS, Role.BUILDING)
    with stores.open(generation) as store:
        commit(
            store, *(recorded(0, n, some_points(POINTS_PER_EVENT, n)) for n in range(1, last + 1))
        )
    return stores.digests(generation)
