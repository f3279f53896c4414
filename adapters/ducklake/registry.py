"""The registry: which generations there are, and which one of a projection is live.

One table in the database of the catalogs. A generation that was dropped keeps its row, so that
numbers are never used again and what a crash left of its files can be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.ducklake.database import Connection, Location, transaction, translated
from application.projections.errors import ProjectionBusy
from application.projections.folds import Projection
from application.projections.ports import Generation, Role

_COLUMNS = "projection, number, version, role, label, until, stopped"


class Registry:
    """The table `generations`. Used by one thread at a time."""

    def __init__(self, connection: Connection, location: Location) -> None:
        self._connection = connection
        self._table = "registry.generations"
        with translated():
            if location.catalog is not None:
                connection.execute("CREATE SCHEMA IF NOT EXISTS registry.cave_projections")
                self._table = "registry.cave_projections.generations"
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self._table} ("
                "projection VARCHAR, number BIGINT, version BIGINT, role VARCHAR, label VARCHAR, "
                "until BIGINT, stopped VARCHAR, retired_at DOUBLE, "
                "PRIMARY KEY (projection, number))"
            )

    def generations(self, projection: str) -> Sequence[Generation]:
        """Return those that were not dropped, in order of their numbers."""
        return [
            Generation(
                projection=row[0],
                number=row[1],
                version=row[2],
                role=Role(row[3]),
                label=row[4],
                until=row[5],
                stopped=row[6],
            )
            for row in self._rows(
                f"SELECT {_COLUMNS} FROM {self._table} "
                "WHERE projection = ? AND role <> 'dropped' ORDER BY number",
                projection,
            )
        ]

    def add(
        self, projection: Projection, role: Role, label: str | None, until: int | None
    ) -> Generation:
        """Add a generation with the next number. Raises ProjectionBusy."""
        with translated(ProjectionBusy), transaction(self._connection):
            ((number,),) = self._rows(
                f"SELECT coalesce(max(number), 0) + 1 FROM {self._table} WHERE projection = ?",
                projection.name,
            )
            for other in self.generations(projection.name):
                if role is Role.LIVE and other.role is Role.LIVE:
                    raise ProjectionBusy(f"there is a live {projection.name} already")
                if role is Role.COPY and other.label == label:
                    raise ProjectionBusy(f"there is a copy {label!r} of {projection.name} already")
            self._connection.execute(
                f"INSERT INTO {self._table} VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)",
                [projection.name, number, projection.version, str(role), label, until],
            )
        return Generation(
            projection=projection.name,
            number=number,
            version=projection.version,
            role=role,
            label=label,
            until=until,
        )

    def make_live(self, generation: Generation, now: float) -> None:
        """Make a generation the live one and retire the one that was, in one transaction."""
        with translated(), transaction(self._connection):
            self._connection.execute(
                f"UPDATE {self._table} SET role = 'retired', retired_at = ? "
                "WHERE projection = ? AND role = 'live'",
                [now, generation.projection],
            )
            self._set(generation, "role", str(Role.LIVE))

    def set_stopped(self, generation: Generation, reason: str | None) -> None:
        with translated():
            self._set(generation, "stopped", reason)

    def set_dropped(self, generation: Generation) -> None:
        with translated():
            self._set(generation, "role", "dropped")

    def retired(self, before: float) -> Sequence[tuple[str, int]]:
        """Return projection and number of those retired before a time (s since the epoch)."""
        return self._rows(
            f"SELECT projection, number FROM {self._table} "
            "WHERE role = 'retired' AND retired_at < ?",
            before,
        )

    def dropped(self) -> Sequence[tuple[str, int]]:
        """Return projection and number of those that were dropped."""
        return self._rows(f"SELECT projection, number FROM {self._table} WHERE role = 'dropped'")

    def _set(self, generation: Generation, column: str, value: str | None) -> None:
        self._connection.execute(
            f"UPDATE {self._table} SET {column} = ? WHERE projection = ? AND number = ?",
            [value, generation.projection, generation.number],
        )

    def _rows(self, query: str, *parameters: Any) -> list[Any]:
        with translated():
            return self._connection.execute(query, list(parameters)).fetchall()
