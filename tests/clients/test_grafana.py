"""What Grafana asks for a dashboard is answered.

Grafana itself cannot be had as a package, so its requests are made here (tests/promql/dashboards).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from tests.clients.account import Account
from tests.promql.dashboards.fitting import NOW
from tests.promql.dashboards.grafana import Grafana
from tests.promql.dashboards.model import InvalidDashboard, dashboard_of
from tests.promql.dashboards.run import report_on
from tests.promql.publishing import publish
from tests.promql.samples import SampleSeries, counter, gauge
from tests.service import Service

EXAMPLE = Path(__file__).parents[1] / "promql" / "dashboards" / "example.json"


def shop() -> Iterator[SampleSeries]:
    """Yield the series of the example, whose hosts have names that regular expressions escape."""
    for number, (job, host) in enumerate(product(("vans", "carts"), ("a.b", "c+d"))):
        labels = {"job": job, "host": host}
        for status in ("200", "500"):
            name = "shop_requests_total"
            yield counter({"__name__": name, **labels, "status": status}, number * 3)
        for scale, bound in enumerate(("0.1", "1", "+Inf"), 1):
            bucket = {"__name__": "shop_latency_seconds_bucket", **labels, "le": bound}
            yield counter(bucket, number * 3, scale)
        build = gauge({"__name__": "shop_build_info", **labels, "version": f"1.{number}"}, 0)
        yield SampleSeries(build.labels, build.times, [1.0] * len(build.times))
        yield gauge({"__name__": "shop_start_seconds", **labels}, number)
        yield gauge({"__name__": "shop_temperature_celsius", **labels}, number)


@pytest.fixture(scope="module")
def account(service: Service) -> Account:
    account = Account(service)
    publish(service.url, account.name, account.token, [*shop()])
    return account


def test_a_dashboard_with_every_kind_of_variable_and_panel(account: Account) -> None:
    report = report_on(dashboard_of(EXAMPLE), account.url("prometheus"), account.token, NOW)
    assert report.refusals == []
    assert report.without_values == ["none"]
    assert report.empty == []
    assert report.asked > 60


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_data_source_may_be_set_to_either_method(account: Account, method: str) -> None:
    with Grafana(account.url("prometheus"), account.token, method=method) as grafana:
        grafana.connect()
        assert grafana.refusals == []
        assert grafana.query("1+1", 4_000) == ["2"]


def test_errors_are_reported(account: Account, tmp_path: Path) -> None:
    """So that a dashboard without errors means something."""
    text = EXAMPLE.read_text().replace("topk(2, ", "topc(2, ").replace("count(count by", "count(by")
    (tmp_path / "wrong.json").write_text(text)
    dashboard = dashboard_of(tmp_path / "wrong.json")
    report = report_on(dashboard, account.url("prometheus"), account.token, NOW)
    assert {refusal.purpose.partition(",")[0] for refusal in report.refusals} == {
        "variables",
        "Now",
    }
    assert {refusal.status for refusal in report.refusals} == {400}


@pytest.mark.parametrize("text", ["", "[", "{}", '{"spec": {}}'])
def test_what_is_no_dashboard_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(InvalidDashboard, match=r"other\.json"):
        dashboard_of(tmp_path / "other.json")
