"""The fences of a generation whose partitions are shared out among several writers.

DuckLake merges commits that do not touch the same: while others insert rows into the same tables,
a commit is repeated on top of theirs without writing its files again. Each share of the partitions
has a table of its own for its checkpoints, which every commit of the share adds to, and a number in
it, the fence. Taking a share over replaces its table, by one with a higher number:

- A transaction that began before that conflicts with it, since its table was dropped. This holds
  however long it was paused: while it is open, PostgreSQL keeps the rows of the dropped table from
  being removed, and when they are gone, it has nowhere to write its checkpoints.
- A transaction that begins later finds the higher number.

Everything that replaces tables or files is not merged with others: it fails if anybody has
committed since it began, and is tried again. Otherwise a table could be replaced by one without a
checkpoint that was committed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import duckdb
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random

from adapters.ducklake.database import Connection, transaction
from adapters.ducklake.lease.leases import Seat
from adapters.ducklake.sql import quoted
from adapters.ducklake.store.checkpoints import (
    CHECKPOINTS,
    add_checkpoints,
    latest,
    read_checkpoints,
    share_table,
)
from application.projections.errors import ProjectionBusy, StoreUnavailable
from application.projections.ports import Checkpoint

MERGED_COMMITS = 50
"""Attempts to commit rows on top of what others have committed meanwhile."""

RETRY_MS = 5
RETRY_FACTOR = 1.2
"""Milliseconds before the second attempt, and how much longer each further wait is."""

ALONE_SECONDS = 20.0
"""Seconds for which taking over a share is tried while others commit."""

REWRITES = 4
"""Attempts at what can wait: to merge files and to remove outdated checkpoints."""


def _lost_race(error: BaseException) -> bool:
    """Return whether a commit failed because of what others have committed meanwhile."""
    fatal = isinstance(error, (duckdb.FatalException, duckdb.InternalException))
    return isinstance(error, duckdb.Error) and not fatal and _NOT_COMMITTED in str(error)


_NOT_COMMITTED = "Failed to commit DuckLake transaction"

_patiently = retry(
    retry=retry_if_exception(_lost_race),
    wait=wait_random(max=0.05),
    stop=stop_after_delay(ALONE_SECONDS),
    reraise=True,
)

_Rows = list[tuple[int | None, int, bytes]]

_Result = TypeVar("_Result")


class ShareFence:
    """Implements WriterFence for the shares of a seat, over a connection with `lake` attached.

    `shares` is the number of shares of the generation: the share of a partition is its remainder.
    """

    def __init__(self, connection: Connection, seat: Seat, shares: int) -> None:
        self._connection = connection
        self._seat = seat
        self._shares = shares
        self._numbers: dict[int, int] = {}
        self._known: dict[int, Checkpoint] = {}
        self._outdated: set[int] = set()
        """Shares whose tables have checkpoints that later ones have replaced."""
        connection.execute(f"SET ducklake_retry_wait_ms = {RETRY_MS}")
        connection.execute(f"SET ducklake_retry_backoff = {RETRY_FACTOR}")

    @property
    def is_alone(self) -> bool:
        return False

    @property
    def keeps_files(self) -> bool:
        return 0 in self._numbers

    def writes(self, partition: int) -> bool:
        return partition % self._shares in self._numbers

    def balance(self) -> bool:
        gave_up = self._seat.give_up()
        for share in self._numbers.keys() - self._seat.held.keys():
            del self._numbers[share]
        return self.take_over(self._seat.take()) or gave_up

    def take_over(self, shares: Collection[int]) -> bool:
        """Increase the fences of shares whose leases were just taken; return whether there are any.

        Raises as the other methods do.
        """
        if not shares:
            return False

        def replace() -> dict[int, int]:
            found = self._rows(shares)
            numbers = {share: _number(found[share])[0] + 1 for share in shares}
            for share, number in numbers.items():
                # Asked within the transaction: see `fence.take_over`.
                self._seat.held[share].confirm()
                self._replace(share, number, self._seat.lease.owner)
            return numbers

        self._numbers.update(self._alone(replace))
        return True

    def checkpoints(self) -> Mapping[int, Checkpoint]:
        self._seat.check()
        with transaction(self._connection):
            found = self._checked_rows(self._numbers)
        self._known = _checkpoints(found)
        return dict(self._known)

    @contextmanager
    def committing(self, checkpoints: Sequence[Checkpoint]) -> Iterator[None]:
        self._seat.check()
        by_share: dict[int, list[Checkpoint]] = {}
        for checkpoint in checkpoints:
            by_share.setdefault(checkpoint.partition % self._shares, []).append(checkpoint)
        if by_share.keys() - self._numbers.keys():
            raise ProjectionBusy("a share of these partitions was given up")
        self._connection.execute(f"SET ducklake_max_retry_count = {MERGED_COMMITS}")
        with transaction(self._connection):
            for partition, found in _checkpoints(self._checked_rows(by_share)).items():
                if found != self._known.get(partition):
                    raise StoreUnavailable("another process has written this share meanwhile")
            yield
            for share, changed in by_share.items():
                add_checkpoints(self._connection, share_table(share), changed)
        self._known.update({checkpoint.partition: checkpoint for checkpoint in checkpoints})
        self._outdated.update(by_share)

    def compact(self) -> None:
        outdated = self._outdated & self._numbers.keys()
        if not outdated or self._attempted(lambda: self._replace_all(outdated)):
            self._outdated.clear()

    def rewrite(self, work: Callable[[], object]) -> bool:
        def checked() -> None:
            self._checked_rows([0])
            work()

        return self._attempted(checked)

    def end_others(self) -> None:
        """Replace the tables of all shares, with the same numbers.

        Commits of others that are under way fail once, and are repeated.
        """
        self._seat.check()
        self._alone(lambda: self._replace_all(range(self._shares)))

    def _replace_all(self, shares: Collection[int]) -> None:
        found = self._rows(shares)
        for share in shares:
            if share in self._numbers:
                self._check_number(share, found)
            self._replace(share, *_number(found[share]))

    def _attempted(self, work: Callable[[], None]) -> bool:
        """Commit what `work` does, unless others have committed during each of a few attempts."""
        self._seat.check()
        self._connection.execute("SET ducklake_max_retry_count = 0")
        for _ in range(REWRITES):
            try:
                with transaction(self._connection):
                    work()
            except duckdb.Error as error:
                if not _lost_race(error):
                    raise
            else:
                return True
        return False

    def _alone(self, work: Callable[[], _Result]) -> _Result:
        """Commit what `work` does at a moment when nobody else commits."""
        self._connection.execute("SET ducklake_max_retry_count = 0")

        @_patiently
        def attempt() -> _Result:
            with transaction(self._connection):
                return work()

        return attempt()

    def _replace(self, share: int, number: int, owner: str) -> None:
        table = share_table(share)
        self._connection.execute(
            f"CREATE OR REPLACE TABLE lake.{table} AS {_fence_row(number, owner)} "
            f"UNION ALL {latest(f'lake.{table}')}"
        )

    def _checked_rows(self, shares: Collection[int]) -> dict[int, _Rows]:
        """Return the rows of shares. Raises ProjectionBusy if one was taken over."""
        found = self._rows(shares)
        for share in shares:
            self._check_number(share, found)
        return found

    def _check_number(self, share: int, found: Mapping[int, _Rows]) -> None:
        number, owner = _number(found[share])
        if number != self._numbers.get(share):
            self._seat.lease.lost = True
            raise ProjectionBusy(f"{owner} has taken over a share of {self._seat.generation}")

    def _rows(self, shares: Collection[int]) -> dict[int, _Rows]:
        found: dict[int, _Rows] = {share: [] for share in shares}
        if shares:
            union = " UNION ALL ".join(
                f"SELECT {share}, partition, position, digest FROM lake.{share_table(share)}"
                for share in shares
            )
            for share, *row in self._connection.execute(union).fetchall():
                found[share].append(tuple(row))
        return found


def shares_of(connection: Connection) -> int:
    """Return the number of shares of the generation attached as `lake`, 0 if it has one writer."""
    ((found,),) = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'lake' "
        f"AND starts_with(table_name, '{CHECKPOINTS}_')"
    ).fetchall()
    return int(found)


def share_out(connection: Connection, shares: int) -> None:
    """Give a generation with one writer a table of checkpoints per share, in one transaction.

    For the holder of the lease of the entire generation. Raises duckdb.Error if anybody has
    committed meanwhile.
    """
    connection.execute("SET ducklake_max_retry_count = 0")
    with transaction(connection):
        known = read_checkpoints(connection)
        for share in range(shares):
            table = share_table(share)
            connection.execute(f"CREATE TABLE lake.{table} AS {_fence_row(0, '')}")
            if mine := [c for c in known.values() if c.partition % shares == share]:
                add_checkpoints(connection, table, mine)
        connection.execute(f"DROP TABLE lake.{CHECKPOINTS}")
        connection.execute("DROP TABLE IF EXISTS lake.writer")
        union = " UNION ALL ".join(
            f"SELECT partition, position, digest FROM {share_table(share)}"
            for share in range(shares)
        )
        connection.execute(f"CREATE VIEW lake.{CHECKPOINTS} AS {latest(f'({union})')}")


def _fence_row(number: int, owner: str) -> str:
    """Return a query of a share's fence: a row without a partition."""
    return (
        f"SELECT NULL::USMALLINT AS partition, {number}::BIGINT AS position, "
        f"encode({quoted(owner)}) AS digest"
    )


def _number(rows: _Rows) -> tuple[int, str]:
    """Return the fence and the owner of a share's last writer."""
    for partition, number, owner in rows:
        if partition is None:
            return number, owner.decode()
    raise StoreUnavailable("a share has no fence")


def _checkpoints(found: Mapping[int, _Rows]) -> dict[int, Checkpoint]:
    """Return the last checkpoint of each partition."""
    return {
        partition: Checkpoint(partition, position, digest)
        for rows in found.values()
        for partition, position, digest in sorted(rows, key=lambda row: row[1])
        if partition is not None
    }
