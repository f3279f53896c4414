"""The leases of this process: taken, renewed while they are held, and released."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from adapters.ducklake.database import Connection, Location, connect
from adapters.ducklake.lease.owners import Owners
from adapters.ducklake.lease.table import LeaseTable, lease_table
from application.projections.errors import ProjectionBusy, ProjectionError
from application.projections.ports import Writer

SECONDS = 10.0
"""Seconds after which a lease that is not renewed may be taken over."""

RENEWALS = 4
"""Renewals within that time."""


class Lease:
    """The right to write a generation, until it is lost."""

    def __init__(self, name: str, owner: str, leases: Leases) -> None:
        self.name = name
        self.owner = owner
        self.lost = False
        self._leases = leases

    def check(self) -> None:
        """Raise ProjectionBusy if it is known to be lost."""
        if self.lost:
            raise ProjectionBusy(f"another process has taken over {self.name}")

    def confirm(self) -> None:
        """Ask the table of leases. Raises ProjectionBusy if it is lost, and StoreUnavailable."""
        self._leases.confirm(self)


class Leases:
    """Takes and renews leases of `seconds` each. Thread-safe. Close it when none is held."""

    def __init__(self, location: Location, seconds: float = SECONDS) -> None:
        self._location = location
        self._seconds = seconds
        self._owners = Owners(location)
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._table: LeaseTable | None = None
        self._held: dict[str, Lease] = {}
        self._renewing: threading.Thread | None = None
        self._done = threading.Event()

    def close(self) -> None:
        """Stop renewing and close the connection."""
        self._done.set()
        if self._renewing is not None:
            self._renewing.join()
        self._close_table()

    @contextmanager
    def held(self, name: str) -> Iterator[Lease]:
        """Hold a lease for the block. Raises ProjectionBusy, naming the holder."""
        self._check_free(name)
        with self._owners.new() as owner:
            self._take(name, owner)
            lease = Lease(name, owner, self)
            with self._lock:
                self._held[owner] = lease
                self._keep_renewing()
            try:
                yield lease
            finally:
                with self._lock:
                    del self._held[owner]
                with suppress(ProjectionError), self._opened() as table:
                    table.release(owner)  # otherwise it expires

    def confirm(self, lease: Lease) -> None:
        """See Lease.confirm."""
        with self._opened() as table:
            holder = table.holders().get(lease.name)
        if holder is None or holder.owner != lease.owner:
            lease.lost = True
        lease.check()

    def writer(self, name: str) -> Writer | None:
        """Return the holder of a lease that has not expired. Raises StoreUnavailable."""
        with self._opened() as table:
            return writer(table, self._owners, name)

    def _check_free(self, name: str) -> None:
        """Raise ProjectionBusy if somebody holds a lease who is not known to be dead."""
        for dead in self._owners.dead():
            with self._opened() as table:
                table.release(dead)
            self._owners.forget(dead)
        if (holder := self.writer(name)) is not None:
            raise ProjectionBusy(f"{holder.name} is writing {name}")

    def _take(self, name: str, owner: str) -> None:
        with self._opened() as table:
            table.take(name, owner, self._seconds)
            holder = table.holders().get(name)
        if holder is None or holder.owner != owner:
            raise ProjectionBusy(f"another process is writing {name}")

    def _keep_renewing(self) -> None:
        if self._renewing is None:
            self._renewing = threading.Thread(target=self._renew, name="leases", daemon=True)
            self._renewing.start()

    def _renew(self) -> None:
        while not self._done.wait(self._seconds / RENEWALS):
            with self._lock:
                held = list(self._held.values())
            if held:
                # Otherwise it is tried again soon; the projector notices the outage by itself.
                with suppress(ProjectionError):
                    self._renew_all(held)

    def _renew_all(self, held: list[Lease]) -> None:
        with self._opened() as table:
            table.renew([lease.owner for lease in held], self._seconds)
            holders = table.holders()
        for lease in held:
            holder = holders.get(lease.name)
            if holder is None or holder.owner != lease.owner:
                lease.lost = True

    @contextmanager
    def _opened(self) -> Iterator[LeaseTable]:
        """Hold the table; it is opened again after a failure."""
        with self._lock:
            try:
                if self._table is None:
                    self._table = self._open_table()
                yield self._table
            except ProjectionError:
                self._close_table()
                raise

    def _open_table(self) -> LeaseTable:
        if self._location.catalog is None:
            self._location.root.mkdir(parents=True, exist_ok=True)
        else:
            self._connection = connect(self._location)
        return lease_table(self._location, self._cursor)

    def _cursor(self) -> Connection:
        assert self._connection is not None  # noqa: S101  opened with the table
        return self._connection.cursor()

    def _close_table(self) -> None:
        with self._lock:
            table, self._table = self._table, None
            connection, self._connection = self._connection, None
            if table is not None:
                table.close()
            if connection is not None:
                connection.close()


def writer(table: LeaseTable, owners: Owners, name: str) -> Writer | None:
    """Return the holder of a lease that has not expired. Raises StoreUnavailable."""
    holder = table.holders().get(name)
    if holder is None or holder.seconds <= 0:
        return None
    return Writer(holder.owner, owners.is_here(holder.owner))
