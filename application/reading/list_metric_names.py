"""Use case: list the metric names of an organization or a team."""

from __future__ import annotations

from collections.abc import Sequence

from application.organizations.access import Grant
from application.reading.ports import MetricName, PointQueries
from application.reading.query_threads import QueryThreads


class ListMetricNamesHandler:
    def __init__(self, queries: PointQueries, threads: QueryThreads) -> None:
        self._queries = queries
        self._threads = threads

    async def __call__(self, grant: Grant) -> Sequence[MetricName]:
        """Return the names with their tag names; `grant` is for the scope `read`.

        Raises what PointQueries.metric_names raises.
        """
        return await self._threads.run(
            lambda: self._queries.metric_names(grant.organization, grant.team)
        )
