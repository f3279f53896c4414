"""The projections in memory fulfil the ports' contracts."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import pytest

from adapters.memory.projection_stores import MemoryProjectionStore, MemoryProjectionStores
from application.projections.ports import Generation, ProjectionStore, ProjectionStores
from tests.contracts.projection_store import (
    ManualClock,
    OpenStores,
    ProjectionStoresContract,
)


class TestMemoryProjectionStores(ProjectionStoresContract):
    @pytest.fixture
    def open_stores(self, clock: ManualClock) -> OpenStores:
        stores = MemoryProjectionStores(clock=clock)
        return lambda: nullcontext(stores)

    def second_writer(
        self, stores: ProjectionStores, generation: Generation
    ) -> AbstractContextManager[ProjectionStore]:
        assert isinstance(stores, MemoryProjectionStores)
        return nullcontext(MemoryProjectionStore(stores._find(generation), stores._lock))
