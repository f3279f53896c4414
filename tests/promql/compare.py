"""Compares a file of expressions with Prometheus: `python -m tests.promql.compare FILE`.

The file has an expression per line, or in its last column if there are tabs; lines that start with
`#` are comments. Exits with 1 if any answer differs.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.promql.comparison import Comparer, Verdict
from tests.promql.demo import demo_series
from tests.promql.prometheus import prometheus_with
from tests.promql.samples import SampleSeries
from tests.promql.synthetic import fitting_series


def expressions_of(path: Path) -> Sequence[str]:
    """Return the expressions of a file, each once."""
    lines = (line.strip() for line in path.read_text().splitlines())
    expressions = (line.split("\t")[-1].strip() for line in lines if not line.startswith("#"))
    return list(dict.fromkeys(filter(None, expressions)))


def series_for(expressions: Sequence[str]) -> Sequence[SampleSeries]:
    """Return the series of the demo, and others that fit the expressions."""
    demo = demo_series()
    names = {one.labels["__name__"] for one in demo}
    fitting = fitting_series(expressions)
    return [*demo, *(one for one in fitting if one.labels["__name__"] not in names)]


def main(path: str) -> int:
    """Print what differs, and how many expressions there are of each verdict."""
    expressions = expressions_of(Path(path))
    series = series_for(expressions)
    print(f"{len(expressions)} expressions, {len(series)} series")
    verdicts: Counter[Verdict] = Counter()
    with (
        tempfile.TemporaryDirectory() as directory,
        prometheus_with(series, Path(directory)) as prometheus,
    ):
        comparer = Comparer(prometheus, series)
        for expression in expressions:
            found = comparer.compare(expression)
            verdicts[found.verdict] += 1
            if found.verdict is not Verdict.EQUAL:
                print(f"{found.verdict.value}: {found.expression}\n    {found.details}")
    for verdict in Verdict:
        print(f"{verdict.value}: {verdicts[verdict]}")
    return 1 if verdicts[Verdict.DIFFERENT] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
