"""Warnings and infos about results, worded and placed as Prometheus 3 does."""

from __future__ import annotations

import pytest

from application.reading.annotations import Annotations
from application.reading.query_budget import QueryBudget, QueryLimits
from tests.promql.evaluating import OWNER, Evaluated

SERIES = {
    "requests": [1, 2, 3],
    "requests_total": [1, 2, 3],
    'h_bucket{le="1"}': [5, 5, 5],
    'h_bucket{le="2"}': [3, 3, 3],
    'h_bucket{le="+Inf"}': [9, 9, 9],
    'h_bucket{le="much"}': [9, 9, 9],
    "h_bucket": [9, 9, 9],
}
QUANTILE = "PromQL warning: quantile value should be between 0 and 1, got "
COUNTER = (
    "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
)
BUCKET = 'PromQL warning: bucket label "le" is missing or has a malformed value of '
MONOTONIC = (
    "PromQL info: input to histogram_quantile needed to be fixed for monotonicity "
    "(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
)


@pytest.mark.parametrize(
    ("expression", "warnings", "infos"),
    [
        ("rate(requests_total[1m])", [], []),
        ("1 + rate(requests[1m])", [], [f'{COUNTER}"requests" (1:10)']),
        ("\n increase(\n  requests[1m])", [], [f'{COUNTER}"requests" (3:3)']),
        ("rate((requests + 0)[1m:10s])", [], []),
        ("rate(requests[1m:10s])", [], [f'{COUNTER}"requests" (1:6)']),
        ("rate(requests[1s])", [], []),
        ("delta(requests[1m])", [], []),
        ("quantile(0.5, requests)", [], []),
        ("quantile(1.5, requests)", [f"{QUANTILE}1.5 (1:10)"], []),
        ("quantile(NaN, requests)", [f"{QUANTILE}NaN (1:10)"], []),
        ("quantile(-Inf, none)", [f"{QUANTILE}-Inf (1:10)"], []),
        ("quantile(Inf, none)", [f"{QUANTILE}+Inf (1:10)"], []),
        ("quantile_over_time(-1, requests[1m])", [f"{QUANTILE}-1 (1:20)"], []),
        ("quantile_over_time(-1, none[1m])", [], []),
        (
            'histogram_quantile(2, h_bucket{le=~"1|[+]Inf"})',
            [f"{QUANTILE}2 (1:20)"],
            [],
        ),
        ('histogram_quantile(NaN, h_bucket{le=~"[^m]+"})', [f"{QUANTILE}NaN (1:20)"], []),
        (
            "histogram_quantile(0.5, h_bucket)",
            [
                f'{BUCKET}"" for metric name "h_bucket" (1:25)',
                f'{BUCKET}"much" for metric name "h_bucket" (1:25)',
            ],
            [f"{MONOTONIC} (1:25)"],
        ),
        (
            'histogram_fraction(0, 1, sum by (le) (h_bucket{le!~"much|2"}))',
            [f'{BUCKET}"" (1:26)'],
            [],
        ),
    ],
)
def test_annotations(expression: str, warnings: list[str], infos: list[str]) -> None:
    found = _annotations(expression)
    assert sorted(found.warnings) == sorted(warnings)
    assert found.infos == infos


def test_each_is_given_once_and_ten_at_most() -> None:
    found = _annotations(" + ".join(["scalar(rate(requests[1m]))"] * 3))
    assert len(found.infos) == 3, "places differ"
    found = _annotations("+".join(f"quantile(1{number}, none)" for number in range(12)))
    assert len(found.warnings) == 11
    assert found.warnings[10] == "2 more warning annotations omitted"
    series = {f"requests_{number}": [1, 2, 3] for number in range(11)}
    found = _annotations(" or ".join(f"rate({name}[1m])" for name in series), series)
    assert found.infos[10] == "1 more info annotations omitted"


def _annotations(expression: str, series: object = None) -> Annotations:
    evaluated = Evaluated(SERIES if series is None else series)  # type: ignore[arg-type]
    found = Annotations()
    evaluated.engine.instant(
        OWNER, expression, 20_000, QueryBudget(QueryLimits()), annotations=found
    )
    return found
