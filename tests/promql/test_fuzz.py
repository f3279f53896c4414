"""Generated expressions have the answers of a real Prometheus; `make fuzz` tries many more."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.promql.comparison import Comparer, Verdict
from tests.promql.generate import Expressions
from tests.promql.odd_series import odd_series
from tests.promql.prometheus import PrometheusMissing, prometheus_with

NUMBER = 300


def test_generated_expressions(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    expressions = Expressions(random.Random(seed))
    series = odd_series()
    try:
        with prometheus_with(series, tmp_path) as prometheus:
            comparer = Comparer(prometheus, series)
            found = [comparer.compare(expressions.expression()) for _ in range(NUMBER)]
    except PrometheusMissing as error:
        pytest.skip(str(error))
    different = [one for one in found if one.verdict is Verdict.DIFFERENT]
    assert not different, f"seed {seed}: {different}"
    equal = [one for one in found if one.verdict is Verdict.EQUAL]
    assert len(equal) > NUMBER / 3, "most expressions have no answer"
