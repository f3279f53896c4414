"""Use case: the samples for a plot of a metric."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from application.organizations.look_ups import LookUps
from application.projections.errors import UnknownMetric
from application.reading.ports import Aggregation, PointQueries, Sample, Selection
from domain.organization import owner_name


class PlotSamples(Struct, frozen=True, kw_only=True):
    """The latest `limit` buckets of a selection, from the copy with the label if one is given."""

    selection: Selection
    aggregation: Aggregation
    limit: int
    label: str | None = None


class PlotSamplesHandler:
    """For operators, who need no token. Calls block: they read the log to check the owner."""

    def __init__(self, look_ups: LookUps, queries: PointQueries) -> None:
        self._look_ups = look_ups
        self._queries = queries

    def __call__(self, query: PlotSamples) -> Sequence[Sample]:
        """Return the buckets whose value is finite, oldest first.

        Others cannot be drawn; a sum, for example, may overflow a 64-bit float. Raises
        UnknownOrganization, UnknownTeam, UnknownMetric, LogUnavailable, and what
        PointQueries.samples raises.
        """
        selection = query.selection
        organization, team, metric = selection.organization, selection.team, selection.metric
        self._look_ups.check_owner(organization, team)
        if not self._queries.knows(organization, team, metric):
            raise UnknownMetric(f"{owner_name(organization, team)} has no metric {metric!r}")
        samples = self._queries.samples(
            selection, query.aggregation, query.limit, label=query.label
        )
        return [sample for sample in samples if math.isfinite(sample.value)]
