from __future__ import annotations

from base64 import b64encode

import pytest

from tests.http.conftest import OPERATOR, Service, problem_of


def test_the_operator_registers_an_organization_and_gets_its_first_token(service: Service) -> None:
    body = {
        "name": "gilt",
        "email": "metrics@gilt.example",
        "notification_url": "https://gilt.example/hook",
        "scopes": ["publish", "admin"],
    }
    response = service.call("POST", "/organizations", OPERATOR, json=body)
    assert response.status_code == 201
    assert response.headers["location"] == "/organizations/gilt"
    assert response.headers["cache-control"] == "no-store"
    token = response.json()["default_token"]
    assert response.json() == {
        "organization": {
            "name": "gilt",
            "email": "metrics@gilt.example",
            "notification_url": "https://gilt.example/hook",
            "created_at": "2026-11-01T12:00:00Z",
            "teams": [],
        },
        "default_token": {
            "token": f"cave_{1:043}",
            "id": "id1",
            "team": None,
            "description": "default",
            "scopes": ["admin", "publish"],
            "created_at": "2026-11-01T12:00:00Z",
            "expires_at": None,
        },
    }
    shown = service.call("GET", response.headers["location"], token["token"])
    assert shown.json() == response.json()["organization"]


def test_the_operators_token_may_be_sent_as_basic_too(service: Service) -> None:
    credentials = b64encode(f"{OPERATOR}:".encode()).decode()
    headers = {"Authorization": f"bAsIc {credentials}"}
    response = service.call("POST", "/organizations", headers=headers, json={"name": "gilt"})
    assert response.status_code == 201
    assert response.json()["default_token"]["scopes"] == ["publish"]


@pytest.mark.parametrize("token", [OPERATOR[:-1], OPERATOR + "x", "x", "é"])
def test_other_tokens_cannot_register_an_organization(service: Service, token: str) -> None:
    headers = {"Authorization": "Basic " + b64encode(f"{token}:".encode()).decode()}
    response = service.call("POST", "/organizations", headers=headers, json={"name": "gilt"})
    problem = problem_of(response, 403, "forbidden")
    assert OPERATOR not in problem["detail"]


def test_the_operators_token_is_compared_as_digests_in_constant_time(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((len(left), len(right)))
        return left == right

    monkeypatch.setattr("adapters.http.api.administration.hmac.compare_digest", compare)
    assert service.call("POST", "/organizations", "x", json={"name": "gilt"}).status_code == 403
    assert (
        service.call("POST", "/organizations", OPERATOR, json={"name": "gilt"}).status_code == 201
    )
    assert compared == [(32, 32), (32, 32)]


@pytest.mark.parametrize("setting", [None, ""])
def test_without_an_operator_token_nobody_registers_over_http(
    service: Service, setting: str | None
) -> None:
    service.app = service.app_for(setting)
    problem_of(service.call("POST", "/organizations"), 401, "missing-credentials")
    problem_of(service.call("POST", "/organizations", "any", json={}), 403, "forbidden")


def test_an_organizations_token_cannot_register_an_organization(service: Service) -> None:
    admin = service.register("gilt")
    response = service.call("POST", "/organizations", admin, json={"name": "other"})
    problem_of(response, 403, "forbidden")


def test_a_name_can_be_taken_only_once(service: Service) -> None:
    service.register("gilt")
    response = service.call("POST", "/organizations", OPERATOR, json={"name": "gilt"})
    problem_of(response, 409, "organization-exists")


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({}, "/name", "`name`"),
        ({"name": "a b"}, "/name", "must match"),
        ({"name": "x" * 128}, "/name", "127"),
        ({"name": 7}, "/name", "`str`"),
        ({"name": "gilt", "scopes": ["publish", "own"]}, "/scopes/1", "'own'"),
        ({"name": "gilt", "scopes": []}, "/scopes", "length >= 1"),
        ({"name": "gilt", "e/m~il": "x"}, "/e~1m~0il", "unknown field `e/m~il`"),
    ],
)
def test_an_invalid_field_is_reported(
    service: Service, body: dict[str, object], pointer: str, words: str
) -> None:
    response = service.call("POST", "/organizations", OPERATOR, json=body)
    (fault,) = problem_of(response, 400, "invalid-body")["errors"]
    assert fault["pointer"] == pointer
    assert words in fault["detail"]


@pytest.mark.parametrize("field", [{"email": "nobody"}, {"notification_url": "ftp://gilt.example"}])
def test_an_invalid_address_is_refused(service: Service, field: dict[str, str]) -> None:
    body = {"name": "gilt", **field}
    response = service.call("POST", "/organizations", OPERATOR, json=body)
    ((name, value),) = field.items()
    (fault,) = problem_of(response, 400, "invalid-body")["errors"]
    assert fault["pointer"] == f"/{name}"
    assert value in fault["detail"]


def test_an_organization_is_shown_with_its_teams(service: Service) -> None:
    admin = service.register("gilt")
    service.create_team("gilt", "web")
    service.create_team("gilt", "checkout")
    response = service.call("GET", "/organizations/gilt", admin)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json()["teams"] == ["checkout", "web"]
