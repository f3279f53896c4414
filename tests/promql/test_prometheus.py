"""The answers to our own expressions are those of a real Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.promql.registry import AGGREGATIONS, FUNCTIONS
from tests.promql.compare import expressions_of, series_for
from tests.promql.comparison import Comparer, Verdict
from tests.promql.prometheus import PrometheusMissing, prometheus_with

EXPRESSIONS = expressions_of(Path(__file__).with_name("expressions.txt"))

NEWER = {name for name in FUNCTIONS if name.startswith(("sort_by_label", "ts_of_"))}
NEWER |= {"first_over_time", "mad_over_time", "limitk"}
"""Functions and aggregations that Debian's Prometheus does not have."""

NATIVE = {name for name in FUNCTIONS if name.startswith("histogram_")} - {"histogram_quantile"}


@pytest.fixture(scope="module")
def comparer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparer]:
    series = series_for(EXPRESSIONS)
    try:
        with prometheus_with(series, tmp_path_factory.mktemp("prometheus")) as prometheus:
            yield Comparer(prometheus, series)
    except PrometheusMissing as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_both_answer_alike(comparer: Comparer, expression: str) -> None:
    found = comparer.compare(expression)
    assert found.verdict is not Verdict.DIFFERENT, found.details


def test_there_is_an_expression_for_every_function_and_aggregation() -> None:
    text = "\n".join(EXPRESSIONS)
    missing = {name for name in AGGREGATIONS | set(FUNCTIONS) if f"{name}(" not in text}
    missing -= {name for name in AGGREGATIONS if f"{name} by" in text or f"{name} without" in text}
    assert missing <= NEWER | NATIVE
