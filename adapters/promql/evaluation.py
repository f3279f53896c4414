"""Evaluating a tree: each node becomes a vector, scalar, range vector or string for all steps."""

from __future__ import annotations

import numpy as np
import promql_parser
from promql_parser import Expr

from adapters.promql import aggregate, binary
from adapters.promql.calls import Call
from adapters.promql.grouping import Clause
from adapters.promql.operators import SETS
from adapters.promql.registry import FUNCTIONS
from adapters.promql.select import Selecting
from adapters.promql.subqueries import as_samples, inner_steps
from adapters.promql.vectors import Floats, Steps, Value, Vector
from application.reading.promql_errors import BadData
from application.reading.query_budget import QueryBudget


class Evaluation:
    """Evaluates expressions on the series that `selecting` reads.

    Every method may raise BadData, ExecutionFailed and QueryTimedOut.
    """

    def __init__(self, selecting: Selecting, budget: QueryBudget) -> None:
        self._selecting = selecting
        self._budget = budget

    def evaluate(self, node: Expr, steps: Steps) -> Value:
        """Return the value of an expression at all steps."""
        self._budget.check_time()
        node = _unwrapped(node)
        match node:
            case promql_parser.NumberLiteral():
                return np.full(len(steps), node.val)
            case promql_parser.StringLiteral():
                return str(node.val)
            case promql_parser.VectorSelector():
                return self._selecting.instant(node, steps)
            case promql_parser.MatrixSelector():
                return self._selecting.range(node, steps)
            case promql_parser.SubqueryExpr():
                inner = inner_steps(node, steps, self._budget)
                # A range that is shorter than the step may lie between two steps.
                found = self._vector(node.expr, inner) if len(inner) else Vector.empty(0)
                return as_samples(node, steps, inner, found, self._budget)
            case promql_parser.UnaryExpr():
                return self._negated(node, steps)
            case promql_parser.BinaryExpr():
                return self._binary(node, steps)
            case promql_parser.AggregateExpr():
                return self._aggregate(node, steps)
            case promql_parser.Call():
                return self._call(node, steps)
        raise BadData(f"parse error: unsupported expression {node}")

    def _negated(self, node: promql_parser.UnaryExpr, steps: Steps) -> Value:
        value = self.evaluate(node.expr, steps)
        if isinstance(value, Vector):
            return value.with_values(-value.values).without_names()
        return -_scalar(value)

    def _binary(self, node: promql_parser.BinaryExpr, steps: Steps) -> Value:
        operator, modifier = str(node.op), binary.Modifier.of(node.modifier)
        left, right = self.evaluate(node.lhs, steps), self.evaluate(node.rhs, steps)
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

    def _aggregate(self, node: promql_parser.AggregateExpr, steps: Steps) -> Vector:
        operator, clause = str(node.op), Clause.of(node.modifier)
        vector = self._vector(node.expr, steps)
        if operator in aggregate.REDUCTIONS:
            return aggregate.reduced(operator, vector, clause)
        if node.param is None:
            raise BadData(f"parse error: {operator} needs a parameter")
        parameter = self.evaluate(node.param, steps)
        if isinstance(parameter, str):
            return aggregate.value_counts(parameter, vector, clause)
        number = _scalar(parameter)
        if operator == "quantile":
            return aggregate.quantiles(number, vector, clause)
        if operator == "limitk":
            return aggregate.first(number, vector, clause)
        return aggregate.best(number, vector, clause, largest=operator == "topk")

    def _call(self, node: promql_parser.Call, steps: Steps) -> Value:
        name, written = node.func.name, node.args
        if name == "timestamp":
            inner = _unwrapped(written[0])
            if isinstance(inner, promql_parser.VectorSelector):
                return self._selecting.instant(inner, steps, times=True).without_names()
        arguments = [self.evaluate(argument, steps) for argument in written]
        return FUNCTIONS[name](Call(arguments, written, steps, self._budget))

    def _vector(self, node: Expr, steps: Steps) -> Vector:
        """Return the value; a scalar, as in a subquery, becomes a series without labels."""
        value = self.evaluate(node, steps)
        if isinstance(value, Vector):
            return value
        return Vector([{}], _scalar(value)[np.newaxis], np.ones((1, len(steps)), np.bool_))


def _unwrapped(node: Expr) -> Expr:
    """Return what parentheses contain."""
    while isinstance(node, promql_parser.ParenExpr):
        node = node.expr
    return node


def _scalar(value: Value) -> Floats:
    if not isinstance(value, np.ndarray):
        raise BadData(f"parse error: expected a scalar, got a {type(value).__name__}")
    return value
