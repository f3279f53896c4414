"""The registry of generations, which records the live one of each projection.

It is one table in the database of the catalogs, with the names of `stored_names`. A dropped
generation keeps its row so that its number is never reused: `dropped` while some of its files may
be left, then `removed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tenacity import retry, retry_if_exception, stop_after_delay, wait_random_exponential

from adapters.ducklake.database import Connection, Location, transaction, translated
from adapters.ducklake.store.stored_names import PROJECTIONS, STORED_NAMES
from application.projections.errors import ProjectionBusy, ProjectionMissing, StoreUnavailable
from application.projections.folds import Projection
from application.projections.ports import Generation, Role

_patiently = retry(
    retry=retry_if_exception(lambda e: isinstance(e, StoreUnavailable) and "is locked" in str(e)),
    wait=wait_random_exponential(multiplier=0.02, max=0.5),
    stop=stop_after_delay(5),
    reraise=True,
)
"""SQLite immediately refuses, despite the busy timeout, a transaction that read before another
process wrote."""

_COLUMNS = "number, version, role, label, until, stopped"


class Registry:
    """The table `generations`. Used by one thread at a time."""

    def __init__(self, connection: Connection, location: Location) -> None:
        self.connection = connection
        self._table = "registry.generations"
        if location.catalog is not None:
            self._table = "registry.cave_projections.generations"
        try:
            self._create()
        except StoreUnavailable:
            # Another process may have created it meanwhile, which fails this attempt.
            self._create()

    @_patiently
    def _create(self) -> None:
        with translated():
            if self._table != "registry.generations":
                self.connection.execute("CREATE SCHEMA IF NOT EXISTS registry.cave_projections")
            self.connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self._table} ("
                "projection VARCHAR, number BIGINT, version BIGINT, role VARCHAR, label VARCHAR, "
                "until BIGINT, stopped VARCHAR, retired_at DOUBLE, "
                "PRIMARY KEY (projection, number))"
            )

    def generations(self, projection: str) -> Sequence[Generation]:
        """Return the generations that were not dropped, ordered by number."""
        return [
            Generation(
                projection=projection,
                number=row[0],
                version=row[1],
                role=Role(row[2]),
                label=row[3],
                until=row[4],
                stopped=row[5],
            )
            for row in self._rows(
                f"SELECT {_COLUMNS} FROM {self._table} "
                "WHERE projection = ? AND role NOT IN ('dropped', 'removed') ORDER BY number",
                STORED_NAMES[projection],
            )
        ]

    @_patiently
    def add(
        self, projection: Projection, role: Role, label: str | None, until: int | None
    ) -> Generation:
        """Add a generation with the next number. Raises ProjectionBusy."""
        with translated(ProjectionBusy), transaction(self.connection):
            ((number,),) = self._rows(
                f"SELECT coalesce(max(number), 0) + 1 FROM {self._table} WHERE projection = ?",
                STORED_NAMES[projection.name],
            )
            for other in self.generations(projection.name):
                if role is Role.LIVE and other.role is Role.LIVE:
                    raise ProjectionBusy(f"there is a live generation of {projection.name} already")
                if label is not None and other.label == label:
                    raise ProjectionBusy(f"there is a copy {label!r} of {projection.name} already")
            self.connection.execute(
                f"INSERT INTO {self._table} VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)",
                [
                    STORED_NAMES[projection.name],
                    number,
                    projection.version,
                    str(role),
                    label,
                    until,
                ],
            )
        return Generation(
            projection=projection.name,
            number=number,
            version=projection.version,
            role=role,
            label=label,
            until=until,
        )

    @_patiently
    def make_live(self, generation: Generation, now: float) -> None:
        """Make a generation live and retire the previous one, in one transaction.

        Raises ProjectionMissing if it is no longer being built.
        """
        with translated(), transaction(self.connection):
            current = {g.number: g.role for g in self.generations(generation.projection)}
            if current.get(generation.number) is not Role.BUILDING:
                raise ProjectionMissing(
                    f"generation {generation.number} of {generation.projection} "
                    "is no longer being built"
                )
            self.connection.execute(
                f"UPDATE {self._table} SET role = 'retired', retired_at = ? "
                "WHERE projection = ? AND role = 'live'",
                [now, STORED_NAMES[generation.projection]],
            )
            self._set(generation.projection, generation.number, "role", str(Role.LIVE))

    @_patiently
    def set_copied(self, projection: str, number: int) -> None:
        """Mark a copy as complete and readable. Raises ProjectionMissing."""
        with translated(), transaction(self.connection):
            current = {g.number: g.role for g in self.generations(projection)}
            if current.get(number) is not Role.COPYING:
                raise ProjectionMissing(
                    f"generation {number} of {projection} is no longer being copied"
                )
            self._set(projection, number, "role", str(Role.COPY))

    @_patiently
    def set_stopped(self, generation: Generation, reason: str | None) -> None:
        with translated():
            self._set(generation.projection, generation.number, "stopped", reason)

    @_patiently
    def set_dropped(self, projection: str, number: int) -> None:
        """Mark a generation as dropped. Raises ProjectionBusy for the live one."""
        with translated(), transaction(self.connection):
            current = {g.number: g.role for g in self.generations(projection)}
            if current.get(number) is Role.LIVE:
                raise ProjectionBusy(f"generation {number} of {projection} is the live one")
            if number in current:
                self._set(projection, number, "role", "dropped")

    @_patiently
    def set_removed(self, projection: str, number: int) -> None:
        """Record that nothing is left of a dropped generation."""
        with translated():
            self._set(projection, number, "role", "removed")

    def retired(self, before: float) -> Sequence[tuple[str, int]]:
        """Return projection and number of those retired before a time (seconds since the epoch)."""
        return self._named("role = 'retired' AND retired_at < ?", before)

    def dropped(self) -> Sequence[tuple[str, int]]:
        """Return projection and number of those dropped but not yet removed."""
        return self._named("role = 'dropped'")

    def _named(self, condition: str, *parameters: Any) -> Sequence[tuple[str, int]]:
        rows = self._rows(
            f"SELECT projection, number FROM {self._table} WHERE {condition}", *parameters
        )
        return [(PROJECTIONS[stored], number) for stored, number in rows if stored in PROJECTIONS]

    def _set(self, projection: str, number: int, column: str, value: str | None) -> None:
        self.connection.execute(
            f"UPDATE {self._table} SET {column} = ? WHERE projection = ? AND number = ?",
            [value, STORED_NAMES[projection], number],
        )

    def _rows(self, query: str, *parameters: Any) -> list[Any]:
        with translated():
            return self.connection.execute(query, list(parameters)).fetchall()
