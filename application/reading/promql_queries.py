"""Use cases: evaluate PromQL, and look up labelled series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic as system_monotonic
from typing import TypeVar

import msgspec

from application.organizations.access import Grant
from application.projections.errors import TooManyQueries
from application.reading.annotations import Annotations
from application.reading.ports import PointQueries
from application.reading.promql import LOOK_BACK, InstantResult, Matrix, Promql
from application.reading.promql_errors import QueryTimedOut
from application.reading.query_budget import QueryBudget, QueryLimits
from application.reading.query_threads import QueryThreads
from application.reading.series import Matcher, Owner, SeriesSource
from domain.metric_description import MetricDescription

T = TypeVar("T")


class PromqlQueries:
    """Runs queries of PromQL in threads, each within `limits`. Times are in ms since the epoch.

    A query gives what it finds and its annotations to `answer` and returns its result. That is made
    in the query's thread, since the text of an answer can take as long as the query.

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
        *,
        monotonic: Callable[[], float] = system_monotonic,
    ) -> None:
        self._queries = queries
        self._promql = promql
        self._source = source
        self._threads = threads
        self._limits = limits
        self._monotonic = monotonic

    async def instant(
        self,
        grant: Grant,
        expression: str,
        time: int,
        answer: Callable[[InstantResult, Annotations], T],
        *,
        look_back: int = LOOK_BACK,
        seconds: float | None = None,
    ) -> T:
        """Evaluate an expression at one time, in at most `seconds`, waiting included."""
        owner, notes = _owner(grant), Annotations()

        def evaluate(budget: QueryBudget) -> T:
            found = self._promql.instant(
                owner, expression, time, budget, look_back=look_back, annotations=notes
            )
            return answer(found, notes)

        return await self._evaluate(evaluate, seconds)

    async def range(
        self,
        grant: Grant,
        expression: str,
        start: int,
        end: int,
        step: int,
        answer: Callable[[Matrix, Annotations], T],
        *,
        look_back: int = LOOK_BACK,
        seconds: float | None = None,
    ) -> T:
        """Evaluate an expression at `start` and every `step` after it up to `end`."""
        owner, notes = _owner(grant), Annotations()

        def evaluate(budget: QueryBudget) -> T:
            found = self._promql.range(
                *(owner, expression, start, end, step, budget),
                look_back=look_back,
                annotations=notes,
            )
            return answer(found, notes)

        return await self._evaluate(evaluate, seconds)

    async def series(
        self,
        grant: Grant,
        selectors: Sequence[str],
        start: int,
        end: int,
        answer: Callable[[Sequence[Mapping[str, str]]], T],
    ) -> T:
        """Find the labels of series, each once."""
        return await self._threads.run(
            lambda: answer(self._source.labels(_owner(grant), self._parsed(selectors), start, end))
        )

    async def label_names(
        self,
        grant: Grant,
        selectors: Sequence[str],
        start: int,
        end: int,
        answer: Callable[[Sequence[str]], T],
    ) -> T:
        """Find the names of the series' labels; without selectors, those of all series."""
        return await self._threads.run(
            lambda: answer(
                self._source.label_names(_owner(grant), self._parsed(selectors), start, end)
            )
        )

    async def label_values(
        self,
        grant: Grant,
        name: str,
        selectors: Sequence[str],
        start: int,
        end: int,
        answer: Callable[[Sequence[str]], T],
    ) -> T:
        """Find the values that a label has in the series."""
        return await self._threads.run(
            lambda: answer(
                self._source.label_values(_owner(grant), name, self._parsed(selectors), start, end)
            )
        )

    async def metadata(self, grant: Grant) -> Mapping[str, MetricDescription]:
        """Return the last description of each metric that has one, by name."""
        return await self._threads.run(
            lambda: self._queries.descriptions(grant.organization, grant.team)
        )

    def formatted(self, expression: str) -> str:
        """Return an expression in the usual layout. Raises BadData."""
        return self._promql.formatted(expression)

    def _parsed(self, selectors: Sequence[str]) -> Sequence[Sequence[Matcher]]:
        return [self._promql.selector(selector) for selector in selectors]

    async def _evaluate(self, evaluate: Callable[[QueryBudget], T], seconds: float | None) -> T:
        """Evaluate within the limits, and at most `seconds` from now, waiting included."""
        if seconds is None:
            return await self._threads.run(lambda: evaluate(QueryBudget(self._limits)))
        asked = self._monotonic()

        def limited() -> T:
            left = seconds - (self._monotonic() - asked)
            limits = msgspec.structs.replace(self._limits, seconds=min(left, self._limits.seconds))
            return evaluate(QueryBudget(limits))

        try:
            return await self._threads.run(limited, patience=seconds)
        except TooManyQueries as error:
            if seconds < self._threads.patience:
                raise QueryTimedOut("query timed out while it waited for its turn") from error
            raise


def _owner(grant: Grant) -> Owner:
    return Owner(grant.organization, grant.team)
