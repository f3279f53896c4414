"""Functions of instant vectors and scalars."""

from __future__ import annotations

import math

import pytest

from application.reading.promql import Scalar
from application.reading.promql_errors import ExecutionFailed
from tests.promql.evaluating import STALE, Evaluated

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("abs(x)", (2.5, 0, 2.5, 7)),
        ("ceil(x)", (-2, 0, 3, 7)),
        ("floor(x)", (-3, 0, 2, 7)),
        ("round(x)", (-2, 0, 3, 7)),
        ("round(x, 5)", (0, 0, 5, 5)),
        ("sgn(x)", (-1, 0, 1, 1)),
        ("clamp(x, -1, 5)", (-1, 0, 2.5, 5)),
        ("clamp_min(x, 1)", (1, 1, 2.5, 7)),
        ("clamp_max(x, 1)", (-2.5, 0, 1, 1)),
        ("exp(x)", tuple(map(math.exp, (-2.5, 0, 2.5, 7)))),
        ("sqrt(abs(x))", tuple(map(math.sqrt, (2.5, 0, 2.5, 7)))),
        ("ln(x + 3)", tuple(map(math.log, (0.5, 3, 5.5, 10)))),
        ("log2(x + 3)", tuple(map(math.log2, (0.5, 3, 5.5, 10)))),
        ("log10(x + 3)", tuple(map(math.log10, (0.5, 3, 5.5, 10)))),
        ("deg(rad(x))", (-2.5, 0, 2.5, 7)),
        ("sin(x)", tuple(map(math.sin, (-2.5, 0, 2.5, 7)))),
        ("atanh(x / 8)", tuple(math.atanh(one / 8) for one in (-2.5, 0, 2.5, 7))),
    ],
)
def test_values_change_and_the_name_goes(expression: str, values: tuple[float, ...]) -> None:
    evaluated = Evaluated(
        {f'x{{n="{place}"}}': [value] for place, value in enumerate((-2.5, 0, 2.5, 7))}
    )
    found = evaluated.vector(expression)
    assert list(found) == [f'{{n="{place}"}}' for place in range(4)]
    assert list(found.values()) == pytest.approx(list(values))


def test_clamping_to_nothing_and_to_nan() -> None:
    evaluated = Evaluated({"x": [1]})
    assert evaluated.vector("clamp(x, 2, 1)") == {}
    assert math.isnan(evaluated.value("clamp(x, NaN, 1)"))


def test_absent_has_the_labels_that_a_selector_requires() -> None:
    evaluated = Evaluated({'x{a="1"}': [1]})
    assert evaluated.vector("absent(x)") == {}
    assert evaluated.vector('absent(y{a="1", b=~"2", c!="3", d="4", d="5"})') == {'{a="1"}': 1}
    assert evaluated.vector('absent(sum(y{a="1"}))') == {"": 1}
    assert evaluated.vector('absent_over_time(y{a="1"}[5m])') == {'{a="1"}': 1}
    assert evaluated.range("absent(x)", 280, 320, 20) == {"": {300: 1, 320: 1}}
    assert evaluated.range("absent_over_time(x[1m])", 40, 80, 20) == {"": {60: 1, 80: 1}}


def test_scalar_and_vector() -> None:
    evaluated = Evaluated({"x": [3], 'y{a="1"}': [1], 'y{a="2"}': [1]})
    assert evaluated.instant("scalar(x)") == Scalar(0, 3)
    assert math.isnan(evaluated.value("scalar(y)"))
    assert math.isnan(evaluated.value("scalar(nothing)"))
    assert evaluated.vector("vector(scalar(x))") == {"": 3}


def test_times() -> None:
    evaluated = Evaluated({"x": [(10.5, 1), (15, STALE)], "y": [(10.5, 1)]})
    assert evaluated.value("time()", 12.25) == 12.25
    assert evaluated.value("pi()") == math.pi
    assert evaluated.vector("timestamp(y)", 20) == {"": 10.5}
    assert evaluated.vector("timestamp((y))", 20) == {"": 10.5}
    assert evaluated.vector("timestamp(y offset 5s)", 20) == {"": 10.5}
    assert evaluated.vector("timestamp(y + 0)", 20) == {"": 20}
    assert evaluated.vector("timestamp(x)", 20) == {}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("minute", (53, 59, 0, 30)),
        ("hour", (23, 23, 0, 15)),
        ("day_of_week", (5, 3, 4, 0)),
        ("day_of_month", (13, 31, 1, 4)),
        ("day_of_year", (44, 366, 1, 339)),
        ("days_in_month", (28, 31, 31, 31)),
        ("month", (2, 12, 1, 12)),
        ("year", (2009, 2008, 1970, 292277026596)),
    ],
)
def test_dates(name: str, values: tuple[int, ...]) -> None:
    """1234569190 is 2009-02-13 23:53:10, a Friday; 1230767999.9 is the last second of 2008.

    The last second of 64 bits is that of NaN and of numbers that are too large, as in Prometheus.
    """
    moments = (1234569190, 1230767999.9, 0)
    for moment, value in zip(moments, values, strict=False):
        assert Evaluated({}).value(f"{name}(vector({moment}))") == value
        assert Evaluated({}).value(f"{name}()", moment) == value
    for odd in ("NaN", "Inf", "-Inf", "1e300"):
        assert Evaluated({}).value(f"{name}(vector({odd}))") == values[-1]


def test_sorting_instant_vectors_puts_nan_last() -> None:
    evaluated = Evaluated({f'x{{n="{v}"}}': [v] for v in (2.0, NAN, INF, 1.0, -INF)})
    for expression, reverse in (("sort(x)", False), ("sort_desc(x)", True)):
        values = list(evaluated.vector(expression).values())
        assert values[:4] == sorted((2.0, INF, 1.0, -INF), reverse=reverse)
        assert math.isnan(values[4])


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("$1", "ab"),
        ("${1}x", "abx"),
        ("$1x", ""),
        ("${rest}-$rest", "12-12"),
        ("$3", ""),
        ("$$1", "$1"),
        ("a$", "a$"),
    ],
)
def test_label_replace_expands_groups(template: str, value: str) -> None:
    evaluated = Evaluated({'x{a="ab12"}': [1]})
    (labels,) = evaluated.vector(
        f'label_replace(x, "b", "{template}", "a", "([a-z]+)(?P<rest>.*)")'
    )
    assert labels == ('x{a="ab12",b="' + value + '"}' if value else 'x{a="ab12"}')


def test_label_replace_needs_a_match_of_the_whole_value() -> None:
    evaluated = Evaluated({'x{a="ab"}': [1]})
    assert list(evaluated.vector('label_replace(x, "a", "y", "a", "a")')) == ['x{a="ab"}']
    assert list(evaluated.vector('label_replace(x, "a", "", "a", "ab")')) == ["x"]
    assert list(evaluated.vector('label_replace(x, "b", "none", "missing", "")')) == [
        'x{a="ab",b="none"}'
    ]
    assert list(evaluated.vector('label_replace(x, "__name__", "y", "", "")')) == ['y{a="ab"}']


def test_label_join() -> None:
    evaluated = Evaluated({'x{a="1", b="2"}': [1]})
    joined = evaluated.vector('label_join(x, "c", "-", "a", "none", "b")')
    assert list(joined) == ['x{a="1",b="2",c="1--2"}']
    assert list(evaluated.vector('label_join(x, "a", "-")')) == ['x{b="2"}']


@pytest.mark.parametrize(
    "expression",
    [
        'label_replace(x, "", "", "a", "")',
        'label_replace(x, "b", "", "a", "(")',
        'label_join(x, "", "-", "a")',
        'label_join(x, "b", "-", "")',
    ],
)
def test_invalid_labels_are_errors(expression: str) -> None:
    with pytest.raises(ExecutionFailed, match="invalid"):
        Evaluated({"x": [1]}).vector(expression)


def _histogram(*counts: float, bounds: tuple[str, ...] = ("1", "2", "4", "+Inf")) -> Evaluated:
    return Evaluated(
        {f'x_bucket{{le="{one}"}}': [n] for one, n in zip(bounds, counts, strict=True)}
    )


@pytest.mark.parametrize(
    ("q", "value"),
    [
        (0, 0),
        (0.1, 0.5),
        (0.2, 1),
        (0.5, 1.75),
        (0.8, 3),
        (0.95, 4),
        (1, 4),
        (-0.1, -INF),
        (1.1, INF),
    ],
)
def test_quantiles_are_interpolated_within_buckets(q: float, value: float) -> None:
    evaluated = _histogram(2, 6, 10, 10)
    if q == 0.95:
        evaluated = _histogram(2, 6, 9, 10)
    assert evaluated.value(f"histogram_quantile({q}, x_bucket)") == pytest.approx(value)


def test_odd_histograms() -> None:
    def median(evaluated: Evaluated) -> float:
        return evaluated.value("histogram_quantile(0.5, x_bucket)")

    assert math.isnan(median(_histogram(0, 0, 0, 0)))
    assert math.isnan(median(_histogram(5, bounds=("+Inf",))))
    assert math.isnan(median(_histogram(5, 6, bounds=("1", "2"))))
    assert median(_histogram(8, 9, 10, bounds=("-3", "1", "+Inf"))) == -3
    # Counts never decrease: 6, 6, 6, 10.
    assert median(_histogram(6, 5, 4, 10)) == pytest.approx(5 / 6)
    # Bounds that are equal but written differently are one bucket.
    assert median(_histogram(1, 3, 4, bounds=("1", "1.0", "+Inf"))) == pytest.approx(0.5)
    assert Evaluated({"x": [1], 'x{le="x"}': [1]}).vector("histogram_quantile(0.5, x)") == {}


def test_each_step_has_its_own_buckets() -> None:
    evaluated = Evaluated(
        {
            'x{le="1"}': [2, 2],
            'x{le="2"}': [4, STALE],
            'x{le="4"}': [6, 6],
            'x{le="+Inf"}': [6, 6],
        }
    )
    found = evaluated.range("histogram_quantile(0.5, x)", 0, 10, 10)
    assert found == {"": {0: 1.5, 10: 1.75}}


@pytest.mark.parametrize(
    ("low", "high", "value"),
    [
        ("0", "1", 0.2),
        ("1", "2", 0.4),
        ("0.5", "3", 0.65),
        ("-Inf", "+Inf", 1),
        ("2", "1", 0),
        ("-5", "0", 0),
        ("4", "100", 0),
        ("4", "+Inf", 0.1),
        ("NaN", "1", NAN),
    ],
)
def test_fractions_of_histograms(low: str, high: str, value: float) -> None:
    found = _histogram(2, 6, 9, 10).value(f"histogram_fraction({low}, {high}, x_bucket)")
    assert found == pytest.approx(value, nan_ok=True)


def test_functions_of_native_histograms_ignore_numbers() -> None:
    for name in ("avg", "count", "stddev", "stdvar", "sum"):
        assert Evaluated({"x": [1]}).vector(f"histogram_{name}(x)") == {}


def test_functions_of_ranges_refuse_equal_labels_even_at_different_times() -> None:
    evaluated = Evaluated({"x": [(0, 1), (10, 2)], "y": [(1000, 3), (1010, 4)]})
    expression = 'deriv({__name__=~"x|y"}[1m])'
    with pytest.raises(ExecutionFailed, match="same labelset"):
        evaluated.range(expression, 0, 1020, 10)
    assert evaluated.range('abs({__name__=~"x|y"})', 0, 1020, 10)[""][1010] == 4


def test_smoothing() -> None:
    evaluated = Evaluated({"x": [1, 3, 2, 8]})
    found = evaluated.value("double_exponential_smoothing(x[1m], 0.5, 0.25)", 30)
    level, before, trend = 1.0, 0.0, 2.0
    for place, value in enumerate((3, 2, 8)):
        trend = trend if place == 0 else 0.25 * (level - before) + 0.75 * trend
        level, before = 0.5 * value + 0.5 * (level + trend), level
    assert found == pytest.approx(level)


def test_sorting_by_labels_knows_numbers() -> None:
    names = ("a2", "a10", "a1b", "b")
    evaluated = Evaluated({f'x{{n="{name}"}}': [1] for name in names})
    ordered = [f'x{{n="{name}"}}' for name in ("a1b", "a2", "a10", "b")]
    assert list(evaluated.vector("sort_by_label(x, 'n')")) == ordered
    assert list(evaluated.vector("sort_by_label_desc(x, 'm', 'n')")) == ordered[::-1]


def test_times_of_extremes_are_those_of_the_last() -> None:
    evaluated = Evaluated({"x": [NAN, 3, 1, 3, 1, 2]})
    assert evaluated.value("ts_of_max_over_time(x[2m])", 60) == 30
    assert evaluated.value("ts_of_min_over_time(x[2m])", 60) == 40


def test_a_subquery_without_steps_is_empty() -> None:
    evaluated = Evaluated({"x": [1, 2, 3]})
    assert evaluated.vector("max_over_time(x[5s:1m])", 20) == {}
    assert evaluated.vector("absent_over_time(x[5s:1m])", 20) == {"": 1}
