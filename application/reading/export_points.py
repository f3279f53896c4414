"""Use case: export the points of an organization or a team."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from msgspec import Struct

from application.organizations.look_ups import LookUps
from application.projections.errors import UnknownMetric
from application.reading.ports import PointExport, PointQueries, PointWriter
from domain.organization import check_team


class ExportPoints(Struct, frozen=True, kw_only=True):
    """The points to export; times as in Selection. With a label, they are read from that copy."""

    organization: str
    team: str | None = None
    metric: str | None = None
    start: int | None = None
    end: int | None = None
    label: str | None = None


class ExportPointsHandler:
    def __init__(self, look_ups: LookUps, queries: PointQueries, points: PointExport) -> None:
        self._look_ups = look_ups
        self._queries = queries
        self._points = points

    def __call__(
        self, command: ExportPoints, open_writer: Callable[[], AbstractContextManager[PointWriter]]
    ) -> int:
        """Write the points, sorted by name, time and log order; return their number.

        The writer is opened after the first points have been read, so that an export that fails
        before does not touch an existing file.
        Raises UnknownOrganization, UnknownTeam, UnknownMetric, and what the log, the ports and the
        writer raise.
        """
        organization, team, metric = command.organization, command.team, command.metric
        owner = self._look_ups.organization(organization)
        if team is not None:
            check_team(owner, team)
        if metric is not None and not self._queries.knows(organization, team, metric):
            named = organization if team is None else f"{organization}/{team}"
            raise UnknownMetric(f"{named} has no metric {metric!r}")
        chunks = self._points.rows(
            organization,
            team,
            metric=metric,
            start=command.start,
            end=command.end,
            label=command.label,
        )
        rows = next(chunks, None)
        points = 0
        with open_writer() as writer:
            while rows is not None:
                writer.write(rows)
                points += len(rows)
                rows = next(chunks, None)
        return points
