"""Ports of archiving to the log server. Each docstring is a contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from application.event_log.ports import Entry
from application.event_log.receipts import Receipt


class ArchiverState(Struct, frozen=True, kw_only=True):
    """What the archiver last said of itself.

    Times are in ms since the epoch. `failures` counts failures since the archiver's process began;
    `failing` is why the last round failed, or None if it did not.
    """

    at: int
    failures: int = 0
    failing: str | None = None


class ArchivedLogServer(Protocol):
    """What archiving needs of the log server beside reading. Thread-safe; calls may block.

    Every method works while the server is full, and raises LogUnavailable if it does not answer.
    """

    def lease(self, partition: int, owner: str, seconds: float, *, take_over: bool = False) -> bool:
        """Make the owner the one who may trim a partition, for some seconds.

        Returns false if that is another owner, unless it is to take over. Renews the lease of the
        same owner.
        """

    def trim(self, partition: int, owner: str, first: Receipt, keep: Receipt) -> int:
        """Remove the entries before `keep`, and return how many these were.

        Removes nothing and returns 0 unless the owner has the lease and the first entry is
        `first`: so a process that was suspended, or an older file of the server, does no harm.
        """

    def memory(self) -> Sequence[int]:
        """Return the bytes of memory that the entries of each partition take, estimated."""

    def memory_limit(self) -> int | None:
        """Return the bytes of memory at which the server refuses writes, None without a limit."""

    def compact(self) -> None:
        """Have the server write its file anew, so that what was removed is not in it any more.

        Returns before that is done.
        """

    def report(self, state: ArchiverState) -> None:
        """Keep the archiver's state for other processes."""

    def reported(self) -> ArchiverState | None:
        """Return the archiver's last state, or None if there never was one."""


class OrganizationEntries(Protocol):
    """The raw entries of the organizations' log. Thread-safe; calls may block.

    Every method raises LogUnavailable.
    """

    def read_organizations(self, after: int, limit: int) -> Sequence[Entry]:
        """Return the first `limit` entries above a number, with the receipts 0-0-<number>."""


class RestorableLog(Protocol):
    """A log server to restore a log on. Every method raises LogUnavailable."""

    def is_empty(self) -> bool:
        """Return whether the server has no log, neither metrics nor organizations."""

    def begin(self, log: str, partitions: int) -> None:
        """Give the log its id and its number of partitions."""

    def put_organizations(self, entries: Sequence[Entry]) -> None:
        """Append entries of the organizations' log at their own places."""

    def resume_after(self, last: Receipt, entries: int) -> None:
        """Let a partition go on after its last archived entry, which is number `entries`."""
