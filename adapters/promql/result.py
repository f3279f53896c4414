"""Answers, from the values of an expression."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from adapters.promql.functions import unlabelled
from adapters.promql.labels import Labels, key
from adapters.promql.vectors import Bools, Floats, Integers, SampleRows, Steps, Value, Vector
from application.reading.promql import (
    InstantResult,
    InstantSample,
    InstantVector,
    Matrix,
    MatrixSeries,
    Scalar,
    String,
)


def instant_result(value: Value, steps: Steps) -> InstantResult:
    """Return the answer to an instant query, which has one step."""
    time = int(steps.times[0])
    if isinstance(value, str):
        return String(time, value)
    if isinstance(value, Vector):
        rows = np.flatnonzero(value.present[:, 0]).tolist()
        samples = [InstantSample(value.labels[row], float(value.values[row, 0])) for row in rows]
        return InstantVector(time, samples)
    if isinstance(value, SampleRows):
        return Matrix(_sorted(_ranges(value)))
    return Scalar(time, float(value[0]))


def range_result(value: Value, steps: Steps) -> Matrix:
    """Return the answer to a range query, from a vector or a scalar."""
    if isinstance(value, str | SampleRows):
        raise TypeError("a range query has neither strings nor range vectors")
    vector = value if isinstance(value, Vector) else unlabelled(value)
    return Matrix(_sorted(_rows(vector.without_empty_rows(), steps.times)))


def _rows(vector: Vector, times: Integers) -> Iterator[MatrixSeries]:
    for labels, values, present in zip(vector.labels, vector.values, vector.present, strict=True):
        yield _series(labels, times, values, present)


def _ranges(rows: SampleRows) -> Iterator[MatrixSeries]:
    end = rows.ends[0]
    for row, labels in enumerate(rows.labels):
        times, values = rows.of(row)
        inside = (times > end - rows.width) & (times <= end)
        if inside.any():
            yield _series(labels, times, values, inside)


def _series(labels: Labels, times: Integers, values: Floats, present: Bools) -> MatrixSeries:
    if not present.all():
        times, values = times[present], values[present]
    return MatrixSeries(labels, np.ascontiguousarray(times).data, np.ascontiguousarray(values).data)


def _sorted(series: Iterator[MatrixSeries]) -> list[MatrixSeries]:
    return sorted(series, key=lambda one: key(one.labels))
