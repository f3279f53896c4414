"""Generations in a directory, written as by the projector, for tests of reading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from adapters.ducklake.database import Location
from adapters.ducklake.store.stores import DuckLakeStores
from application.event_log.ports import RecordedEvent
from application.projections.folds import PROJECTIONS
from application.projections.ports import Checkpoint, Generation, ProjectionStore, Role


class Lake:
    def __init__(self, stores: DuckLakeStores, location: Location, opened: ExitStack) -> None:
        self.stores = stores
        self.location = location
        self._opened = opened
        self._writing: dict[Generation, ProjectionStore] = {}

    def create(self, role: Role, label: str | None = None) -> list[Generation]:
        """Make empty generations of all projections."""
        made = [self.stores.create(p, role, label=label) for p in PROJECTIONS]
        for generation in made:
            self._writing[generation] = self._opened.enter_context(self.stores.open(generation))
        return made

    def commit(self, generations: Sequence[Generation], events: Sequence[RecordedEvent]) -> None:
        checkpoints = {
            event.receipt.partition: Checkpoint(
                event.receipt.partition, event.receipt.position, event.digest
            )
            for event in events
        }
        for generation, projection in zip(generations, PROJECTIONS, strict=True):
            rows = projection.fold([e for e in events if isinstance(e.event, projection.event)])
            self._writing[generation].commit(rows, [], list(checkpoints.values()))
            self._writing[generation].tidy()


@contextmanager
def open_lake(root: Path, files: str | None = None, catalog: str | None = None) -> Iterator[Lake]:
    location = Location(root=root, files=files, catalog=catalog)
    stores = DuckLakeStores(location)
    try:
        with ExitStack() as opened:
            yield Lake(stores, location, opened)
    finally:
        stores.close()
