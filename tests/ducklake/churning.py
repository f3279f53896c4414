"""A process that writes projections until it is killed.

Arguments: ROOT MODE [SECONDS [CATALOG FILES]], the location and the length of a lease. `commit`
continues the live generation from its checkpoint, and ends with the status TAKEN_OVER if another
process takes it over. `create` makes copies, writes a little, and drops them. It prints a line to
stdout when it begins.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from adapters.ducklake.database import Location
from adapters.ducklake.lease.leases import SECONDS
from adapters.ducklake.store import upkeep
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.errors import ProjectionBusy, StoreUnavailable
from application.projections.folds import POINTS
from application.projections.live import live_generation
from application.projections.ports import Role
from tests.contracts.projection_store import commit, recorded, some_points
from tests.ducklake.support import POINTS_PER_EVENT, number_of

KEEP_NOTHING = 0
TAKEN_OVER = 3


def commit_on(stores: DuckLakeStores) -> None:
    """Commit event after event, with all upkeep as often as possible."""
    live = live_generation(stores, "points") or stores.create(POINTS, Role.LIVE)
    with stores.open(live) as writing:
        number = number_of(writing.checkpoints())
        print("began", flush=True)
        while True:
            number += 1
            commit(writing, recorded(0, number, some_points(POINTS_PER_EVENT, number)))
            writing.tidy()
            if number % 5 == 0:
                writing._upkeep.expire(KEEP_NOTHING)
                writing._upkeep.delete_orphans(KEEP_NOTHING)


def commit_until_taken_over(stores: DuckLakeStores) -> None:
    """Begin again after each failure, as the projector does."""
    while True:
        try:
            commit_on(stores)
        except StoreUnavailable as error:
            print(error, flush=True)
        except ProjectionBusy:
            sys.exit(TAKEN_OVER)


def create_on(stores: DuckLakeStores) -> None:
    """Create, write, and drop copies."""
    print("began", flush=True)
    number = 0
    while True:
        number += 1
        for label in ("kept", "dropped"):
            copy = stores.create(POINTS, Role.COPY, label=f"{label} {number}")
            with stores.open(copy) as writing:
                commit(writing, recorded(0, 1, some_points(POINTS_PER_EVENT, 1)))
        for generation in stores.generations("points"):
            stores.drop(generation)


if __name__ == "__main__":
    root, mode, *rest = sys.argv[1:]
    seconds = float(rest[0]) if rest else SECONDS
    catalog, files = rest[1:] or (None, None)
    location = Location(root=Path(root), catalog=catalog, files=files)
    upkeep.MERGE_FROM = 3
    upkeep.MERGE_EVERY = upkeep.EXPIRE_EVERY = 0.0
    with closing(DuckLakeStores(location, lease_seconds=seconds)) as opened:
        {"commit": commit_until_taken_over, "create": create_on}[mode](opened)
