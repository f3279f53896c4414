"""Use case: read the samples of labelled series, for others to evaluate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Struct

from application.organizations.access import Grant
from application.reading.promql import Promql
from application.reading.query_budget import QueryBudget, QueryLimits
from application.reading.query_threads import QueryThreads
from application.reading.series import MatchOperator, Owner, Series, SeriesSource

T = TypeVar("T")


class LabelCondition(Struct, frozen=True):
    """A matcher as a client writes it."""

    name: str
    operator: MatchOperator
    value: str


class SeriesQuery(Struct, frozen=True):
    """Series that satisfy all conditions, and the range of their samples.

    Times are in ms since the epoch, and both ends belong to the range.
    """

    conditions: Sequence[LabelCondition]
    start: int
    end: int


class ReadSeries(Struct, frozen=True):
    """Read what each query selects. The grant must be for the scope `read`."""

    grant: Grant
    queries: Sequence[SeriesQuery]


class ReadSeriesHandler:
    """Reads series in a query's thread. One command stays within `limits` with all its queries."""

    def __init__(
        self, promql: Promql, source: SeriesSource, threads: QueryThreads, limits: QueryLimits
    ) -> None:
        self._promql = promql
        self._source = source
        self._threads = threads
        self._limits = limits

    async def __call__(
        self,
        command: ReadSeries,
        answer: Callable[[Sequence[Sequence[Series]], QueryBudget], T],
    ) -> T:
        """Return what `answer` makes of each query's series, which are sorted by labels.

        It is called in the thread, with the budget that the series were taken from. Raises what
        it raises, BadData, ExecutionFailed, QueryTimedOut, TooManyQueries, and what a SeriesSource
        raises.
        """

        def read() -> T:
            budget = QueryBudget(self._limits)
            found = [self._selected(command, query, budget) for query in command.queries]
            return answer(found, budget)

        return await self._threads.run(read)

    def _selected(
        self, command: ReadSeries, query: SeriesQuery, budget: QueryBudget
    ) -> Sequence[Series]:
        owner = Owner(command.grant.organization, command.grant.team)
        matchers = [
            self._promql.matcher(each.name, each.operator, each.value) for each in query.conditions
        ]
        budget.check_time()
        found = self._source.select(owner, matchers, query.start, query.end, budget)
        return sorted(found, key=lambda series: sorted(series.labels.items()))
