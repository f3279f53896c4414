"""Use case: read the points of a metric, or aggregated buckets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from application.event_log.receipts import Receipt
from application.organizations.access import Grant
from application.projections.errors import UnknownMetric
from application.reading.ports import Aggregation, PointQueries, Sample, Selection
from application.reading.query_threads import QueryThreads
from application.reading.readable_receipts import ReadableReceipts


class ReadMetrics(Struct, frozen=True, kw_only=True):
    """The query. `grant` is for the scope `read` and names the owner. Times are as in Selection.

    With a receipt, it is answered once that batch can be read.
    """

    grant: Grant
    metric: str
    tags: Mapping[str, str] = {}
    start: int | None = None
    end: int | None = None
    aggregation: Aggregation | None = None
    limit: int
    receipt: Receipt | None = None


class ReadMetricsHandler:
    def __init__(
        self, queries: PointQueries, threads: QueryThreads, receipts: ReadableReceipts
    ) -> None:
        self._queries = queries
        self._threads = threads
        self._receipts = receipts

    async def __call__(self, query: ReadMetrics) -> Sequence[Sample]:
        """Return the latest `limit` points or buckets, oldest first.

        Raises UnknownMetric, InvalidArgument for a receipt that cannot be the organization's,
        NotReadableYet, TooManyQueries, and what PointQueries.samples raises.
        """
        if query.receipt is not None:
            await self._receipts.wait(query.grant.organization, query.receipt)
        selection = _selection(query)
        # Dashboards repeat their queries. A cached answer takes less time than waking a thread.
        samples = self._queries.cached_samples(selection, query.aggregation, query.limit)
        if samples:
            return samples
        return await self._threads.run(lambda: self._read(selection, query))

    def at_hand(self, query: ReadMetrics) -> Sequence[Sample]:
        """Return the same if there is nothing to wait for, else nothing. Never blocks or raises."""
        if query.receipt is not None:
            return ()
        found = self._queries.cached_samples(_selection(query), query.aggregation, query.limit)
        return found or ()

    def _read(self, selection: Selection, query: ReadMetrics) -> Sequence[Sample]:
        samples = self._queries.samples(selection, query.aggregation, query.limit)
        organization, team = selection.organization, selection.team
        if not samples and not self._queries.knows(organization, team, query.metric):
            owner = organization if team is None else f"{organization}/{team}"
            raise UnknownMetric(f"{owner} never published a metric {query.metric!r}")
        return samples


def _selection(query: ReadMetrics) -> Selection:
    return Selection(
        organization=query.grant.organization,
        team=query.grant.team,
        metric=query.metric,
        tags=query.tags,
        start=query.start,
        end=query.end,
    )
