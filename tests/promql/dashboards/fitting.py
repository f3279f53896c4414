"""Series that fit a dashboard: its variables have values, and its queries find something."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from adapters.promql import syntax
from adapters.promql.syntax.printer import in_one_line
from tests.promql.dashboards.intervals import TimeRange
from tests.promql.dashboards.model import Dashboard
from tests.promql.dashboards.templates import Chosen, Values, interpolated
from tests.promql.dashboards.variables import built_in, query_text
from tests.promql.samples import DURATION, START, SampleSeries
from tests.promql.synthetic import fitting_series, selectors_in

NOW = START + DURATION
"""When the dashboards are looked at, in ms."""

VALUE = "v1"
"""Of each label that a variable is about."""

_label_values = re.compile(r"label_values\((.+),\s*([a-zA-Z_]\w*)\)\s*\Z", re.DOTALL).match
_query_result = re.compile(r"query_result\((.+)\)\s*\Z", re.DOTALL).match
_label_in_pattern = re.compile(r"([a-zA-Z_]\w*)=\\?\"").search


def series_for(dashboard: Dashboard) -> Sequence[SampleSeries]:
    """Return series for all queries, those of variables too."""
    values = _placeholders(dashboard)
    queries = [interpolated(ask.expression, values) for ask in dashboard.asks]
    queries += _of_variables(dashboard, values)
    return fitting_series(queries)


def _placeholders(dashboard: Dashboard) -> Values:
    values = built_in(dashboard, TimeRange(START, NOW), 60_000)
    for variable in dashboard.variables:
        text = query_text(variable)
        if variable["type"] in ("custom", "interval"):
            text = text.split(",")[0].split(" : ")[-1].strip()
        values[variable["name"]] = Chosen([VALUE if variable["type"] == "query" else text])
    return values


def _of_variables(dashboard: Dashboard, values: Values) -> Iterator[str]:
    """Yield selectors of the series from which variables take their values."""
    for variable in dashboard.variables:
        query = interpolated(query_text(variable), values)
        if variable["type"] != "query" or query.startswith(("label_names", "metrics")):
            continue
        if found := _label_values(query):
            yield from _selectors(found[1], found[2])
        elif not query.startswith("label_values"):
            found = _query_result(query)
            label = _label_in_pattern(variable.get("regex") or "")
            yield from _selectors(found[1] if found else query, label[1] if label else "")


def _selectors(expression: str, label: str) -> Iterator[str]:
    """Yield the selectors of an expression, with a value of the label."""
    for selector in selectors_in(syntax.parse(expression)):
        text = in_one_line(replace(selector, offset=0, at=None))
        if not label:
            yield text
        elif text.endswith("}"):
            yield f'{text[:-1]}, {label}="{VALUE}"}}'
        else:
            yield f'{text}{{{label}="{VALUE}"}}'
