"""Subqueries: an expression's values at steps of its own, as a range vector."""

from __future__ import annotations

import numpy as np

from adapters.promql.select import shifted
from adapters.promql.syntax.tree import Subquery
from adapters.promql.vectors import Integers, SampleRows, Steps, Vector
from application.reading.query_budget import QueryBudget

DEFAULT_STEP = 60_000
"""The step of a subquery that names none, in ms: Prometheus' default evaluation interval."""


def inner_steps(subquery: Subquery, steps: Steps, budget: QueryBudget) -> Steps:
    """Return the steps of the inner expression: multiples of its step since the epoch."""
    ends = shifted(steps, subquery.offset, subquery.at)
    step = DEFAULT_STEP if subquery.step is None else max(1, subquery.step)
    # The first multiple after the earliest range's open end.
    first = ((int(ends.min()) - subquery.range) // step + 1) * step
    last = int(ends.max())
    budget.check_memory(max(0, (last - first) // step + 1) * 8)
    return Steps(np.arange(first, last + 1, step, dtype=np.int64), steps.start, steps.end)


def as_samples(
    subquery: Subquery,
    steps: Steps,
    inner: Steps,
    found: Vector,
    budget: QueryBudget,
) -> SampleRows:
    """Return the values at the inner steps as samples of a range vector."""
    budget.take_samples(int(found.present.sum()))
    times: list[Integers] = []
    values = []
    for row, here in enumerate(found.present):
        whole = here.all()
        times.append(inner.times if whole else inner.times[here])
        values.append(found.values[row] if whole else found.values[row][here])
    ends = shifted(steps, subquery.offset, subquery.at)
    return SampleRows(found.labels, times, values, ends, subquery.range)
