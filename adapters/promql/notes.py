"""Annotations of a result, with places in the text (`util/annotations` of Prometheus 3)."""

from __future__ import annotations

import numpy as np

from adapters.promql.numbers import general
from adapters.promql.syntax.errors import line_and_column
from adapters.promql.syntax.quoting import quoted
from adapters.promql.syntax.tree import Expression
from adapters.promql.vectors import Floats
from application.reading.annotations import Annotations

COUNTER_ENDINGS = ("_total", "_sum", "_count", "_bucket")


class Notes:
    """Annotates the result of the expression with this text; each node is the one to blame."""

    def __init__(self, text: str, annotations: Annotations) -> None:
        self._text = text
        self._annotations = annotations

    def bad_quantiles(self, q: Floats, node: Expression) -> None:
        """Warn of quantiles that are not between 0 and 1; `q` has one per step."""
        for value in np.unique(q[~((q >= 0) & (q <= 1))]).tolist():
            self._warn(f"quantile value should be between 0 and 1, got {general(value)}", node)

    def no_counter(self, name: str, node: Expression) -> None:
        """Inform if a metric that is treated as a counter is not named like one."""
        if name and not name.endswith(COUNTER_ENDINGS):
            self._inform(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
                + quoted(name),
                node,
            )

    def bad_bucket(self, name: str, bound: str, node: Expression) -> None:
        """Warn of a bucket whose bound is no number."""
        of_metric = f" for metric name {quoted(name)}" if name else ""
        self._warn(
            f'bucket label "le" is missing or has a malformed value of {quoted(bound)}{of_metric}',
            node,
        )

    def forced_monotonicity(self, node: Expression) -> None:
        """Inform that a histogram's cumulative counts fell."""
        self._inform(
            "input to histogram_quantile needed to be fixed for monotonicity (see "
            "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)",
            node,
        )

    def _warn(self, words: str, node: Expression) -> None:
        self._annotations.warn(f"PromQL warning: {words} ({self._place(node)})")

    def _inform(self, words: str, node: Expression) -> None:
        self._annotations.inform(f"PromQL info: {words} ({self._place(node)})")

    def _place(self, node: Expression) -> str:
        return line_and_column(self._text, node.start)
