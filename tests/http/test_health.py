"""An organization's health: its points, its partition of the log, and the projections."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from adapters.http.api.views import HealthView
from application.errors import LogUnavailable
from application.event_log.partitioning import partition_of
from application.organizations.set_limits import SetLimits
from application.projections.folds import PROJECTIONS
from domain.limits import OrganizationLimits
from tests.contracts.active_series import admit
from tests.contracts.metric_log import published
from tests.http.conftest import Service, problem_of
from tests.http.test_openapi import conforms

PATH = "/organizations/gilt/health"


def shown(service: Service, token: str) -> dict[str, Any]:
    """Return the health of gilt, with everything counted until now."""
    asyncio.run(service.use_cases.usage_recorder.record())
    answer = service.call("GET", PATH, token)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    found: dict[str, Any] = answer.json()
    assert conforms(found, {"$ref": "#/components/schemas/HealthView"})
    msgspec.convert(found, HealthView)
    return found


def test_projections_lag_behind_the_organizations_own_partition(service: Service) -> None:
    token = service.register("gilt", "read")
    partitions = service.log.partitions()
    elsewhere = next(
        name
        for name in map(str, range(100))
        if partition_of(name, partitions) != partition_of("gilt", partitions)
    )
    asyncio.run(service.log.append(published(elsewhere)))
    asyncio.run(service.log.append(published("gilt")))
    asyncio.run(service.log.append(published("gilt")))
    service.now += timedelta(seconds=90)
    found = shown(service, token)
    late = {"state": "live", "reason": None, "lag_events": 2, "lag_seconds": 90.0}
    assert found["projections"] == [{"name": known.name, **late} for known in PROJECTIONS]
    [tier] = found["log"]
    assert (tier["tier"], tier["events"]) == ("server", 2)
    assert tier["bytes"] > 0


def test_the_quota_is_shown_if_there_is_one(service: Service) -> None:
    token = service.register("gilt", "read")
    assert shown(service, token)["quota"] is None
    limits = OrganizationLimits(points_per_second=50.5, burst=200)
    service.manage.set_limits(SetLimits(organization="gilt", limits=limits))
    assert shown(service, token)["quota"] == {"points_per_second": 50.5, "burst": 200.0}


def test_active_series_are_shown_if_they_are_limited(service: Service) -> None:
    token = service.register("gilt", "read")
    assert shown(service, token)["series"] is None
    limits = OrganizationLimits(series=5)
    service.manage.set_limits(SetLimits(organization="gilt", limits=limits))
    assert shown(service, token)["series"] == {"active": 0, "limit": 5}
    admit(service.active_series, range(3))
    assert shown(service, token)["series"] == {"active": 3, "limit": 5}


def test_a_stopped_projection_says_why(service: Service) -> None:
    token = service.register("gilt", "read")
    live = service.read_model.generations
    live["points"] = msgspec.structs.replace(live["points"], stopped="the log is another")
    del live["metric_names"]
    states = {p["name"]: (p["state"], p["reason"]) for p in shown(service, token)["projections"]}
    assert states["points"] == ("stopped", "the log is another")
    assert states["metric_names"] == ("missing", None)


def test_what_is_not_known_is_null(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    token = service.register("gilt", "read")

    def failing(partition: int) -> int:
        raise LogUnavailable("the log is away")

    monkeypatch.setattr(service.log, "extent", failing)
    found = shown(service, token)
    assert (found["projections"], found["log"]) == (None, None)
    assert len(found["minutes"]) == 61


def test_it_needs_a_token_of_the_organization_with_the_scope_read(service: Service) -> None:
    admin = service.register("gilt")
    service.create_team("gilt", "web")
    team = service.issue("gilt", "read", team="web")
    other = service.register("other", "read")
    problem_of(service.call("GET", PATH), 401, "missing-credentials")
    for token, words in ((admin, "lacks the scope read"), (team, "'web' only"), (other, "unknown")):
        assert words in problem_of(service.call("GET", PATH, token), 403, "forbidden")["detail"]
    problem_of(
        service.call("GET", "/organizations/none/health", admin), 404, "unknown-organization"
    )


def test_without_its_log_server_the_answer_is_a_503(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = service.register("gilt", "read")

    def failing(*_: object) -> None:
        raise LogUnavailable("the log is away")

    monkeypatch.setattr("adapters.memory.usage.MemoryUsageStore.points", failing)
    problem_of(service.call("GET", PATH, token), 503, "log-unavailable")


def test_tokens_show_their_last_use(service: Service) -> None:
    admin = service.register("gilt")
    service.create_team("gilt", "web")
    reader = service.issue("gilt", "read")
    team = service.issue("gilt", "admin", team="web")
    service.call("GET", PATH, reader)
    asyncio.run(service.use_cases.usage_recorder.record())
    used = service.now
    service.now += timedelta(hours=3, milliseconds=1)

    def last_uses(path: str, token: str) -> dict[str, str | None]:
        answer = service.call("GET", path, token)
        assert answer.status_code == 200, answer.text
        assert conforms(answer.json(), {"$ref": "#/components/schemas/TokensView"})
        return {each["id"]: each["last_used_at"] for each in answer.json()["tokens"]}

    tokens = "/organizations/gilt/tokens"
    at = used.isoformat().replace("+00:00", "Z")
    assert last_uses(tokens, admin) == {"id1": None, "id2": at}
    asyncio.run(service.use_cases.usage_recorder.record())
    now = service.now.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    assert last_uses(tokens, admin) == {"id1": now, "id2": at}
    assert last_uses(f"{tokens}?teams=true", admin) == {"id1": now, "id2": at, "id3": None}
    assert last_uses(f"{tokens}?teams=false", admin).keys() == {"id1", "id2"}
    assert last_uses("/organizations/gilt/teams/web/tokens", team) == {"id3": None}
    assert service.call("GET", f"{tokens}/id2", admin).json()["last_used_at"] == at
    service.call("DELETE", f"{tokens}/id2", admin)
    assert service.call("GET", f"{tokens}/id2", admin).json()["last_used_at"] is None


@pytest.mark.parametrize("query", ["teams=yes", "teams=true&teams=true", "team=web"])
def test_a_list_of_tokens_takes_no_other_parameters(service: Service, query: str) -> None:
    admin = service.register("gilt")
    answer = service.call("GET", f"/organizations/gilt/tokens?{query}", admin)
    problem_of(answer, 400, "invalid-parameters")
