"""Use case: list the metric names of an organization or a team."""

from __future__ import annotations

from collections.abc import Sequence

from application.organizations.access import Grant
from application.reading.ports import MetricName, ReadModel
from application.reading.query_threads import QueryThreads


class ListMetricNamesHandler:
    def __init__(self, read_model: ReadModel, threads: QueryThreads) -> None:
        self._read_model = read_model
        self._threads = threads

    async def __call__(self, grant: Grant) -> Sequence[MetricName]:
        """Return the names with their tag names; `grant` is for the scope `read`.

        Raises what ReadModel.metric_names raises.
        """
        return await self._threads.run(
            lambda: self._read_model.metric_names(grant.organization, grant.team)
        )
