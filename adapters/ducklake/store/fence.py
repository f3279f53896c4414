"""The fence of a generation with one writer: once it was taken over, it commits nothing more.

A lease alone cannot do that: its holder may be paused for any time between looking at it and
committing. The fence is a number in the generation itself, in the table `writer`, and each writer
begins by increasing it. DuckLake numbers its commits (snapshots), and with no retries it refuses
one whose transaction did not begin at the latest. So a transaction that finds its own fence can
only be committed before the next writer increases the fence, and never after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from adapters.ducklake.database import Connection, transaction
from adapters.ducklake.lease.leases import Lease
from adapters.ducklake.sql import quoted
from adapters.ducklake.store.checkpoints import read_checkpoints, replace_checkpoints
from application.projections.errors import ProjectionBusy, StoreUnavailable
from application.projections.ports import Checkpoint

ATTEMPTS = 5
"""Attempts to increase the fence, each of which a last commit of the previous writer may fail."""


class Fence:
    """Implements WriterFence for the only writer of a generation, attached as `lake`.

    `number` is what the writer found or wrote. For the thread that uses the connection.
    """

    def __init__(self, connection: Connection, lease: Lease, number: int) -> None:
        self._connection = connection
        self._lease = lease
        self._number = number
        self._snapshot: int | None = None

    @property
    def is_alone(self) -> bool:
        return True

    @property
    def keeps_files(self) -> bool:
        return True

    def writes(self, partition: int) -> bool:  # noqa: ARG002
        return True

    def balance(self) -> bool:
        return False

    def checkpoints(self) -> Mapping[int, Checkpoint]:
        with self._reading():
            return read_checkpoints(self._connection)

    @contextmanager
    def committing(self, checkpoints: Sequence[Checkpoint]) -> Iterator[None]:
        with self._committing():
            yield
            replace_checkpoints(self._connection, "checkpoints", checkpoints)

    def compact(self) -> None:
        with self._committing():
            self._connection.execute("CREATE TABLE lake.compacted AS FROM lake.checkpoints")
            self._connection.execute("DROP TABLE lake.checkpoints")
            self._connection.execute("ALTER TABLE lake.compacted RENAME TO checkpoints")

    def rewrite(self, work: Callable[[], object]) -> bool:
        with self._committing():
            work()
        return True

    def end_others(self) -> None:
        """Check that nobody has taken over until now: then nobody else is writing."""
        self._lease.check()
        with transaction(self._connection):
            self._check()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Read one snapshot in the block; the next commit may only follow this one.

        Raises ProjectionBusy if another writer has taken over.
        """
        with transaction(self._connection):
            self._check_number()
            snapshot = _current(self._connection)
            yield
        self._snapshot = snapshot

    @contextmanager
    def _committing(self) -> Iterator[None]:
        """Commit what the block does, if nothing was committed since this writer's last look.

        Raises ProjectionBusy if another writer has taken over, and StoreUnavailable if somebody
        has committed something. Nothing is committed then.
        """
        self._lease.check()
        with transaction(self._connection):
            snapshot = self._check()
            yield
        ((last,),) = self._connection.execute(
            "FROM ducklake_last_committed_snapshot('lake')"
        ).fetchall()
        # The last one is older if there was nothing to commit.
        self._snapshot = max(snapshot, last or 0)

    def _check(self) -> int:
        """Return the snapshot that the transaction began at."""
        snapshot = _current(self._connection)
        if snapshot != self._snapshot:
            self._check_number()
            raise StoreUnavailable("another process has written this generation meanwhile")
        return snapshot

    def _check_number(self) -> None:
        number, owner = _written(self._connection)
        if number != self._number:
            self._lease.lost = True
            raise ProjectionBusy(f"{owner} has taken over {self._lease.name}")


@retry(
    retry=retry_if_exception_type(duckdb.Error),
    wait=wait_random_exponential(multiplier=0.02, max=0.5),
    stop=stop_after_attempt(ATTEMPTS),
    reraise=True,
)
def take_over(connection: Connection, lease: Lease) -> Fence:
    """Increase the fence of the DuckLake attached as `lake`, on behalf of a lease's holder.

    Raises ProjectionBusy if the lease is lost, duckdb.Error and StoreUnavailable.
    """
    # A commit is never merged with another writer's: of two that began at the same snapshot, one
    # fails, whatever they wrote.
    connection.execute("SET ducklake_max_retry_count = 0")
    with transaction(connection):
        number, _ = _written(connection)
        # Asked within the transaction: a later holder, who has increased the fence before it
        # began, holds the lease by now; one who increases it afterwards fails its commit.
        lease.confirm()
        connection.execute(
            f"CREATE OR REPLACE TABLE lake.writer AS "
            f"SELECT {number + 1}::BIGINT AS fence, {quoted(lease.owner)} AS owner"
        )
    return Fence(connection, lease, number + 1)


def _written(connection: Connection) -> tuple[int, str]:
    """Return the fence and the owner of the last writer; 0 if there was none."""
    try:
        rows = connection.execute("SELECT fence, owner FROM lake.writer").fetchall()
    except duckdb.CatalogException:  # as an earlier release made it
        return 0, ""
    return rows[0]


def _current(connection: Connection) -> int:
    ((snapshot,),) = connection.execute("FROM ducklake_current_snapshot('lake')").fetchall()
    return int(snapshot)
