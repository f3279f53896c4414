"""A process that makes generations when its stdin ends: `python creating.py ROOT METRIC_NAMES`."""

from __future__ import annotations

import sys
from contextlib import closing, suppress
from pathlib import Path

from adapters.ducklake.database import Location
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.errors import ProjectionBusy, StoreUnavailable
from application.projections.folds import POINTS
from application.projections.ports import Role

ATTEMPTS = 50


def create(stores: DuckLakeStores, role: Role) -> None:
    """Create one as the projector does, retrying if the stores did not answer."""
    for _ in range(ATTEMPTS):
        with suppress(StoreUnavailable):
            stores.create(POINTS, role)
            return
    raise StoreUnavailable(f"not in {ATTEMPTS} attempts")


if __name__ == "__main__":
    root, catalog = sys.argv[1:]
    with closing(DuckLakeStores(Location(root=Path(root), catalog=catalog or None))) as opened:
        print("ready", flush=True)
        sys.stdin.read()
        with suppress(ProjectionBusy):
            create(opened, Role.LIVE)
        while True:
            with suppress(ProjectionBusy):  # another process took the same number
                create(opened, Role.BUILDING)
                break
