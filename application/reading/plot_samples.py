"""Use case: the samples that a plot of a metric is drawn from."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from application.organizations.look_ups import LookUps
from application.projections.errors import UnknownMetric
from application.reading.ports import Aggregation, ReadModel, Sample, Selection
from domain.organization import owner_name


class PlotSamples(Struct, frozen=True, kw_only=True):
    """The latest `limit` buckets of a selection, from the copy `label` if it is given."""

    selection: Selection
    aggregation: Aggregation
    limit: int
    label: str | None = None


class PlotSamplesHandler:
    """For whoever needs no token: it may block, and asks the log who exists."""

    def __init__(self, look_ups: LookUps, read_model: ReadModel) -> None:
        self._look_ups = look_ups
        self._read_model = read_model

    def __call__(self, query: PlotSamples) -> Sequence[Sample]:
        """Return the buckets whose value is a finite number, oldest first.

        The others cannot be drawn: a sum, say, may be beyond a 64-bit float. Raises
        UnknownOrganization, UnknownTeam, UnknownMetric, LogUnavailable, and what ReadModel.samples
        raises.
        """
        selection = query.selection
        organization, team, metric = selection.organization, selection.team, selection.metric
        self._look_ups.check_owner(organization, team)
        if not self._read_model.knows(organization, team, metric):
            raise UnknownMetric(f"{owner_name(organization, team)} has no metric {metric!r}")
        samples = self._read_model.samples(
            selection, query.aggregation, query.limit, label=query.label
        )
        return [sample for sample in samples if math.isfinite(sample.value)]
