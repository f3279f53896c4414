"""Leases of generations: one holder at a time, and taken over once a holder is not heard of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from adapters.ducklake.database import Location, connect
from adapters.ducklake.lease.leases import Leases
from adapters.ducklake.lease.table import LeaseTable, lease_table
from application.projections.errors import ProjectionBusy
from application.projections.ports import Writer
from tests.waiting import wait_until

LONG = 60.0
SHORT = 0.2


@pytest.fixture(params=["sqlite", "postgres"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "sqlite":
        return Location(root=tmp_path)
    return Location(root=tmp_path, catalog=request.getfixturevalue("database"))


@pytest.fixture
def table(location: Location) -> Iterator[LeaseTable]:
    with (
        closing(connect(location)) as connection,
        closing(lease_table(location, connection.cursor)) as opened,
    ):
        yield opened


def owner_of(table: LeaseTable, name: str) -> str | None:
    holder = table.holders().get(name)
    return None if holder is None or holder.seconds <= 0 else holder.owner


def test_a_lease_has_one_owner_until_it_expires(table: LeaseTable) -> None:
    table.take("series-1", "it's a", SHORT)
    table.take("series-1", "b", LONG)
    assert table.holders()["series-1"].owner == "it's a"
    wait_until(lambda: owner_of(table, "series-1") is None)
    table.take("series-1", "b", LONG)
    table.take("series-1", "it's a", LONG)
    assert owner_of(table, "series-1") == "b"


def test_a_renewal_extends_only_what_its_owners_hold(table: LeaseTable) -> None:
    for name, owner in (("series-1", "a"), ("catalog-1", "b"), ("metadata-1", "c")):
        table.take(name, owner, SHORT)
    table.renew(["a", "c"], LONG)
    wait_until(lambda: owner_of(table, "catalog-1") is None)
    assert [owner_of(table, name) for name in ("series-1", "metadata-1")] == ["a", "c"]
    assert LONG / 2 < table.holders()["series-1"].seconds <= LONG
    table.take("catalog-1", "d", LONG)
    table.renew(["b"], LONG)
    assert owner_of(table, "catalog-1") == "d"


def test_a_released_lease_is_free_at_once_and_a_late_release_frees_no_other(
    table: LeaseTable,
) -> None:
    table.take("series-1", "a", LONG)
    table.release("b")
    assert owner_of(table, "series-1") == "a"
    table.release("a")
    table.take("series-1", "b", LONG)
    table.release("a")
    assert owner_of(table, "series-1") == "b"


def test_of_many_that_come_at_once_one_gets_the_lease(location: Location) -> None:
    gate = threading.Barrier(6)

    def come() -> bool:
        with closing(Leases(location, LONG)) as leases:
            leases.writers("series-1")
            gate.wait()
            try:
                with leases.held("series-1"):
                    gate.wait()
                    return True
            except ProjectionBusy:
                gate.wait()
                return False

    with ThreadPoolExecutor(6) as pool:
        outcomes = [each.result() for each in [pool.submit(come) for _ in range(6)]]
    assert sorted(outcomes) == [False] * 5 + [True]


def test_a_held_lease_is_renewed_and_names_its_writer(location: Location) -> None:
    """Seen by a process on the same directory, and by one on another host."""
    elsewhere = Location(root=location.root / "elsewhere", catalog=location.catalog)
    with ExitStack() as opened:
        leases = opened.enter_context(closing(Leases(location, 3 * SHORT)))
        other = opened.enter_context(closing(Leases(location, LONG)))
        with leases.held("series-1") as lease:
            threading.Event().wait(6 * SHORT)
            lease.check()
            lease.confirm()
            assert other.writers("series-1") == (Writer(lease.owner, here=True),)
            with pytest.raises(ProjectionBusy, match=lease.owner), other.held("series-1"):
                pytest.fail("two holders")
            if location.catalog is not None:
                far = opened.enter_context(closing(Leases(elsewhere, LONG)))
                assert far.writers("series-1") == (Writer(lease.owner, here=False),)
            with other.held("catalog-1"):
                assert list((location.root / "locks").iterdir()) != []
        assert other.writers("series-1") == ()
        with other.held("series-1"):
            pass
    assert list((location.root / "locks").iterdir()) == []


def test_a_lease_that_was_taken_over_is_lost(location: Location) -> None:
    with closing(Leases(location, SHORT)) as leases:
        with leases.held("series-1") as lease:
            # As if this process had been paused until then.
            with closing(connect(location)) as connection:
                table = lease_table(location, connection.cursor)
                table.release(lease.owner)
                table.take("series-1", "another", LONG)
                table.close()
            wait_until(lambda: lease.lost)
            for ask in (lease.check, lease.confirm):
                with pytest.raises(ProjectionBusy):
                    ask()
        assert leases.writers("series-1") == (Writer("another", here=False),)
