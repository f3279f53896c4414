"""Compares random expressions with Prometheus: `python -m tests.promql.fuzz --help`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.promql.comparison import Comparer, Verdict
from tests.promql.generate import Expressions
from tests.promql.odd_series import odd_series
from tests.promql.prometheus import prometheus_with


def main() -> int:
    """Print what differs, and how many expressions there are of each verdict."""
    parser = argparse.ArgumentParser(description="Compare random expressions with Prometheus.")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--count", type=int, default=5000, help="expressions, default 5000")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    expressions = Expressions(random.Random(arguments.seed))
    series = odd_series()
    verdicts: Counter[Verdict] = Counter()
    with (
        tempfile.TemporaryDirectory() as directory,
        prometheus_with(series, Path(directory)) as prometheus,
    ):
        comparer = Comparer(prometheus, series)
        for number in range(arguments.count):
            if number % 3 == 2:
                found = comparer.compare_text(expressions.damaged())
            else:
                found = comparer.compare(expressions.expression())
            verdicts[found.verdict] += 1
            if found.verdict is Verdict.DIFFERENT:
                print(f"{found.expression}\n    {found.details}", flush=True)
    for verdict in Verdict:
        print(f"{verdict.value}: {verdicts[verdict]}")
    return 1 if verdicts[Verdict.DIFFERENT] else 0


if __name__ == "__main__":
    sys.exit(main())
