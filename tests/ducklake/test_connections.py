"""A worker and a projector keep to their documented numbers of connections to PostgreSQL."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from adapters.ducklake.database import Location, connect
from adapters.ducklake.query.read_model import DuckLakeReadModel
from adapters.ducklake.store import upkeep
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.folds import PROJECTIONS
from application.projections.ports import Role
from application.reading.ports import Aggregation, Selection
from tests.contracts.projection_store import checkpoint, recorded, some_points

WORKER = 4
PROJECTOR = 12
ROUNDS = 2
POINTS = Selection(organization="gilt", team=None, metric="a", tags={}, start=None, end=None)


@contextmanager
def counted(location: Location) -> Iterator[Counter[str]]:
    """Count the connections of each application during the block, and yield the most of each."""
    most: Counter[str] = Counter()
    stop = threading.Event()
    query = "SELECT application_name, count(*) FROM pg_stat_activity GROUP BY 1"

    def count() -> None:
        with closing(connect(location)) as connection:
            while not stop.wait(0.01):
                found = connection.execute(f"FROM postgres_query('registry', '{query}')").fetchall()
                for name, number in found:
                    most[name] = max(most[name], number)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield most
    finally:
        stop.set()
        thread.join()


def test_queries_projecting_and_upkeep_keep_to_the_limits(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where more queries run than there are connections; all of them are answered."""
    for setting in ("MERGE_EVERY", "EXPIRE_EVERY", "ORPHANS_EVERY"):
        monkeypatch.setattr(upkeep, setting, 0.0)
    monkeypatch.setattr(upkeep, "MERGE_FROM", 3)

    def location(name: str) -> Location:
        return Location(
            root=tmp_path / name,
            catalog=f"{database} application_name={name}",
            files=str(tmp_path / "files"),
            connections=WORKER,
        )

    with ExitStack() as opened:
        most = opened.enter_context(counted(location("test")))
        stores = opened.enter_context(closing(DuckLakeStores(location("projector"))))
        live = [stores.create(projection, Role.LIVE) for projection in PROJECTIONS]
        writing = [opened.enter_context(stores.join(generation)) for generation in live]
        model = opened.enter_context(closing(DuckLakeReadModel(location("worker"))))

        def project(number: int) -> None:
            event = recorded(0, number, some_points(40, number))
            for projection, store in zip(PROJECTIONS, writing, strict=True):
                rows = projection.fold([event] if projection.event is type(event.event) else [])
                store.commit(rows, [], [checkpoint(event)])
                store.tidy()
                store.balance()

        for store in writing:
            store.checkpoints()
        project(1)
        asks: list[Callable[[], object]] = [
            lambda: model.metric_names("gilt", None),
            lambda: model.descriptions("gilt", None),
            lambda: model.samples(POINTS, None, 10),
            lambda: model.samples(POINTS, Aggregation("mean", 60_000), 10),
            lambda: model.live("points"),
            lambda: model.positions("metric_names"),
            lambda: stores.info(live[0]),
        ]
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(ask) for _ in range(ROUNDS) for ask in asks]
            for number in range(2, 2 + ROUNDS):
                project(number)
            for each in asked:
                each.result()
    assert 0 < most["worker"] <= WORKER
    assert 0 < most["projector"] <= PROJECTOR
