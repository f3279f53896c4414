"""Subqueries: an expression's values at steps of its own, as a range vector."""

from __future__ import annotations

import numpy as np

from adapters.promql.select import shifted
from adapters.promql.syntax.tree import Subquery
from adapters.promql.vectors import SampleRows, Steps, Vector
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
    counts = found.present.sum(axis=1)
    starts = np.concatenate(([0], np.cumsum(counts)))
    budget.take_samples(int(starts[-1]))
    times = inner.times[found.present.nonzero()[1]]
    ends = shifted(steps, subquery.offset, subquery.at)
    values = found.values[found.present]
    return SampleRows(found.labels, times, values, starts, ends, subquery.range)
