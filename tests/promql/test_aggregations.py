"""Aggregations: one series of each group, or some of its series."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.promql.quantiles import quantile
from adapters.promql.summation import grouped_sum
from application.reading.promql_errors import ExecutionFailed
from tests.promql.evaluating import Evaluated

NAN, INF = math.nan, math.inf

SHOPS = Evaluated(
    {
        'sold{shop="a", fruit="apple"}': [1],
        'sold{shop="a", fruit="pear"}': [3],
        'sold{shop="b", fruit="apple"}': [8],
    }
)


@pytest.mark.parametrize(
    ("operator", "a", "b"),
    [
        ("sum", 4, 8),
        ("avg", 2, 8),
        ("min", 1, 8),
        ("max", 3, 8),
        ("count", 2, 1),
        ("group", 1, 1),
        ("stdvar", 1, 0),
        ("stddev", 1, 0),
    ],
)
def test_known_results(operator: str, a: float, b: float) -> None:
    assert SHOPS.vector(f"{operator} by (shop) (sold)") == {'{shop="a"}': a, '{shop="b"}': b}


def test_groups_are_formed_by_labels_or_without_them() -> None:
    assert SHOPS.vector("sum(sold)") == {"": 12}
    assert SHOPS.vector("sum by () (sold)") == {"": 12}
    assert SHOPS.vector("sum by (shop, nothing) (sold)") == {'{shop="a"}': 4, '{shop="b"}': 8}
    assert SHOPS.vector("sum without (fruit) (sold)") == {'{shop="a"}': 4, '{shop="b"}': 8}
    assert len(SHOPS.vector("sum without () (sold)")) == 3
    assert SHOPS.vector("sum by (__name__) (sold)") == {"sold": 12}
    assert SHOPS.vector("sum(nothing)") == {}


def test_quantiles_are_interpolated() -> None:
    assert SHOPS.value("quantile(0.75, sold)") == 5.5
    assert SHOPS.value("quantile(-1, sold)") == -INF
    assert SHOPS.value("quantile(2, sold)") == INF
    assert math.isnan(SHOPS.value("quantile(NaN, sold)"))


def test_the_best_keep_their_labels_and_are_sorted() -> None:
    assert list(SHOPS.vector("topk(2, sold)").values()) == [8, 3]
    assert list(SHOPS.vector("bottomk(2, sold)").values()) == [1, 3]
    assert SHOPS.vector("topk by (fruit) (1, sold)") == {
        'sold{fruit="apple",shop="b"}': 8,
        'sold{fruit="pear",shop="a"}': 3,
    }
    assert SHOPS.vector("topk(0, sold)") == {}
    assert len(SHOPS.vector("topk(1e9, sold)")) == 3


def test_the_best_are_chosen_at_each_step() -> None:
    evaluated = Evaluated({'x{a="1"}': [1, 9], 'x{a="2"}': [2, 2]})
    assert evaluated.range("topk(1, x)", 0, 10, 10) == {'x{a="1"}': {10: 9}, 'x{a="2"}': {0: 2}}


def test_nan_is_never_better() -> None:
    evaluated = Evaluated({'x{a="1"}': [NAN], 'x{a="2"}': [-INF], 'x{a="3"}': [INF]})
    assert list(evaluated.vector("topk(2, x)")) == ['x{a="3"}', 'x{a="2"}']
    assert list(evaluated.vector("bottomk(2, x)")) == ['x{a="2"}', 'x{a="3"}']
    assert evaluated.value("max(x)") == INF
    assert evaluated.value("min(x)") == -INF


def test_values_are_counted_as_labels() -> None:
    evaluated = Evaluated(
        {f'x{{a="{place}"}}': [value] for place, value in enumerate((1, 1, 1e21, 0.5, NAN, -INF))}
    )
    assert evaluated.vector('count_values("value", x)') == {
        '{value="1"}': 2,
        '{value="1000000000000000000000"}': 1,
        '{value="0.5"}': 1,
        '{value="NaN"}': 1,
        '{value="-Inf"}': 1,
    }
    assert SHOPS.vector('count_values without (fruit) ("shop", sold)') == {
        '{shop="1"}': 1,
        '{shop="3"}': 1,
        '{shop="8"}': 1,
    }


def test_sums_are_compensated_and_averages_do_not_overflow() -> None:
    evaluated = Evaluated(
        {
            **{f'x{{a="{n}"}}': [value] for n, value in enumerate((1e100, 1, -1e100, 1))},
            **{f'large{{a="{n}"}}': [1.5e308] for n in range(3)},
        }
    )
    assert evaluated.value("sum(x)") == 2
    assert evaluated.value("avg(x)") == 0.5
    assert evaluated.value("sum(large)") == INF
    assert evaluated.value("avg(large)") == pytest.approx(1.5e308)


def test_only_what_is_present_at_a_step_counts() -> None:
    evaluated = Evaluated({'x{a="1"}': [1, 1], 'x{a="2"}': [(10, 5)]})
    assert evaluated.range("sum(x)", 0, 10, 10) == {"": {0: 1, 10: 6}}
    assert evaluated.range("count(x)", 0, 10, 10) == {"": {0: 1, 10: 2}}
    assert evaluated.range("avg(x)", 0, 10, 10) == {"": {0: 1, 10: 3}}
    assert evaluated.range("min(x)", 0, 10, 10) == {"": {0: 1, 10: 1}}
    assert evaluated.range("quantile(0.5, x)", 0, 10, 10) == {"": {0: 1, 10: 3}}
    assert evaluated.range("stddev(x)", 0, 10, 10) == {"": {0: 0, 10: 2}}


FLOATS = st.floats(-1e12, 1e12)


@given(groups=st.lists(st.lists(FLOATS, min_size=1, max_size=9), min_size=1, max_size=5))
def test_groups_are_summed_as_exactly_as_floats_allow(groups: list[list[float]]) -> None:
    starts = np.cumsum([0, *map(len, groups)])[:-1]
    terms = np.array([[one] for group in groups for one in group])
    found = grouped_sum(terms, starts).result()[:, 0]
    assert found.tolist() == pytest.approx([math.fsum(one) for one in groups], rel=1e-15, abs=1e-15)


@given(
    q=st.floats(0, 1),
    values=st.lists(st.floats(-1e6, 1e6) | st.just(NAN), min_size=1, max_size=9),
    seed=st.integers(0, 99),
)
def test_quantiles_are_those_of_the_sorted_values(q: float, values: list[float], seed: int) -> None:
    chance = np.random.default_rng(seed)
    present = chance.random(len(values)) < 0.7
    found = quantile(np.array([q]), np.array(values)[:, np.newaxis], present[:, np.newaxis])
    chosen = [one for one, here in zip(values, present, strict=True) if here]
    ordered = sorted(chosen, key=lambda one: (not math.isnan(one), one))
    if not ordered:
        assert math.isnan(found[0])
        return
    rank = q * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    expected = ordered[low] * (1 - (rank - low)) + ordered[high] * (rank - low)
    assert found[0] == pytest.approx(expected, nan_ok=True, abs=1e-9)


def test_values_are_counted_by_their_texts() -> None:
    other_nan = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000123))[0]
    values = {"a": 0.0, "b": -0.0, "c": -0.0, "d": math.nan, "e": other_nan, "f": 1e21}
    evaluated = Evaluated({f'x{{n="{name}"}}': [value] for name, value in values.items()})
    assert evaluated.vector('count_values("v", x)') == {
        '{v="0"}': 1,
        '{v="-0"}': 2,
        '{v="NaN"}': 2,
        '{v="1000000000000000000000"}': 1,
    }


def test_limitk_keeps_some_series_of_each_group() -> None:
    evaluated = Evaluated({f'x{{a="{number % 2}",b="{number}"}}': [1] for number in range(6)})
    assert len(evaluated.vector("limitk(2, x)")) == 2
    assert len(evaluated.vector("limitk(2, x) by (a)")) == 4
    assert len(evaluated.vector("limitk by (a) (9, x)")) == 6
    assert evaluated.vector("limitk(0, x)") == evaluated.vector("limitk(-Inf, x)") == {}
    with pytest.raises(ExecutionFailed, match="Parameter value is NaN"):
        evaluated.vector("limitk(NaN, x)")
