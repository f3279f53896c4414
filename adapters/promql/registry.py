"""The functions and aggregations that exist, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from adapters.promql import functions, histograms, over_time, rates, regression
from adapters.promql.aggregate import REDUCTIONS
from adapters.promql.calls import Call, Function
from adapters.promql.dates import DATE_FUNCTIONS
from adapters.promql.functions import elementwise
from adapters.promql.label_functions import label_join, label_replace
from adapters.promql.vectors import Floats, Vector
from adapters.promql.windows import WindowFunction, over
from application.reading.promql_errors import ExecutionFailed
from application.reading.series import NAME

AGGREGATIONS = {*REDUCTIONS, "quantile", "topk", "bottomk", "limitk", "count_values"}


def _of_range(compute: WindowFunction, *, keep_name: bool = False) -> Function:
    """Return the function of a range vector, its only argument."""

    def function(call: Call) -> Vector:
        found = over(call.rows(0), call.steps.times, compute, call.budget)
        return found if keep_name else _bare(found)

    return function


def _of_counter(compute: WindowFunction) -> Function:
    """Return the function of a range vector of counters, its only argument."""

    def function(call: Call) -> Vector:
        found = over(call.rows(0), call.steps.times, compute, call.budget)
        for name in {labels.get(NAME, "") for labels in found.labels}:
            call.notes.no_counter(name, call.written[0])
        return _bare(found)

    return function


def _predict_linear(call: Call) -> Vector:
    seconds = call.scalar(1)
    found = over(
        call.rows(0),
        call.steps.times,
        lambda windows: regression.predict_linear(windows, seconds),
        call.budget,
    )
    return _bare(found)


def _quantile_over_time(call: Call) -> Vector:
    q = call.scalar(0)
    found = over(
        call.rows(1),
        call.steps.times,
        lambda windows: over_time.quantile_over_time(windows, q),
        call.budget,
    )
    call.notes.bad_quantiles(q[found.present.any(axis=0)], call.written[0])
    return _bare(found)


def _double_exponential_smoothing(call: Call) -> Vector:
    level, trend = call.scalar(1), call.scalar(2)
    regression.check_factors(level, trend)
    found = over(
        call.rows(0),
        call.steps.times,
        lambda windows: regression.double_exponential_smoothing(windows, level, trend),
        call.budget,
    )
    return _bare(found)


def _bare(vector: Vector) -> Vector:
    """Drop the names. Unlike elsewhere, series with equal labels fail even at different steps."""
    bare = vector.without_names()
    if len(bare) < len(vector):
        raise ExecutionFailed("vector cannot contain metrics with the same labelset")
    return bare


_ELEMENTWISE: Mapping[str, Callable[[Floats], Floats]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": functions.cosh,
    "deg": lambda values: values * 180 / np.pi,
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "rad": lambda values: values * np.pi / 180,
    "sgn": functions.sign,
    "sin": np.sin,
    "sinh": functions.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}

FUNCTIONS: Mapping[str, Function] = {
    **{
        function.__name__: _of_range(function)
        for function in (
            rates.delta,
            rates.irate,
            rates.idelta,
            rates.changes,
            rates.resets,
            regression.deriv,
            over_time.avg_over_time,
            over_time.count_over_time,
            over_time.mad_over_time,
            over_time.max_over_time,
            over_time.min_over_time,
            over_time.present_over_time,
            over_time.stddev_over_time,
            over_time.stdvar_over_time,
            over_time.sum_over_time,
            over_time.ts_of_first_over_time,
            over_time.ts_of_last_over_time,
            over_time.ts_of_max_over_time,
            over_time.ts_of_min_over_time,
        )
    },
    "increase": _of_counter(rates.increase),
    "rate": _of_counter(rates.rate),
    "first_over_time": _of_range(over_time.first_over_time, keep_name=True),
    "last_over_time": _of_range(over_time.last_over_time, keep_name=True),
    "predict_linear": _predict_linear,
    "quantile_over_time": _quantile_over_time,
    "absent": functions.absent,
    "absent_over_time": functions.absent_over_time,
    "clamp": functions.clamp,
    "clamp_max": functions.clamp_max,
    "clamp_min": functions.clamp_min,
    "pi": functions.pi,
    "round": functions.rounded,
    "scalar": functions.scalar,
    "double_exponential_smoothing": _double_exponential_smoothing,
    "sort": functions.sort,
    "sort_by_label": functions.sort_by_label,
    "sort_by_label_desc": functions.sort_by_label_desc,
    "sort_desc": functions.sort_desc,
    "time": functions.time,
    "timestamp": functions.timestamp,
    "vector": functions.vector,
    "label_join": label_join,
    "label_replace": label_replace,
    "histogram_fraction": histograms.histogram_fraction,
    "histogram_quantile": histograms.histogram_quantile,
    **dict.fromkeys(
        (
            "histogram_avg",
            "histogram_count",
            "histogram_stddev",
            "histogram_stdvar",
            "histogram_sum",
        ),
        histograms.of_native_histograms,
    ),
    **DATE_FUNCTIONS,
    **{name: elementwise(compute) for name, compute in _ELEMENTWISE.items()},
}
