"""The number of statements depends on the number of points, not of names, owners or files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from adapters.ducklake import database
from adapters.ducklake.query import export, readers
from adapters.ducklake.query.export import DuckLakePointExport
from adapters.ducklake.query.read_model import DuckLakeReadModel
from adapters.ducklake.store import stores
from adapters.ducklake.store.stores import DuckLakeStores
from adapters.memory.read_model import MemoryReadModel
from application.event_log.ports import RecordedMetrics
from application.projections.ports import Generation, Role
from application.reading.ports import Aggregation, Selection
from tests.contracts.read_model import ReadModelUnderTest, all_rows, point
from tests.ducklake.lake import Lake, open_lake

NOTHING = MemoryReadModel()
BLANK = ReadModelUnderTest(NOTHING, NOTHING, NOTHING, lambda _: None, lambda _, __: None)
FEW, MANY = (1, 2, 2), (8, 6, 40)
"""Numbers of organizations, of owners in each, and of names of each owner."""


class Asks:
    """Counts the statements sent to DuckDB."""

    def __init__(self) -> None:
        self.count = 0

    def of(self, work: Callable[[], object]) -> int:
        before = self.count
        work()
        return self.count - before

    def watch(self, connection: Any) -> Any:
        return _Watched(self, connection)


class _Watched:
    def __init__(self, asks: Asks, connection: Any) -> None:
        self._asks = asks
        self._connection = connection

    def execute(self, *arguments: Any) -> Any:
        self._asks.count += 1
        return self._connection.execute(*arguments)

    def cursor(self) -> Any:
        return self._asks.watch(self._connection.cursor())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.fixture
def asks(monkeypatch: pytest.MonkeyPatch) -> Asks:
    asks = Asks()
    for module in (readers, stores):
        connect = module.connect
        monkeypatch.setattr(module, "connect", lambda *a, _c=connect, **k: asks.watch(_c(*a, **k)))
    return asks


def events(owners: int, teams: int, names: int, *, at: int = 1) -> list[RecordedMetrics]:
    """One event per owner and team, with one point per name."""
    return [
        BLANK.recorded(
            *(point(at, 1.0, f"m{name:04}", host=f"h{name}") for name in range(names)),
            organization=f"o{owner}",
            team=f"t{team}" if team else None,
            position=at * 1_000_000 + owner * 1000 + team + 1,
        )
        for owner in range(owners)
        for team in range(teams)
    ]


@pytest.fixture
def lake(tmp_path: Path, asks: Asks) -> Iterator[Lake]:
    with open_lake(tmp_path) as lake:
        yield lake


def commit(lake: Lake, live: Sequence[Generation], sizes: tuple[int, int, int]) -> None:
    for at in (1, 2):  # the second knows the names already
        lake.commit(live, events(*sizes, at=at))


def test_the_number_of_statements_does_not_depend_on_that_of_owners_and_names(
    tmp_path: Path, asks: Asks
) -> None:
    counts = []
    for sizes in (FEW, MANY):
        root = tmp_path / str(sizes)
        with (
            open_lake(root) as lake,
            closing(DuckLakeReadModel(lake.location)) as queries,
            closing(DuckLakePointExport(lake.location)) as points,
            closing(DuckLakeStores(lake.location)) as others,
        ):
            live = lake.create(Role.LIVE)
            selection = Selection(organization="o0", metric="m0000")
            steps: dict[str, Callable[[], object]] = {
                "commit": lambda: commit(lake, live, sizes),  # noqa: B023  called within the loop
                "export": lambda: list(points.rows("o0", None)),
                "names": lambda: queries.metric_names("o0", None),
                "knows": lambda: queries.knows("o0", None, "m0000"),
                "points": lambda: queries.samples(selection, None, 5),  # noqa: B023
                "buckets": lambda: queries.samples(selection, Aggregation("sum", 1), 5),  # noqa: B023
                "info": lambda: list(map(others.info, live)),  # noqa: B023
                "digests": lambda: list(map(others.digests, live)),  # noqa: B023
                "positions": lambda: queries.positions("points"),
            }
            counts.append({name: asks.of(step) for name, step in steps.items()})
    assert counts[0] == counts[1]
    assert counts[0].pop("buckets") == 0, "of columns that are in memory since `points`"
    assert all(counts[0].values()), "the statements were counted"


def test_the_number_of_statements_does_not_depend_on_that_of_files(lake: Lake, asks: Asks) -> None:
    live = lake.create(Role.LIVE)
    queries = DuckLakeReadModel(lake.location)
    points = DuckLakePointExport(lake.location)
    selection = Selection(organization="o0", metric="m0000", start=0, end=100)
    counts = []
    for at in range(1, 11):
        lake.commit(live, events(1, 1, 2, at=at))
        if at in (2, 10):
            list(points.rows("o0", None))  # attached and listed by now
            queries.samples(selection, None, 5)
            counts.append((
                asks.of(lambda: list(points.rows("o0", None))),
                asks.of(lambda: queries.samples(selection, None, 5)),
                asks.of(lambda: lake.stores.info(live[0])),
            ))  # fmt: skip
    queries.close()
    points.close()
    # One more if the catalog changed too recently for its state to be trusted.
    assert all(many <= few + 1 for few, many in zip(*counts, strict=True))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, Sequence[Generation]]]:
    with open_lake(tmp_path_factory.mktemp("shared")) as lake:
        yield lake, lake.create(Role.LIVE)


HOURS = st.sampled_from([0, 1, 3_599_999, 3_600_000, 7_200_000, 90_000_000])


class TestStretches:
    number = 0

    @hypothesis_settings(max_examples=8)
    @given(
        batches=st.lists(
            st.lists(st.tuples(st.sampled_from("abcdeZ"), HOURS), min_size=1, max_size=8),
            min_size=1,
            max_size=4,
        ),
        at_most=st.integers(1, 6),
        start=st.none() | HOURS,
        end=st.none() | HOURS,
        metric=st.none() | st.sampled_from("abZ"),
    )
    def test_rows_and_their_order_do_not_depend_on_the_number_sorted_at_a_time(
        self,
        shared: tuple[Lake, Sequence[Generation]],
        asks_in_stretches: Asks,
        batches: list[list[tuple[str, int]]],
        at_most: int,
        start: int | None,
        end: int | None,
        metric: str | None,
    ) -> None:
        TestStretches.number += 1
        lake, live = shared
        organization = f"org{self.number}"
        recorded = [
            BLANK.recorded(
                *(point(at, i, name) for i, (name, at) in enumerate(batch)),
                organization=organization,
                position=self.number * 100 + place,
            )
            for place, batch in enumerate(batches)
        ]
        lake.commit(live, recorded)
        oracle = MemoryReadModel()
        oracle.add(*recorded)
        wanted = {"metric": metric, "start": start, "end": end}
        expected = all_rows(oracle.rows(organization, None, **wanted))  # type: ignore[arg-type]
        with (
            closing(DuckLakePointExport(lake.location)) as points,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(export, "SORTED_POINTS", at_most)
            found: list[Any] = []
            asked = asks_in_stretches.of(
                lambda: found.extend(all_rows(points.rows(organization, None, **wanted)))  # type: ignore[arg-type]
            )
        assert found == expected
        assert asked <= OPENING + 4 * len(expected) / at_most + 1


OPENING = 12
"""Statements that open a store: extensions, registry, generation, transaction, counts."""


@pytest.fixture(scope="module")
def asks_in_stretches() -> Iterator[Asks]:
    asks = Asks()
    connect = database.connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "connect", lambda *a, **k: asks.watch(connect(*a, **k)))
        yield asks
