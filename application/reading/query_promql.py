"""Use case: an operator evaluates an expression of PromQL."""

from __future__ import annotations

from msgspec import Struct

from application.organizations.look_ups import LookUps
from application.reading.annotations import Annotations
from application.reading.promql import InstantResult, Promql
from application.reading.query_budget import QueryBudget, QueryLimits
from application.reading.series import Owner


class QueryPromql(Struct, frozen=True, kw_only=True):
    """An expression at `end`; with a `start`, at every `step` from there up to `end`.

    `start` and `end` are in ms since the epoch, `step` is in ms.
    """

    owner: Owner
    expression: str
    end: int
    start: int | None = None
    step: int = 0


class QueryPromqlHandler:
    """For operators, who need no token. Calls block: they read the log to check the owner."""

    def __init__(self, look_ups: LookUps, promql: Promql, limits: QueryLimits) -> None:
        self._look_ups = look_ups
        self._promql = promql
        self._limits = limits

    def __call__(self, query: QueryPromql, annotations: Annotations | None = None) -> InstantResult:
        """Return the result, a matrix if there is a start, and add to the annotations.

        Raises UnknownOrganization, UnknownTeam, LogUnavailable, and what Promql raises.
        """
        owner = query.owner
        self._look_ups.check_owner(owner.organization, owner.team)
        budget = QueryBudget(self._limits)
        if query.start is None:
            return self._promql.instant(
                owner, query.expression, query.end, budget, annotations=annotations
            )
        return self._promql.range(
            *(owner, query.expression, query.start, query.end, query.step, budget),
            annotations=annotations,
        )
