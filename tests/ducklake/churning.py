"""A process that writes projections until it is killed: `python churning.py ROOT MODE`.

`commit` continues the live generation from its checkpoint; `create` makes copies, writes a little,
and drops them. It prints a line to stdout when it begins.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from adapters.ducklake.database import Location
from adapters.ducklake.store import upkeep
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.folds import POINTS
from application.projections.live import live_generation
from application.projections.ports import Role
from tests.contracts.projection_store import commit, recorded, some_points
from tests.ducklake.support import POINTS_PER_EVENT, number_of

KEEP_NOTHING = 0


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
    root, mode = sys.argv[1:]
    upkeep.MERGE_FROM = 3
    upkeep.MERGE_EVERY = upkeep.EXPIRE_EVERY = 0.0
    with closing(DuckLakeStores(Location(root=Path(root)))) as opened:
        {"commit": commit_on, "create": create_on}[mode](opened)
