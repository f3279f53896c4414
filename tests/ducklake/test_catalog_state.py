"""A catalog's files show whether it changed; where they might not, there is no state."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.ducklake.catalog_state import SETTLED_NS, catalog_state

MILLISECOND = 1_000_000
SECOND = 1000 * MILLISECOND


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "catalog.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (n)")
        yield path


def aged(path: Path, nanoseconds: int) -> None:
    """Set a file's modification time to that long ago."""
    at = time.time_ns() - nanoseconds
    os.utime(path, ns=(at, at | 1))


def test_the_state_stays_equal_until_a_commit(database: Path) -> None:
    with closing(sqlite3.connect(database)) as writer:
        states = set()
        for number in range(5):
            time.sleep(2 * SETTLED_NS / SECOND)
            state = catalog_state(str(database))
            assert state is not None
            with closing(sqlite3.connect(database)) as reader:
                assert reader.execute("SELECT count(*) FROM t").fetchone() == (number,)
            assert catalog_state(str(database)) == state
            states.add(state)
            with writer:
                writer.execute("INSERT INTO t VALUES (1)")
            assert catalog_state(str(database)) != state
        assert len(states) == 5


def test_a_log_that_is_overwritten_at_the_same_size_is_another_state(database: Path) -> None:
    """After a checkpoint, the log is overwritten from its beginning."""
    wal = Path(f"{database}-wal")
    with closing(sqlite3.connect(database)) as writer:
        for _ in range(3):
            with writer:
                writer.execute("INSERT INTO t VALUES (1)")
        writer.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
        size = wal.stat().st_size
        time.sleep(2 * SETTLED_NS / SECOND)
        before = catalog_state(str(database))
        with writer:
            writer.execute("INSERT INTO t VALUES (1)")
        assert wal.stat().st_size == size
        assert before is not None
        assert catalog_state(str(database)) != before


def test_an_empty_log_as_readers_leave_does_not_change_the_state(database: Path) -> None:
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    wal = Path(f"{database}-wal")
    aged(database, 60 * SECOND)
    wal.unlink(missing_ok=True)
    before = catalog_state(str(database))
    wal.touch()
    assert before is not None
    assert catalog_state(str(database)) == before


@pytest.mark.parametrize("name", ["catalog.sqlite", "catalog.sqlite-wal"])
def test_there_is_no_state_right_after_a_change(database: Path, name: str) -> None:
    for file in (database, Path(f"{database}-wal")):
        aged(file, 60 * SECOND)
    assert catalog_state(str(database)) is not None
    aged(database.with_name(name), 10 * MILLISECOND)
    assert catalog_state(str(database)) is None
    aged(database.with_name(name), -SECOND)  # by a clock that was put back meanwhile
    assert catalog_state(str(database)) is None


def test_times_of_whole_seconds_are_trusted_later(database: Path) -> None:
    """A file system with that resolution may give two changes the same time."""
    aged(Path(f"{database}-wal"), 60 * SECOND)
    now = time.time_ns()
    for seconds, trusted in ((1, False), (5, True)):
        at = now // SECOND * SECOND - seconds * SECOND
        os.utime(database, ns=(at, at))
        assert (catalog_state(str(database)) is not None) is trusted


def test_a_missing_file_has_a_state_too(database: Path, tmp_path: Path) -> None:
    nothing = catalog_state(str(tmp_path / "none"))
    assert nothing is not None
    assert catalog_state(str(database / "below a file")) is None
