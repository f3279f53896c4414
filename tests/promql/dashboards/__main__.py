"""Asks a service what Grafana asks for dashboards: `python -m tests.promql.dashboards FILE…`.

The service has series that fit the dashboards. Exits with 1 if any request got an error.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.promql.dashboards.fitting import NOW, series_for
from tests.promql.dashboards.model import InvalidDashboard, dashboard_of
from tests.promql.dashboards.run import Report, report_on
from tests.promql.publishing import publish
from tests.service import Service, running


def main(*paths: str) -> int:
    """Print a line for each dashboard, and each error."""
    try:
        dashboards = [dashboard_of(Path(path)) for path in paths]
    except (OSError, InvalidDashboard) as error:
        print(error, file=sys.stderr)
        return 2
    failed = False
    # Not in a long path: there is a socket in it.
    with (
        tempfile.TemporaryDirectory(prefix="cave-") as directory,
        running(Service(Path(directory), ("--workers", "1"))) as service,
    ):
        for number, dashboard in enumerate(dashboards):
            organization = f"dashboard-{number}"
            token = service.register(organization, "publish", "read")
            series = series_for(dashboard)
            publish(service.url, organization, token, series)
            url = f"{service.url}/organizations/{organization}/prometheus"
            report = report_on(dashboard, url, token, NOW)
            failed |= bool(report.refusals)
            _print(report, len(series))
    return 1 if failed else 0


def _print(report: Report, series: int) -> None:
    print(
        f"{report.title}: {series} series, {report.asked} requests, {len(report.refusals)} errors, "
        f"{report.answered} queries answered, {len(report.empty)} empty"
    )
    if report.without_values:
        print(f"    variables without values: {', '.join(report.without_values)}")
    for refusal in report.refusals:
        print(f"    {refusal.purpose}: {refusal.path} {dict(refusal.parameters)}")
        print(f"        {refusal.status} {refusal.answer}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
