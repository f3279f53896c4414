"""A process that writes projections until it is killed.

Arguments: ROOT MODE [SECONDS [CATALOG FILES]], the location and the length of a lease. It prints a
line to stdout when it begins. The modes:

- `commit` continues the live generation from its checkpoint, and ends with the status TAKEN_OVER if
  another process takes it over.
- `share` does so for its part of PARTITIONS partitions, and never ends by itself. All upkeep is due
  every UPKEEP_EVERY seconds.
- `create` makes copies, writes a little, and drops them.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path

from adapters.ducklake.database import Location
from adapters.ducklake.lease.leases import SECONDS
from adapters.ducklake.store import generation as writing_generation
from adapters.ducklake.store import upkeep
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.errors import ProjectionBusy, StoreUnavailable
from application.projections.folds import POINTS
from application.projections.live import live_generation
from application.projections.ports import ProjectionStore, Role
from tests.contracts.projection_store import checkpoint, commit, recorded, some_points
from tests.ducklake.support import POINTS_PER_EVENT, number_of, numbered

KEEP_NOTHING = 0
PARTITIONS = 16
UPKEEP_EVERY = 0.2
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


def share_on(stores: DuckLakeStores) -> None:
    """Commit event after event of each partition that this process writes."""
    print("began", flush=True)
    live = live_generation(stores, "points") or stores.create(POINTS, Role.LIVE)
    while True:
        try:
            with stores.join(live) as writing:
                _commit_part(writing)
        except (StoreUnavailable, ProjectionBusy) as error:
            print(error, flush=True)
            time.sleep(0.1)


def _commit_part(writing: ProjectionStore) -> None:
    known = dict(writing.checkpoints())
    while True:
        mine = [p for p in range(PARTITIONS) if writing.writes(p)]
        events = [numbered(p, number_of(known, p) + 1) for p in mine]
        if events:
            commit(writing, *events)
            known.update({event.receipt.partition: checkpoint(event) for event in events})
        else:
            time.sleep(0.05)
        writing.tidy()
        if writing.balance():
            known = dict(writing.checkpoints())


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
    if mode == "share":
        upkeep.MERGE_EVERY = upkeep.EXPIRE_EVERY = upkeep.ORPHANS_EVERY = UPKEEP_EVERY
        upkeep.KEEP_SECONDS, upkeep.ORPHAN_SECONDS = 4, 1
        writing_generation.BALANCE_EVERY = UPKEEP_EVERY
    with closing(DuckLakeStores(location, lease_seconds=seconds)) as opened:
        modes = {"commit": commit_until_taken_over, "share": share_on, "create": create_on}
        modes[mode](opened)
