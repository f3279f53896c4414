"""Evaluating a tree: each node becomes a vector, scalar, range vector or string for all steps."""

from __future__ import annotations

import numpy as np

from adapters.promql import aggregate, binary, calls
from adapters.promql.grouping import Clause
from adapters.promql.notes import Notes
from adapters.promql.registry import FUNCTIONS
from adapters.promql.select import Selecting
from adapters.promql.subqueries import as_samples, inner_steps
from adapters.promql.syntax.checks import SETS
from adapters.promql.syntax.tree import (
    Aggregation,
    Binary,
    Call,
    Expression,
    MatrixSelector,
    NumberLiteral,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
    unwrapped,
)
from adapters.promql.vectors import Floats, Steps, Value, Vector
from application.reading.query_budget import QueryBudget


class Evaluation:
    """Evaluates expressions on the series that `selecting` reads.

    Every method may raise BadData, ExecutionFailed and QueryTimedOut.
    """

    def __init__(self, selecting: Selecting, budget: QueryBudget, notes: Notes) -> None:
        self._selecting = selecting
        self._budget = budget
        self._notes = notes

    def evaluate(self, node: Expression, steps: Steps) -> Value:
        """Return the value of an expression at all steps."""
        self._budget.check_time()
        node = unwrapped(node)
        match node:
            case NumberLiteral():
                return np.full(len(steps), node.value)
            case StringLiteral():
                return node.value
            case VectorSelector():
                return self._selecting.instant(node, steps)
            case MatrixSelector():
                return self._selecting.range(node, steps)
            case Subquery():
                inner = inner_steps(node, steps, self._budget)
                # A range that is shorter than the step may lie between two steps.
                found = self._vector(node.expression, inner) if len(inner) else Vector.empty(0)
                return as_samples(node, steps, inner, found, self._budget)
            case Unary():
                return self._signed(node, steps)
            case Binary():
                return self._binary(node, steps)
            case Aggregation():
                return self._aggregate(node, steps)
            case Call():
                return self._call(node, steps)
        raise TypeError(f"{type(node).__name__} cannot be evaluated")

    def _signed(self, node: Unary, steps: Steps) -> Value:
        value = self.evaluate(node.expression, steps)
        if node.operator == "+":
            return value
        if isinstance(value, Vector):
            return value.with_values(-value.values).without_names()
        return -_scalar(value)

    def _binary(self, node: Binary, steps: Steps) -> Value:
        operator, modifier = node.operator, binary.Modifier.of(node)
        left, right = self.evaluate(node.left, steps), self.evaluate(node.right, steps)
        if isinstance(left, Vector) and isinstance(right, Vector):
            if operator in SETS:
                return binary.of_sets(operator, left, right, modifier.matching)
            return binary.between_vectors(operator, left, right, modifier, self._budget)
        as_bool = modifier.as_bool
        if isinstance(left, Vector):
            scalar = _scalar(right)
            return binary.with_scalar(operator, left, scalar, scalar_left=False, as_bool=as_bool)
        if isinstance(right, Vector):
            scalar = _scalar(left)
            return binary.with_scalar(operator, right, scalar, scalar_left=True, as_bool=as_bool)
        return binary.between_scalars(operator, _scalar(left), _scalar(right))

    def _aggregate(self, node: Aggregation, steps: Steps) -> Vector:
        operator, clause = node.operator, Clause.of(node)
        vector = self._vector(node.expression, steps)
        if operator in aggregate.REDUCTIONS:
            return aggregate.reduced(operator, vector, clause)
        parameter = None if node.parameter is None else self.evaluate(node.parameter, steps)
        if isinstance(parameter, str):
            return aggregate.value_counts(parameter, vector, clause)
        number = _scalar(parameter)
        if operator == "quantile" and node.parameter is not None:
            self._notes.bad_quantiles(_extremes(number), node.parameter)
            return aggregate.quantiles(number, vector, clause)
        if operator == "limitk":
            return aggregate.first(number, vector, clause)
        return aggregate.best(number, vector, clause, largest=operator == "topk")

    def _call(self, node: Call, steps: Steps) -> Value:
        name, written = node.name, node.arguments
        if name == "timestamp":
            inner = unwrapped(written[0])
            if isinstance(inner, VectorSelector):
                return self._selecting.instant(inner, steps, times=True).without_names()
        arguments = [self.evaluate(argument, steps) for argument in written]
        return FUNCTIONS[name](calls.Call(arguments, written, steps, self._budget, self._notes))

    def _vector(self, node: Expression, steps: Steps) -> Vector:
        """Return the value; a scalar, as in a subquery, becomes a series without labels."""
        value = self.evaluate(node, steps)
        if isinstance(value, Vector):
            return value
        return Vector([{}], _scalar(value)[np.newaxis], np.ones((1, len(steps)), np.bool_))


def _extremes(numbers: Floats) -> Floats:
    """Return the smallest and the largest number, and NaN if there is one."""
    return np.array([np.fmin.reduce(numbers), np.fmax.reduce(numbers), numbers.max()])


def _scalar(value: Value | None) -> Floats:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"expected a scalar, got a {type(value).__name__}")
    return value
