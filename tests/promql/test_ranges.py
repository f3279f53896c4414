"""Functions of ranges, by the rules of Prometheus 3."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.promql.registry import FUNCTIONS
from tests.promql.evaluating import STALE, Evaluated

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        # 0 to 60 s every 10 s; the range (5, 65] holds 10 to 60 s, both ends are extrapolated.
        ("increase(grows[1m])", 50 * 60 / 50),
        ("rate(grows[1m])", 1),
        ("delta(grows[1m])", 60),
        ("irate(grows[1m])", 1),
        ("idelta(grows[1m])", 10),
        ("deriv(grows[1m])", 1),
        ("predict_linear(grows[1m], 100)", 1000 + 65 + 100),
        ("resets(restarts[1m])", 1),
        ("changes(restarts[1m])", 5),
        # 3, 4, 5, 1, 2, 3: up by 2, to 1 after a restart, and up by 2; extrapolated by a fifth.
        ("increase(restarts[1m])", (2 + 1 + 2) * 60 / 50),
        ("irate(restarts[1m] offset 20s)", 1 / 10),
        ("avg_over_time(restarts[1m])", 3),
        ("sum_over_time(restarts[1m])", 18),
        ("min_over_time(restarts[1m])", 1),
        ("max_over_time(restarts[1m])", 5),
        ("count_over_time(restarts[1m])", 6),
        ("first_over_time(restarts[1m])", 3),
        ("last_over_time(restarts[1m])", 3),
        ("present_over_time(restarts[1m])", 1),
        ("ts_of_first_over_time(restarts[1m])", 10),
        ("ts_of_last_over_time(restarts[1m])", 60),
        ("stdvar_over_time(restarts[1m])", 10 / 6),
        ("stddev_over_time(restarts[1m])", math.sqrt(10 / 6)),
        ("quantile_over_time(0.5, restarts[1m])", 3),
        ("quantile_over_time(0.9, restarts[1m])", 4.5),
        ("quantile_over_time(2, restarts[1m])", INF),
        ("mad_over_time(restarts[1m])", 1),
    ],
)
def test_known_results(expression: str, value: float) -> None:
    evaluated = Evaluated(
        {"grows": range(1000, 1070, 10), "restarts": [2, 3, 4, 5, 1, 2, 3]},
    )
    assert evaluated.value(expression, 65) == pytest.approx(value, rel=1e-12)


def test_a_rate_needs_two_samples() -> None:
    evaluated = Evaluated({"up": range(100)})
    for name in ("rate", "increase", "delta", "irate", "idelta", "deriv"):
        assert evaluated.vector(f"{name}(up[10s])", 65) == {}
        assert len(evaluated.vector(f"{name}(up[20s])", 65)) == 1


def test_a_rate_is_extrapolated_by_half_an_interval_if_samples_begin_or_end_within() -> None:
    evaluated = Evaluated({"up": [(at, 1000 + at) for at in range(100, 160, 10)]})
    assert evaluated.value("increase(up[2m])", 200) == pytest.approx(5 + 50 + 5)


def test_a_counter_is_not_extrapolated_below_zero() -> None:
    evaluated = Evaluated({"up": [(at, at - 100 + 2) for at in range(100, 160, 10)]})
    assert evaluated.value("increase(up[55s])", 150) == pytest.approx(2 + 50)
    assert evaluated.value("delta(up[55s])", 150) == pytest.approx(5 + 50)


def test_zero_limits_the_extrapolation_by_half_an_interval_too() -> None:
    """Versions before 3 compared the distance to zero with the threshold instead."""
    evaluated = Evaluated({"up": [(at, at - 100 + 8) for at in range(100, 160, 10)]})
    assert evaluated.value("increase(up[100s])", 150) == pytest.approx(5 + 50)


def test_sums_are_compensated() -> None:
    evaluated = Evaluated({"up": [1e100, 1, -1e100, 1]})
    assert evaluated.value("sum_over_time(up[1m])", 30) == 2
    assert evaluated.value("avg_over_time(up[1m])", 30) == 0.5


def test_an_average_does_not_overflow() -> None:
    evaluated = Evaluated({"large": [1.5e308, 1.5e308], "mixed": [INF, 1], "both": [INF, -INF]})
    assert evaluated.value("avg_over_time(large[1m])", 30) == pytest.approx(1.5e308)
    assert evaluated.value("sum_over_time(large[1m])", 30) == INF
    assert evaluated.value("avg_over_time(mixed[1m])", 30) == INF
    assert math.isnan(evaluated.value("avg_over_time(both[1m])", 30))


def test_extremes_ignore_nan_unless_there_is_nothing_else() -> None:
    evaluated = Evaluated({"some": [NAN, 2, NAN, 1], "none": [NAN, NAN]})
    assert evaluated.value("min_over_time(some[1m])", 30) == 1
    assert evaluated.value("max_over_time(some[1m])", 30) == 2
    assert math.isnan(evaluated.value("max_over_time(none[1m])", 30))


def test_from_nan_to_nan_is_no_change() -> None:
    evaluated = Evaluated({"up": [1, NAN, NAN, 2, 2]})
    assert evaluated.value("changes(up[1m])", 40) == 2


def test_a_constant_has_no_slope() -> None:
    evaluated = Evaluated({"flat": [1e20, 1e20, 1e20], "infinite": [INF, INF]})
    assert evaluated.value("deriv(flat[1m])", 30) == 0
    assert evaluated.value("predict_linear(flat[1m], 9)", 30) == 1e20
    assert math.isnan(evaluated.value("deriv(infinite[1m])", 30))


@pytest.mark.parametrize("name", ["first_over_time", "last_over_time"])
def test_first_and_last_keep_the_name(name: str) -> None:
    assert list(Evaluated({"up": [1]}).vector(f"{name}(up[1m])")) == ["up"]


Window = Sequence[tuple[float, float]]


def _rate(window: Window, start: float, end: float) -> float | None:
    if len(window) < 2:
        return None
    (first_time, first), (last_time, last) = window[0], window[-1]
    increase = last - first
    for (_, before), (_, after) in itertools.pairwise(window):
        increase += before if after < before else 0
    sampled = last_time - first_time
    interval = sampled / (len(window) - 1)
    before, after = first_time - start, end - last_time
    before = interval / 2 if before >= interval * 1.1 else before
    if increase > 0 and first >= 0:
        before = min(before, sampled * (first / increase))
    after = interval / 2 if after >= interval * 1.1 else after
    return increase * (sampled + before + after) / sampled / (end - start)


def _values(compute: Callable[[list[float]], float]) -> Callable[..., float | None]:
    return lambda window, start, end: compute([one for _, one in window]) if window else None


def _extreme(values: list[float], better: Callable[[list[float]], float]) -> float:
    known = [one for one in values if not math.isnan(one)]
    return better(known) if known else NAN


READABLE: dict[str, Callable[..., float | None]] = {
    "rate": _rate,
    "sum_over_time": _values(math.fsum),
    "avg_over_time": _values(lambda values: math.fsum(values) / len(values)),
    "count_over_time": _values(len),
    "max_over_time": _values(lambda values: _extreme(values, max)),
    "min_over_time": _values(lambda values: _extreme(values, min)),
    "stdvar_over_time": _values(np.var),
    "last_over_time": _values(lambda values: values[-1]),
    "resets": _values(lambda values: sum(b < a for a, b in itertools.pairwise(values))),
    "changes": _values(lambda values: sum(b != a for a, b in itertools.pairwise(values))),
}

GAPS = st.lists(st.integers(1, 40), max_size=60)


@given(
    name=st.sampled_from(sorted(READABLE)),
    series=st.lists(GAPS, min_size=1, max_size=3),
    width=st.integers(1, 90),
    step=st.integers(1, 70),
    seed=st.integers(0, 1000),
)
def test_the_windows_of_all_steps_are_computed_as_one_by_one(
    name: str, series: list[list[int]], width: int, step: int, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    samples = {}
    for number, gaps in enumerate(series):
        times = np.cumsum(gaps).tolist()
        values = chance.integers(-3, 9, len(times)).tolist()
        samples[f'x{{n="{number}"}}'] = list(zip(times, map(float, values), strict=True))
    found = Evaluated(samples).range(f"{name}(x[{width}s])", 0, 600, step)
    for number, one in enumerate(samples.values()):
        expected = {}
        for end in range(0, 601, step):
            window = [(at, value) for at, value in one if end - width < at <= end]
            result = READABLE[name](window, end - width, end)
            if result is not None:
                expected[float(end)] = result
        labels = f'{"x" if name == "last_over_time" else ""}{{n="{number}"}}'
        assert found.get(labels, {}) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_stale_marker_is_never_a_sample_of_a_range() -> None:
    evaluated = Evaluated({"up": [(10, 1), (20, STALE)]})
    scalars = {"predict_linear": ", 1", "quantile_over_time": ""}
    for name in FUNCTIONS:
        if name.endswith("_over_time") and name not in {"absent_over_time", *scalars}:
            assert evaluated.vector(f"{name}(up[5s])", 21) == {}
