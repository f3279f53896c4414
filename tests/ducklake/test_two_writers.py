"""Two processes that write one generation: one of them has to begin again, and nothing is lost."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from adapters.ducklake.database import Location
from application.projections.errors import StoreUnavailable
from application.projections.ports import ProjectionStore
from tests.contracts.projection_store import commit, recorded
from tests.ducklake.support import live_store, unleased_store

ROUNDS = 10


@pytest.mark.parametrize("catalog", ["sqlite", "postgres"])
def test_a_commit_that_loses_a_race_is_never_taken_for_rows_that_cannot_be_stored(
    request: pytest.FixtureRequest, tmp_path: Path, catalog: str
) -> None:
    dsn = request.getfixturevalue("database") if catalog == "postgres" else None
    location = Location(root=tmp_path, catalog=dsn)
    stored: list[int] = []
    others: list[BaseException] = []

    def write(store: ProjectionStore, partition: int) -> None:
        for number in range(1, ROUNDS + 1):
            try:
                store.checkpoints()
                commit(store, recorded(partition, number))
            except StoreUnavailable:
                continue
            except BaseException as error:  # noqa: BLE001  reported by the test
                others.append(error)
                return
            stored.append(number)

    with live_store(location) as (stores, live, first), unleased_store(location, live) as second:
        threads = [
            threading.Thread(target=write, args=(store, partition))
            for partition, store in enumerate((first, second))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert others == []
        assert len(stored) < 2 * ROUNDS, "no commit lost a race"
        info = stores.info(live)
    assert info.set_aside == []
    assert info.rows == len(stored)
