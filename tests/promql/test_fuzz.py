"""Generated expressions have the answers of a real Prometheus; `make fuzz` tries many more."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest

from tests.promql.comparison import Comparer, Comparison, Verdict
from tests.promql.generate import Expressions
from tests.promql.odd_series import odd_series
from tests.promql.prometheus import PrometheusMissing, prometheus_with

NUMBER = 300
SEED = 7
"""Always the same expressions here, so that a failure is due to a change."""


@pytest.fixture(scope="module")
def comparer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparer]:
    series = odd_series()
    try:
        with prometheus_with(series, tmp_path_factory.mktemp("prometheus")) as prometheus:
            yield Comparer(prometheus, series)
    except PrometheusMissing as error:
        pytest.skip(str(error))


def test_generated_expressions(comparer: Comparer) -> None:
    expressions = Expressions(random.Random(SEED))
    found = [comparer.compare(expressions.expression()) for _ in range(NUMBER)]
    assert not _different(found)
    equal = [one for one in found if one.verdict is Verdict.EQUAL]
    assert len(equal) > NUMBER / 3, "most expressions have no answer"


def test_damaged_expressions_have_the_same_errors(comparer: Comparer) -> None:
    expressions = Expressions(random.Random(SEED))
    found = [comparer.compare_text(expressions.damaged()) for _ in range(NUMBER)]
    assert not _different(found)
    refused = [one for one in found if one.verdict is Verdict.REFUSED]
    assert len(refused) > NUMBER / 3, "most expressions are valid, or refused for older rules"


def test_the_layout_of_generated_expressions(comparer: Comparer) -> None:
    expressions = Expressions(random.Random(SEED))
    found = [comparer.compare_text(expressions.expression()) for _ in range(NUMBER)]
    assert not _different(found)


def _different(found: Sequence[Comparison]) -> Sequence[Comparison]:
    return [one for one in found if one.verdict is Verdict.DIFFERENT]
