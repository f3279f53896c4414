"""Functions of instant vectors and scalars that compute values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adapters.promql.calls import Call, Function
from adapters.promql.labels import Labels, key, natural_key
from adapters.promql.syntax.tree import Expression, MatrixSelector, VectorSelector, unwrapped
from adapters.promql.vectors import Bools, Floats, Vector
from application.reading.series import NAME, MatchOperator


def elementwise(compute: Callable[[Floats], Floats]) -> Function:
    """Return the function that computes every sample's new value, and drops the name."""

    def function(call: Call) -> Vector:
        vector = call.vector(0)
        return vector.with_values(compute(vector.values)).without_names()

    return function


def rounded(call: Call) -> Vector:
    """Round to the nearest multiple of the second argument (1 by default); halves go up."""
    vector = call.vector(0)
    inverse = 1.0 / (call.scalar(1) if len(call) > 1 else np.ones(len(call.steps)))
    return vector.with_values(np.floor(vector.values * inverse + 0.5) / inverse).without_names()


def clamp(call: Call) -> Vector:
    """Limit the values to a minimum and a maximum; empty if the maximum is the smaller one."""
    return _clamped(call.vector(0), call.scalar(1), call.scalar(2))


def clamp_min(call: Call) -> Vector:
    """Limit the values to a minimum."""
    return _clamped(call.vector(0), call.scalar(1), np.array(np.inf))


def clamp_max(call: Call) -> Vector:
    """Limit the values to a maximum."""
    return _clamped(call.vector(0), np.array(-np.inf), call.scalar(1))


def sign(values: Floats) -> Floats:
    """1 for positive values, -1 for negative ones, else the value: 0 or NaN."""
    return np.where(values > 0, 1.0, np.where(values < 0, -1.0, values))


def cosh(values: Floats) -> Floats:
    """The hyperbolic cosine, with infinity where Go has it: if half the exponential overflows."""
    return np.where(np.exp(np.abs(values)) == np.inf, np.inf, np.cosh(values))


def sinh(values: Floats) -> Floats:
    """The hyperbolic sine, with infinity where Go has it."""
    return np.where(np.exp(np.abs(values)) == np.inf, np.copysign(np.inf, values), np.sinh(values))


def absent(call: Call) -> Vector:
    """1 where the vector is empty; its labels are those the selector requires to be equal."""
    vector = call.vector(0)
    return _absence(call, np.logical_or.reduce(vector.present, axis=0))


def absent_over_time(call: Call) -> Vector:
    """1 where no series has a sample in the range; labels as of `absent`."""
    rows = call.rows(0)
    found = np.zeros(len(call.steps), np.bool_)
    for row in range(len(rows.labels)):
        times, _ = rows.of(row)
        first = np.searchsorted(times, rows.ends - rows.width, "right")
        found |= np.searchsorted(times, rows.ends, "right") > first
    return _absence(call, found)


def scalar(call: Call) -> Floats:
    """The value of the vector's only sample, NaN where it has none or several."""
    vector = call.vector(0)
    alone = vector.present.sum(axis=0) == 1
    return np.where(alone, np.where(vector.present, vector.values, 0.0).sum(axis=0), np.nan)


def vector(call: Call) -> Vector:
    """The scalar as a vector without labels."""
    return unlabelled(call.scalar(0))


def time(call: Call) -> Floats:
    """The time of the step in seconds; not the clock's."""
    return call.steps.times / 1000


def timestamp(call: Call) -> Vector:
    """The time of each sample in seconds; that of the step, unless a selector is asked directly."""
    vector = call.vector(0)
    seconds = np.broadcast_to(call.steps.times / 1000, vector.values.shape)
    return vector.with_values(seconds).without_names()


def pi(call: Call) -> Floats:
    """The number pi."""
    return np.full(len(call.steps), np.pi)


def sort(call: Call) -> Vector:
    """Sort an instant query's samples by value, NaN last; a range query has its own order."""
    return _sorted(call, 1.0)


def sort_desc(call: Call) -> Vector:
    """Sort an instant query's samples by value, largest first, NaN last."""
    return _sorted(call, -1.0)


def sort_by_label(call: Call) -> Vector:
    """Sort an instant query's samples by labels, in which numbers are in the order of size."""
    return _sorted_by_labels(call, 1)


def sort_by_label_desc(call: Call) -> Vector:
    """Sort an instant query's samples by labels like `sort_by_label`, the last first."""
    return _sorted_by_labels(call, -1)


def unlabelled(values: Floats) -> Vector:
    """Return a vector of one sample without labels; `values` has one per step."""
    return Vector([{}], values[np.newaxis], np.ones((1, len(values)), np.bool_))


def _clamped(vector: Vector, low: Floats, high: Floats) -> Vector:
    # In Go's minimum and maximum, -Inf and +Inf count for more than NaN.
    values = np.minimum(high, vector.values)
    values = np.where((high == -np.inf) | (vector.values == -np.inf), -np.inf, values)
    values = np.where((low == np.inf) | (values == np.inf), np.inf, np.maximum(low, values))
    present = vector.present & ~(high < low)
    return vector.with_values(values, present).without_empty_rows().without_names()


def _absence(call: Call, found: Bools) -> Vector:
    absent = ~found[np.newaxis]
    labels = [_required(call.written[0])]
    return Vector(labels, np.ones(absent.shape), absent).without_empty_rows()


def _required(expression: Expression) -> Labels:
    """Return the labels that a selector requires to be equal to a value.

    Of several matchers of a label, an equality counts if it is the first equality and no other
    matcher follows (`createLabelsForAbsentFunction` of Prometheus).
    """
    expression = unwrapped(expression)
    if isinstance(expression, MatrixSelector):
        expression = expression.selector
    if not isinstance(expression, VectorSelector):
        return {}
    required: dict[str, str] = {}
    seen: set[str] = set()
    for one in expression.matchers:
        if one.name == NAME:
            continue
        first = one.operator is MatchOperator.EQUAL and one.name not in seen
        required[one.name] = one.value if first else ""
        if first:
            seen.add(one.name)
    return {name: value for name, value in sorted(required.items()) if value}


def _sorted(call: Call, direction: float) -> Vector:
    vector = call.vector(0)
    if len(call.steps) != 1:
        return vector
    # argsort puts NaN last.
    return vector.take(np.argsort(direction * vector.values[:, 0], kind="stable"))


def _sorted_by_labels(call: Call, direction: int) -> Vector:
    vector = call.vector(0)
    if len(call.steps) != 1:
        return vector
    names = [call.text(place) for place in range(1, len(call))]

    keys = [
        ([natural_key(labels.get(name, "")) for name in names], key(labels))
        for labels in vector.labels
    ]
    return vector.take(sorted(range(len(keys)), key=keys.__getitem__, reverse=direction < 0))
