"""Use case: list the metric names of an organization or a team."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from application.organizations.access import Grant
from application.reading.ports import MetricName, PointQueries
from application.reading.query_threads import QueryThreads
from domain.metric_description import description_for


class ListMetricNamesHandler:
    def __init__(self, queries: PointQueries, threads: QueryThreads) -> None:
        self._queries = queries
        self._threads = threads

    async def __call__(self, grant: Grant, *, metadata: bool = False) -> Sequence[MetricName]:
        """Return the names with their tag names; `grant` is for the scope `read`.

        With `metadata`, also with their descriptions. Raises what PointQueries.metric_names and,
        with `metadata`, PointQueries.descriptions raise.
        """
        find = self._described if metadata else self._queries.metric_names
        return await self._threads.run(lambda: find(grant.organization, grant.team))

    def _described(self, organization: str, team: str | None) -> Sequence[MetricName]:
        descriptions = self._queries.descriptions(organization, team)
        return [
            replace(known, description=description_for(known.name, descriptions))
            for known in self._queries.metric_names(organization, team)
        ]
