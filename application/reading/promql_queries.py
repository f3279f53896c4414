"""Use cases: evaluate PromQL, and look up labelled series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from application.organizations.access import Grant
from application.reading.ports import PointQueries
from application.reading.promql import InstantResult, Matrix, Promql
from application.reading.query_budget import QueryBudget, QueryLimits
from application.reading.query_threads import QueryThreads
from application.reading.series import Matcher, Owner, SeriesSource
from domain.metric_description import MetricDescription

T = TypeVar("T")


class PromqlQueries:
    """Runs queries of PromQL in threads, each within `limits`. Times are in ms since the epoch.

    Grants are for the scope `read`. Every method raises what Promql and SeriesSource raise, and
    TooManyQueries. `selectors` are selectors such as `up{job="a"}`; a series of any of them counts.
    """

    def __init__(
        self,
        promql: Promql,
        source: SeriesSource,
        queries: PointQueries,
        threads: QueryThreads,
        limits: QueryLimits,
    ) -> None:
        self._queries = queries
        self._promql = promql
        self._source = source
        self._threads = threads
        self._limits = limits

    async def instant(
        self, grant: Grant, expression: str, time: int, seconds: float | None = None
    ) -> InstantResult:
        """Evaluate an expression at one time, in at most so many seconds."""
        return await self._run(
            lambda: self._promql.instant(_owner(grant), expression, time, self._budget(seconds))
        )

    async def range(
        self,
        grant: Grant,
        expression: str,
        start: int,
        end: int,
        step: int,
        seconds: float | None = None,
    ) -> Matrix:
        """Evaluate an expression at `start` and every `step` after it up to `end`."""
        return await self._run(
            lambda: self._promql.range(
                _owner(grant), expression, start, end, step, self._budget(seconds)
            )
        )

    async def series(
        self, grant: Grant, selectors: Sequence[str], start: int, end: int
    ) -> Sequence[Mapping[str, str]]:
        """Return the labels of series, each once."""
        return await self._run(
            lambda: self._source.labels(_owner(grant), self._parsed(selectors), start, end)
        )

    async def label_names(
        self, grant: Grant, selectors: Sequence[str], start: int, end: int
    ) -> Sequence[str]:
        """Return the names of the series' labels; without selectors, those of all series."""
        return await self._run(
            lambda: self._source.label_names(_owner(grant), self._parsed(selectors), start, end)
        )

    async def label_values(
        self, grant: Grant, name: str, selectors: Sequence[str], start: int, end: int
    ) -> Sequence[str]:
        """Return the values that a label has in the series."""
        return await self._run(
            lambda: self._source.label_values(
                _owner(grant), name, self._parsed(selectors), start, end
            )
        )

    async def metadata(self, grant: Grant) -> Mapping[str, MetricDescription]:
        """Return the last description of each metric that has one, by name."""
        return await self._run(lambda: self._queries.descriptions(grant.organization, grant.team))

    def formatted(self, expression: str) -> str:
        """Return an expression in the usual layout. Raises BadData."""
        return self._promql.formatted(expression)

    def _parsed(self, selectors: Sequence[str]) -> Sequence[Sequence[Matcher]]:
        return [self._promql.selector(selector) for selector in selectors]

    def _budget(self, seconds: float | None) -> QueryBudget:
        limits = self._limits
        if seconds is not None and seconds < limits.seconds:
            limits = msgspec.structs.replace(limits, seconds=seconds)
        return QueryBudget(limits)

    async def _run(self, call: Callable[[], T]) -> T:
        return await self._threads.run(call)


def _owner(grant: Grant) -> Owner:
    return Owner(grant.organization, grant.team)
