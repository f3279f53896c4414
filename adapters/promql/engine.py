"""PromQL's engine: parses an expression, evaluates it, and returns the answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adapters.promql import parse
from adapters.promql.evaluation import Evaluation
from adapters.promql.matchers import matcher
from adapters.promql.notes import Notes
from adapters.promql.regex import InvalidPattern
from adapters.promql.result import instant_result, range_result
from adapters.promql.select import Selecting
from adapters.promql.syntax.printer import pretty
from adapters.promql.syntax.signatures import type_of
from adapters.promql.syntax.tree import Expression
from adapters.promql.vectors import Steps, Value
from application.reading.annotations import Annotations
from application.reading.promql import LOOK_BACK, InstantResult, Matrix
from application.reading.promql_errors import BadData, ExecutionFailed
from application.reading.query_budget import QueryBudget
from application.reading.series import Matcher, MatchOperator, Owner, SeriesSource


class PromqlEngine:
    """Implements Promql on any source of series."""

    def __init__(self, source: SeriesSource) -> None:
        self._source = source

    def instant(
        self,
        owner: Owner,
        expression: str,
        time: int,
        budget: QueryBudget,
        *,
        look_back: int = LOOK_BACK,
        annotations: Annotations | None = None,
    ) -> InstantResult:
        steps = Steps(np.array([time], np.int64), time, time)
        notes = Notes(expression, annotations or Annotations())
        evaluation = Evaluation(Selecting(self._source, owner, budget, look_back), budget, notes)
        return instant_result(_value(_parsed(expression), steps, evaluation), steps)

    def range(
        self,
        owner: Owner,
        expression: str,
        start: int,
        end: int,
        step: int,
        budget: QueryBudget,
        *,
        look_back: int = LOOK_BACK,
        annotations: Annotations | None = None,
    ) -> Matrix:
        if end < start:
            raise BadData('invalid parameter "end": end timestamp must not be before start time')
        if step <= 0:
            raise BadData(
                'invalid parameter "step": zero or negative query resolution step widths are not '
                "accepted. Try a positive integer"
            )
        budget.take_steps((end - start) // step)
        times = np.arange(start, end + 1, step, dtype=np.int64)
        tree = _parsed(expression)
        if (kind := type_of(tree)) not in ("scalar", "instant vector"):
            raise BadData(
                f'invalid parameter "query": invalid expression type "{kind}" for range query, '
                "must be Scalar or instant Vector"
            )
        steps = Steps(times, start, end)
        notes = Notes(expression, annotations or Annotations())
        evaluation = Evaluation(Selecting(self._source, owner, budget, look_back), budget, notes)
        return range_result(_value(tree, steps, evaluation), steps)

    def selector(self, text: str) -> Sequence[Matcher]:
        try:
            return parse.selector(text)
        except BadData as error:
            raise BadData(f'invalid parameter "match[]": {error}') from error

    def matcher(self, name: str, operator: MatchOperator, value: str) -> Matcher:
        try:
            return matcher(name, operator, value)
        except InvalidPattern as error:
            raise BadData(str(error)) from error

    def formatted(self, expression: str) -> str:
        return pretty(_parsed(expression))


def _value(tree: Expression, steps: Steps, evaluation: Evaluation) -> Value:
    try:
        # Division by zero and the like have their results; NaN and infinities are values.
        with np.errstate(all="ignore"):
            return evaluation.evaluate(tree, steps)
    except MemoryError as error:
        raise ExecutionFailed(
            "query processing would use too much memory in query execution"
        ) from error


def _parsed(expression: str) -> Expression:
    try:
        return parse.parsed(expression)
    except BadData as error:
        raise BadData(f'invalid parameter "query": {error}') from error
