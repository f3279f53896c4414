"""What clients need besides queries: checks of a connection, browsers, compression, empty lists."""

from __future__ import annotations

from typing import Any, cast

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from msgspec.structs import replace

from adapters.http.prometheus.api import PREFIXES
from adapters.http.prometheus.empty import EMPTY
from application.readiness import ReadinessReport
from application.reading.series import Owner
from tests.http.prometheus.conftest import ORGANIZATION, ROOT, TEAM, Asking, data_of, error_of

BASES = [path.removesuffix("/api/v1") for path in (ORGANIZATION, TEAM, ROOT)]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("check", ["/-/healthy", "/-/ready", "", "/"])
def test_a_connection_is_checked_with_its_token(
    asking: Asking,
    base: str,
    check: str,
) -> None:
    if not base and "-" not in check:
        return  # the root of the server is no address of a Prometheus' own
    answer = asking.get(base + check, asking.team_token if "teams" in base else None)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert asking.get(base + check, "cave_unknown").status_code == 403
    assert asking.service.call("GET", base + check).status_code == 401


def test_a_service_that_is_not_ready_says_so(asking: Asking) -> None:
    asking.service.readiness.answer = ReadinessReport(problems=("the log does not answer",))
    answer = asking.get(f"{BASES[0]}/-/ready")
    assert answer.status_code == 503
    assert "the log does not answer" in answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert asking.get(f"{BASES[0]}/-/healthy").status_code == 200


@pytest.mark.parametrize("path", EMPTY)
def test_what_the_service_does_not_have_is_empty(asking: Asking, path: str) -> None:
    for prefix in (ORGANIZATION, ROOT):
        assert data_of(asking.get(f"{prefix}/{path}")) == EMPTY[path]
    assert error_of(asking.get(f"{TEAM}/{path}", "cave_unknown"), 403)


def test_a_post_where_there_is_only_get_is_a_405(asking: Asking) -> None:
    """After which Grafana asks again with GET."""
    routed = cast("Litestar", asking.service.app.routed)
    only_get = [
        route.path
        for route in routed.routes
        if isinstance(route, HTTPRoute)
        and route.path.startswith(PREFIXES[0])
        and "POST" not in route.methods
    ]
    assert len(only_get) > 5
    for template in only_get:
        path = template.replace("{organization:str}", "gilt").replace("{name:str}", "host")
        answer = asking.post(path)
        assert answer.status_code == 405
        assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("prefix", [ORGANIZATION, TEAM, ROOT])
@pytest.mark.parametrize("path", ["query", "query_range", "labels", "label/host/values", "rules"])
def test_programs_in_browsers_may_ask_from_any_origin(
    asking: Asking,
    prefix: str,
    path: str,
) -> None:
    """The preflight has no token, and its answer names the method and the header of the token."""
    preflight = asking.service.call(
        "OPTIONS",
        f"{prefix}/{path}",
        headers={
            "Origin": "http://pages.test",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        },
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "GET" in preflight.headers["access-control-allow-methods"]
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    token = asking.team_token if prefix == TEAM else asking.token
    for found in (asking.get(f"{prefix}/{path}", token), asking.get(f"{prefix}/{path}", "x")):
        assert found.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in found.headers


def test_other_paths_are_closed_to_other_origins(asking: Asking) -> None:
    for path in ("/organizations/gilt/metrics", "/organizations/gilt/tokens", "/api/v1/write"):
        preflight = asking.service.call("OPTIONS", path, headers={"Origin": "http://pages.test"})
        assert "access-control-allow-origin" not in preflight.headers


def test_large_answers_are_compressed_for_clients_that_accept_it(
    asking: Asking,
) -> None:
    for number in range(200):
        labels = {"__name__": "many", "number": str(number)}
        asking.service.series.add(Owner("gilt"), labels, [(1000, 1.0)])

    def asked(accept: str) -> Any:
        return asking.service.call(
            "GET",
            f"{ORGANIZATION}/series",
            asking.token,
            headers={"Accept-Encoding": accept},
            params={"match[]": "many"},
        )

    packed, plain = asked("gzip"), asked("identity")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
    assert data_of(packed) == data_of(plain)
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


def test_answers_from_a_stopped_projection_have_the_time_of_its_last_event(
    asking: Asking,
) -> None:
    read_model = asking.service.read_model
    assert "cave-stale" not in asking.get(f"{ORGANIZATION}/query", query="up").headers
    generation = read_model.generations["points"]
    read_model.generations["points"] = replace(generation, stopped="the log is another one")
    for path, parameters in (("query", {"query": "up"}), ("labels", {})):
        assert asking.get(f"{ORGANIZATION}/{path}", **parameters).headers["cave-stale"]
