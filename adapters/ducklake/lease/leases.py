"""The leases of this process: taken, renewed while they are held, and given up."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from adapters.ducklake.database import Connection, Location, close, connect
from adapters.ducklake.lease.owners import Owners
from adapters.ducklake.lease.shares import (
    expired_seats,
    fair_part,
    new_seat_name,
    share_holders,
    share_name,
)
from adapters.ducklake.lease.table import Holder, LeaseTable, lease_table
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


class Seat:
    """A process's place among those that share out a generation, and the shares it holds.

    For one thread.
    """

    def __init__(self, generation: str, shares: int, lease: Lease, leases: Leases) -> None:
        self.lease = lease
        self.held: dict[int, Lease] = {}
        self.generation = generation
        self._shares = shares
        self._leases = leases

    def check(self) -> None:
        """Raise ProjectionBusy if the seat or a share is known to be lost."""
        for lease in (self.lease, *self.held.values()):
            lease.check()

    def give_up(self) -> bool:
        """Give up the shares above the fair part; return whether there were any."""
        self.check()
        holders = self._leases.swept(self.generation)
        part = fair_part(self.generation, holders, self._shares, self.lease.owner)
        extra = sorted(self.held)[part:]
        for share in extra:
            self._leases.give_up(self.held.pop(share))
        return bool(extra)

    def take(self) -> list[int]:
        """Take shares that are free, up to the fair part; return those that were taken."""
        holders = self._leases.swept(self.generation)
        part = fair_part(self.generation, holders, self._shares, self.lease.owner)
        taken = share_holders(self.generation, holders)
        free = [share for share in range(self._shares) if share not in taken]
        return [share for share in free[: max(0, part - len(self.held))] if self._took(share)]

    def take_all(self) -> list[int]:
        """Take every share. Raises ProjectionBusy if somebody holds one."""
        every = list(range(self._shares))
        if not all(map(self._took, every)):
            raise ProjectionBusy(f"another process is writing {self.generation}")
        return every

    def _took(self, share: int) -> bool:
        name = share_name(self.generation, share)
        lease = self._leases.taken(name, self.lease.owner)
        if lease is not None:
            self.held[share] = lease
        return lease is not None


class Leases:
    """Takes and renews leases of `seconds` each. Thread-safe. Close it when none is held."""

    def __init__(self, location: Location, seconds: float = SECONDS) -> None:
        self._location = location
        self._seconds = seconds
        self._owners = Owners(location)
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._table: LeaseTable | None = None
        self._held: list[Lease] = []
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
        with self._new_owner() as owner:
            lease = self.taken(name, owner)
            if lease is None:
                raise ProjectionBusy(f"another process is writing {name}")
            yield lease

    @contextmanager
    def seated(self, generation: str, shares: int) -> Iterator[Seat]:
        """Take a seat for the block, without any shares yet.

        Raises ProjectionBusy if there are as many seats as shares.
        """
        with self._new_owner() as owner:
            holders = self.swept(generation)
            if not fair_part(generation, holders, shares, owner):
                writers = sorted(set(share_holders(generation, holders).values()))
                raise ProjectionBusy(f"{', '.join(writers)} are writing {generation}")
            lease = self.taken(new_seat_name(generation), owner)
            if lease is None:
                raise ProjectionBusy(f"the seats of {generation} are changing")
            yield Seat(generation, shares, lease, self)

    def taken(self, name: str, owner: str) -> Lease | None:
        """Take a lease for an owner of this process, unless somebody holds it."""
        with self._opened() as table:
            table.take(name, owner, self._seconds)
            holder = table.holders().get(name)
        if holder is None or holder.owner != owner:
            return None
        lease = Lease(name, owner, self)
        with self._lock:
            self._held.append(lease)
            self._keep_renewing()
        return lease

    def give_up(self, lease: Lease) -> None:
        """Give up a lease that was taken."""
        with self._lock:
            self._held.remove(lease)
        with self._opened() as table:
            table.give_up(lease.owner, lease.name)

    def swept(self, generation: str) -> Mapping[str, Holder]:
        """Return the holders of all leases, after those that are known to be gone were released."""
        self._release_dead()
        with self._opened() as table:
            holders = table.holders()
            gone = expired_seats(generation, holders)
            for owner in gone:
                table.release(owner)
        return {name: each for name, each in holders.items() if each.owner not in gone}

    @contextmanager
    def _new_owner(self) -> Iterator[str]:
        """Be a new owner for the block, and give up all of its leases in the end."""
        with self._owners.new() as owner:
            try:
                yield owner
            finally:
                with self._lock:
                    self._held = [lease for lease in self._held if lease.owner != owner]
                with suppress(ProjectionError), self._opened() as table:
                    table.release(owner)  # otherwise its leases expire

    def confirm(self, lease: Lease) -> None:
        """See Lease.confirm."""
        with self._opened() as table:
            holder = table.holders().get(lease.name)
        if holder is None or holder.owner != lease.owner:
            lease.lost = True
        lease.check()

    def writers(self, name: str) -> tuple[Writer, ...]:
        """Return the holders of a generation's leases that have not expired.

        Raises StoreUnavailable.
        """
        with self._opened() as table:
            return writers(table, self._owners, name)

    def _check_free(self, name: str) -> None:
        """Raise ProjectionBusy if somebody holds a lease who is not known to be dead."""
        self._release_dead()
        if found := self.writers(name):
            raise ProjectionBusy(f"{found[0].name} is writing {name}")

    def _release_dead(self) -> None:
        for dead in self._owners.dead():
            with self._opened() as table:
                table.release(dead)
            self._owners.forget(dead)

    def _keep_renewing(self) -> None:
        if self._renewing is None:
            self._renewing = threading.Thread(target=self._renew, name="leases", daemon=True)
            self._renewing.start()

    def _renew(self) -> None:
        while not self._done.wait(self._seconds / RENEWALS):
            with self._lock:
                held = list(self._held)
            if held:
                # Otherwise it is tried again soon; the projector notices the outage by itself.
                with suppress(ProjectionError):
                    self._renew_all(held)

    def _renew_all(self, held: list[Lease]) -> None:
        with self._opened() as table:
            table.renew({lease.owner for lease in held}, self._seconds)
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
                close(connection)


def writers(table: LeaseTable, owners: Owners, name: str) -> tuple[Writer, ...]:
    """Return the holders of a generation's leases that have not expired.

    Raises StoreUnavailable.
    """
    holders = table.holders()
    found = set(share_holders(name, holders).values())
    sole = holders.get(name)
    if sole is not None and sole.seconds > 0:
        found.add(sole.owner)
    return tuple(Writer(owner, owners.is_here(owner)) for owner in sorted(found))
