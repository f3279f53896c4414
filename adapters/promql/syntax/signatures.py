"""The types of expressions, and those of the arguments and results of functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from adapters.promql.syntax.tree import (
    Aggregation,
    Binary,
    Call,
    Expression,
    MatrixSelector,
    NumberLiteral,
    Parentheses,
    StringLiteral,
    Subquery,
    Unary,
)

Type: TypeAlias = Literal["instant vector", "range vector", "scalar", "string"]


class Signature(Struct, frozen=True):
    """A function's types. The last of `arguments` may be left out, or given `most` times in all.

    `most` is None for any number of times; `optional` says whether it may be left out.
    """

    arguments: tuple[Type, ...]
    result: Type = "instant vector"
    optional: bool = False
    most: int | None = 1


_VECTOR = Signature(("instant vector",))
_RANGE = Signature(("range vector",))

SIGNATURES: Mapping[str, Signature] = {
    **dict.fromkeys(
        (
            *("abs", "absent", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos"),
            *("cosh", "deg", "exp", "floor", "ln", "log10", "log2", "rad", "sgn", "sin", "sinh"),
            *("sort", "sort_desc", "sqrt", "tan", "tanh", "timestamp", "histogram_avg"),
            *("histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum"),
        ),
        _VECTOR,
    ),
    **dict.fromkeys(
        (
            *("absent_over_time", "avg_over_time", "changes", "count_over_time", "delta", "deriv"),
            *("first_over_time", "idelta", "increase", "irate", "last_over_time", "rate", "resets"),
            *("mad_over_time", "max_over_time", "min_over_time", "present_over_time"),
            *("stddev_over_time", "stdvar_over_time", "sum_over_time", "ts_of_first_over_time"),
            *("ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time"),
        ),
        _RANGE,
    ),
    **dict.fromkeys(
        (
            *("day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute"),
            *("month", "year"),
        ),
        Signature(("instant vector",), optional=True),
    ),
    "clamp": Signature(("instant vector", "scalar", "scalar")),
    "clamp_max": Signature(("instant vector", "scalar")),
    "clamp_min": Signature(("instant vector", "scalar")),
    "double_exponential_smoothing": Signature(("range vector", "scalar", "scalar")),
    "histogram_fraction": Signature(("scalar", "scalar", "instant vector")),
    "histogram_quantile": Signature(("scalar", "instant vector")),
    "label_join": Signature(
        ("instant vector", "string", "string", "string"), optional=True, most=None
    ),
    "label_replace": Signature(("instant vector", *("string",) * 4)),
    "pi": Signature((), "scalar"),
    "predict_linear": Signature(("range vector", "scalar")),
    "quantile_over_time": Signature(("scalar", "range vector")),
    "round": Signature(("instant vector", "scalar"), optional=True),
    "scalar": Signature(("instant vector",), "scalar"),
    "sort_by_label": Signature(("instant vector", "string"), optional=True, most=None),
    "sort_by_label_desc": Signature(("instant vector", "string"), optional=True, most=None),
    "time": Signature((), "scalar"),
    "vector": Signature(("scalar",)),
}


def type_of(node: Expression) -> Type:
    """Return an expression's type."""
    match node:
        case NumberLiteral():
            return "scalar"
        case StringLiteral():
            return "string"
        case MatrixSelector() | Subquery():
            return "range vector"
        case Parentheses() | Unary():
            return type_of(node.expression)
        case Binary():
            both = {type_of(node.left), type_of(node.right)}
            return "scalar" if both == {"scalar"} else "instant vector"
        case Call():
            return SIGNATURES[node.name].result
        case Aggregation():
            return "instant vector"
    return "instant vector"
