from __future__ import annotations

import pytest

from tests.http.conftest import Service, problem_of

TEAMS = "/organizations/gilt/teams"


@pytest.fixture
def admin(service: Service) -> str:
    return service.register("gilt")


def test_a_team_is_created_listed_and_shown(service: Service, admin: str) -> None:
    response = service.call("POST", TEAMS, admin, json={"name": "web"})
    team = {"name": "web", "created_at": "2026-11-01T12:00:00Z"}
    assert (response.status_code, response.json()) == (201, team)
    assert response.headers["location"] == f"{TEAMS}/web"
    service.create_team("gilt", "ads")
    listed = service.call("GET", TEAMS, admin)
    assert [found["name"] for found in listed.json()["teams"]] == ["ads", "web"]
    assert service.call("GET", f"{TEAMS}/web", admin).json() == team


def test_a_byte_order_mark_before_the_json_is_ignored(service: Service, admin: str) -> None:
    body = b'\xef\xbb\xbf{"name": "web"}'
    json = {"Content-Type": "application/json"}
    response = service.call("POST", TEAMS, admin, content=body, headers=json)
    assert response.status_code == 201


def test_a_name_is_taken_once(service: Service, admin: str) -> None:
    service.create_team("gilt", "web")
    problem_of(service.call("POST", TEAMS, admin, json={"name": "web"}), 409, "team-exists")


def test_an_invalid_name_is_reported_with_a_pointer(service: Service, admin: str) -> None:
    response = service.call("POST", TEAMS, admin, json={"name": "-"})
    (fault,) = problem_of(response, 400, "invalid-body")["errors"]
    assert fault["pointer"] == "/name"


def test_a_teams_administrator_sees_the_team_but_not_the_others(service: Service) -> None:
    service.register("gilt")
    service.create_team("gilt", "web")
    service.create_team("gilt", "ads")
    admin = service.issue("gilt", "admin", team="web")
    assert service.call("GET", f"{TEAMS}/web", admin).status_code == 200
    for path in (f"{TEAMS}/ads", TEAMS, "/organizations/gilt"):
        problem_of(service.call("GET", path, admin), 403, "forbidden")
    problem_of(service.call("POST", TEAMS, admin, json={"name": "x"}), 403, "forbidden")
