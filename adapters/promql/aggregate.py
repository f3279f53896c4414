"""Aggregations: operators that make one series of each group, or keep some of its series."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from adapters.promql.grouping import Clause, Groups
from adapters.promql.labels import Labels, changed, key
from adapters.promql.numbers import general, plain
from adapters.promql.quantiles import quantile
from adapters.promql.summation import CompensatedSum, grouped_sum
from adapters.promql.vectors import Bools, Floats, Integers, Vector
from application.reading.promql_errors import ExecutionFailed

Reduction = Callable[[Vector, Groups], Floats]


def total(vector: Vector, groups: Groups) -> Floats:
    """`sum`: the sum of the values."""
    return _sums(vector, groups).result()


def average(vector: Vector, groups: Groups) -> Floats:
    """`avg`: the average of the values, also where their sum would overflow."""
    sums = _sums(vector, groups)
    number = np.maximum(count(vector, groups), 1)
    found = sums.average(number)
    if not np.isfinite(sums.sum).all():
        shares = vector.with_values(vector.values / number[groups.of_row])
        found = np.where(np.isfinite(sums.sum), found, total(shares, groups))
    return found


def count(vector: Vector, groups: Groups) -> Floats:
    """`count`: the number of series."""
    order, starts = groups.ordered()
    return np.add.reduceat(vector.present[order], starts, axis=0, dtype=np.float64)


def one(vector: Vector, groups: Groups) -> Floats:
    """`group`: 1."""
    return np.ones((len(groups), vector.values.shape[1]))


def smallest(vector: Vector, groups: Groups) -> Floats:
    """`min`: the smallest value; NaN only if there is no other."""
    return _extreme(vector, groups, np.fmin)


def largest(vector: Vector, groups: Groups) -> Floats:
    """`max`: the largest value; NaN only if there is no other."""
    return _extreme(vector, groups, np.fmax)


def variance(vector: Vector, groups: Groups) -> Floats:
    """`stdvar`: the population variance of the values, by Welford's method."""
    shape = (len(groups), vector.values.shape[1])
    mean, squares, number = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for places, rows in groups.turns():
        here, value = vector.present[rows], vector.values[rows]
        number[places] += here
        delta = value - mean[places]
        mean[places] += np.where(here, delta / np.maximum(number[places], 1), 0.0)
        squares[places] += np.where(here, delta * (value - mean[places]), 0.0)
    return squares / np.maximum(number, 1)


def deviation(vector: Vector, groups: Groups) -> Floats:
    """`stddev`: the population standard deviation of the values."""
    return np.sqrt(variance(vector, groups))


REDUCTIONS: Mapping[str, Reduction] = {
    "sum": total,
    "avg": average,
    "count": count,
    "group": one,
    "min": smallest,
    "max": largest,
    "stddev": deviation,
    "stdvar": variance,
}


def reduced(operator: str, vector: Vector, clause: Clause) -> Vector:
    """Return the group's values by an operator of REDUCTIONS."""
    groups = Groups.by_clause(vector, clause)
    if not len(groups):
        return Vector.empty(vector.values.shape[1])
    return Vector(groups.labels, REDUCTIONS[operator](vector, groups), _present(vector, groups))


def quantiles(q: Floats, vector: Vector, clause: Clause) -> Vector:
    """`quantile`: the q-quantile of the values of each group; `q` has a value per step."""
    groups = Groups.by_clause(vector, clause)
    if not len(groups):
        return Vector.empty(vector.values.shape[1])
    values = np.stack(
        [quantile(q, vector.values[one], vector.present[one]) for one in groups.rows()]
    )
    return Vector(groups.labels, values, _present(vector, groups))


def best(number: Floats, vector: Vector, clause: Clause, *, largest: bool) -> Vector:
    """`topk` and `bottomk`: the series with the most extreme values of each group and step.

    `number` has their number per step. NaN is the least extreme value; of equal values the first
    ones are kept. All labels are kept. At a single step, the series of a group are sorted by value.
    """
    _check_number(number)
    wanted = np.trunc(number)
    keys = -vector.values if largest else vector.values
    present = np.zeros_like(vector.present)
    sequence: list[Integers] = []
    for rows in Groups.by_clause(vector, clause).rows():
        here, extreme = vector.present[rows], keys[rows]
        order = np.lexsort((extreme, np.isnan(extreme), ~here), axis=0)
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(len(rows))[:, np.newaxis], axis=0)
        present[rows] = here & (rank < wanted)
        sequence.append(rows[order[:, 0]] if len(number) == 1 else rows)
    if not sequence:
        return vector
    chosen = vector.with_values(vector.values, present).take(np.concatenate(sequence))
    return chosen.without_empty_rows()


def first(number: Floats, vector: Vector, clause: Clause) -> Vector:
    """`limitk`: some series of each group and step; here the first by labels.

    `number` has their number per step.
    """
    _check_number(number)
    present = np.zeros_like(vector.present)
    for rows in Groups.by_clause(vector, clause).rows():
        here = vector.present[rows]
        present[rows] = here & (np.cumsum(here, axis=0) <= np.trunc(number))
    return vector.with_values(vector.values, present).without_empty_rows()


def _check_number(number: Floats) -> None:
    """Raise ExecutionFailed if a number of series is none; small ones may be anything."""
    if np.max(number, initial=-np.inf) < 1:
        return
    if np.isnan(number).any():
        raise ExecutionFailed("Parameter value is NaN")
    if number.min() <= -(2.0**63):
        raise ExecutionFailed(f"Scalar value {general(number.min())} underflows int64")
    if number.max() >= 2.0**63:
        raise ExecutionFailed(f"Scalar value {general(number.max())} overflows int64")


def value_counts(label: str, vector: Vector, clause: Clause) -> Vector:
    """`count_values`: how many series of a group have each value, which becomes a label."""
    if not label:
        raise ExecutionFailed('invalid label name ""')
    places: dict[object, int] = {}
    labels: list[Labels] = []
    counts: list[Floats] = []
    clause = clause if clause.without else Clause({*clause.names, label}, without=False)
    for row, own in enumerate(vector.labels):
        here, values = vector.present[row], vector.values[row]
        # By their bits, as 0 and -0 are different texts. All NaN have the same one.
        bits: Integers = np.ascontiguousarray(values).view(np.int64)
        for number in np.unique(bits[here]):
            text = plain(float(number.view(np.float64)))
            group = clause.apply(changed(own, {label: text}))
            place = places.setdefault(key(group), len(places))
            if place == len(labels):
                labels.append(group)
                counts.append(np.zeros(len(here)))
            counts[place] += here & (bits == number)
    if not labels:
        return Vector.empty(vector.values.shape[1])
    values = np.stack(counts)
    return Vector(labels, values, values > 0)


def _present(vector: Vector, groups: Groups) -> Bools:
    order, starts = groups.ordered()
    return np.logical_or.reduceat(vector.present[order], starts, axis=0)


def _sums(vector: Vector, groups: Groups) -> CompensatedSum:
    order, starts = groups.ordered()
    terms = np.where(vector.present, vector.values, 0.0)
    return grouped_sum(terms[order], starts)


def _extreme(vector: Vector, groups: Groups, better: np.ufunc) -> Floats:
    order, starts = groups.ordered()
    values = np.where(vector.present, vector.values, np.nan)[order]
    found: Floats = better.reduceat(values, starts, axis=0)
    return found
