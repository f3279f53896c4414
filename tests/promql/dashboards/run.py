"""Asks everything that a dashboard asks, with each choice of its variables."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tests.promql.dashboards.grafana import Grafana, Refusal
from tests.promql.dashboards.intervals import (
    SCRAPE_INTERVAL,
    TimeRange,
    duration_of,
    step_of,
    time_of,
)
from tests.promql.dashboards.model import Ask, Dashboard
from tests.promql.dashboards.templates import Values, interpolated
from tests.promql.dashboards.variables import Choice, Variables, built_in


class Report(Struct, frozen=True):
    """What became of a dashboard's requests.

    `answered` is how many queries of panels found something, `empty` says which found nothing.
    """

    title: str
    asked: int
    answered: int
    empty: Sequence[str]
    refusals: Sequence[Refusal]
    without_values: Sequence[str]


def report_on(dashboard: Dashboard, url: str, token: str, now: int) -> Report:
    """Ask the data source at `url` everything, as if it were `now` (ms)."""
    shown = TimeRange(time_of(dashboard.time_from, now), time_of(dashboard.time_to, now))
    with Grafana(url, token, uid=dashboard.uid) as grafana:
        grafana.connect()
        empty = []
        variables = Variables(dashboard, shown, grafana)
        for choice in Choice:
            grafana.purpose = f"variables, {choice.value}"
            values = variables.chosen(choice)
            for ask in dashboard.asks:
                grafana.purpose = f"{ask.panel}, {choice.value}"
                if not _ask(grafana, dashboard, ask, shown, values):
                    empty.append(f"{grafana.purpose}: {ask.expression}")
        return Report(
            dashboard.title,
            grafana.asked,
            len(Choice) * len(dashboard.asks) - len(empty),
            empty,
            grafana.refusals,
            sorted(set(variables.without_values)),
        )


def _ask(
    grafana: Grafana, dashboard: Dashboard, ask: Ask, shown: TimeRange, values: Values
) -> bool:
    """Send a query's requests; return whether any found something."""
    shown = _shown(ask, shown, values)
    interval = interpolated(ask.interval, values)
    shortest = SCRAPE_INTERVAL if "$" in ask.interval or not interval else duration_of(interval)
    step = step_of(shown, ask.points, shortest) * ask.factor
    expression = interpolated(ask.expression, {**values, **built_in(dashboard, shown, step)})
    found: list[object] = []
    if ask.range:
        found += grafana.query_range(expression, shown, step)
    if ask.instant:
        found += grafana.query(expression, shown.end)
    if ask.exemplar:
        grafana.query_exemplars(expression, shown)
    return bool(found)


def _shown(ask: Ask, shown: TimeRange, values: Values) -> TimeRange:
    start, end = shown.start, shown.end
    if ask.time_from:
        start = end - duration_of(interpolated(ask.time_from, values))
    if ask.time_shift:
        shift = duration_of(interpolated(ask.time_shift, values))
        start, end = start - shift, end - shift
    return TimeRange(start, end)
