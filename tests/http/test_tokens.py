from __future__ import annotations

from datetime import timedelta

import pytest

from domain.token import token_digest
from tests.http.conftest import Service, problem_of

ORGANIZATION = "/organizations/gilt/tokens"
TEAM = "/organizations/gilt/teams/web/tokens"


@pytest.fixture
def admin(service: Service) -> str:
    value = service.register("gilt")
    service.create_team("gilt", "web")
    return value


@pytest.mark.parametrize(("path", "team"), [(ORGANIZATION, None), (TEAM, "web")])
def test_a_token_is_issued_shown_listed_and_revoked(
    service: Service, admin: str, path: str, team: str | None
) -> None:
    service.issue("gilt", "read", team=team)
    body = {"description": "web servers", "scopes": ["read", "publish"], "expires_in": "90d"}
    response = service.call("POST", path, admin, json=body)
    issued = response.json()
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["location"] == f"{path}/{issued['id']}"
    assert issued == {
        "token": f"cave_{3:043}",
        "id": "id3",
        "team": team,
        "description": "web servers",
        "scopes": ["publish", "read"],
        "created_at": "2026-11-01T12:00:00Z",
        "expires_at": "2027-01-30T12:00:00Z",
    }

    shown = service.call("GET", response.headers["location"], admin)
    del issued["token"]
    assert shown.json() == {
        **issued,
        "state": "active",
        "revoked_at": None,
        "last_used_at": None,
    }
    assert shown.json() in service.call("GET", path, admin).json()["tokens"]

    for _ in range(2):
        revoked = service.call("DELETE", response.headers["location"], admin)
        assert (revoked.status_code, revoked.content) == (204, b"")
    after = service.call("GET", response.headers["location"], admin).json()
    assert (after["state"], after["revoked_at"]) == ("revoked", "2026-11-01T12:00:00Z")


def test_all_fields_of_a_new_token_are_optional(service: Service, admin: str) -> None:
    issued = service.call("POST", ORGANIZATION, admin, json={}).json()
    assert (issued["description"], issued["scopes"], issued["expires_at"]) == (
        "",
        ["publish"],
        None,
    )


def test_an_expired_token_is_shown_as_such_and_refused(service: Service, admin: str) -> None:
    short = service.issue("gilt", "admin", expires_in=timedelta(hours=1))
    assert service.call("GET", ORGANIZATION, short).status_code == 200
    service.now += timedelta(hours=1)
    refused = problem_of(service.call("GET", ORGANIZATION, short), 403, "forbidden")
    assert "expired" in refused["detail"]
    states = [t["state"] for t in service.call("GET", ORGANIZATION, admin).json()["tokens"]]
    assert states == ["active", "expired"]


def test_values_and_digests_are_never_shown_again(service: Service, admin: str) -> None:
    texts = [
        service.call("GET", path, admin).text
        for path in (ORGANIZATION, f"{ORGANIZATION}/id1", "/organizations/gilt")
    ]
    for text in texts:
        assert admin not in text
        assert token_digest(admin) not in text
        assert "digest" not in text


def test_each_owner_sees_only_its_own_tokens(service: Service, admin: str) -> None:
    service.issue("gilt", "publish", team="web")
    own = service.call("GET", ORGANIZATION, admin).json()["tokens"]
    teams = service.call("GET", TEAM, admin).json()["tokens"]
    assert ([t["id"] for t in own], [t["id"] for t in teams]) == (["id1"], ["id2"])
    for method in ("GET", "DELETE"):
        problem_of(service.call(method, f"{ORGANIZATION}/id2", admin), 404, "unknown-token")
        problem_of(service.call(method, f"{TEAM}/id1", admin), 404, "unknown-token")
        problem_of(service.call(method, f"{ORGANIZATION}/id9", admin), 404, "unknown-token")


def test_the_last_active_token_cannot_be_deleted(service: Service, admin: str) -> None:
    problem_of(service.call("DELETE", f"{ORGANIZATION}/id1", admin), 409, "last-token")
    assert service.call("GET", ORGANIZATION, admin).status_code == 200


def test_at_most_three_tokens_of_a_scope_set_can_be_active(service: Service, admin: str) -> None:
    for _ in range(3):
        assert service.call("POST", ORGANIZATION, admin, json={}).status_code == 201
    problem_of(service.call("POST", ORGANIZATION, admin, json={}), 409, "too-many-tokens")


def test_a_teams_administrator_manages_its_tokens_only(service: Service, admin: str) -> None:
    of_team = service.issue("gilt", "admin", team="web")
    assert service.call("POST", TEAM, of_team, json={}).status_code == 201
    assert service.call("DELETE", f"{TEAM}/id3", of_team).status_code == 204
    problem_of(service.call("POST", ORGANIZATION, of_team, json={}), 403, "forbidden")
    problem_of(service.call("DELETE", f"{ORGANIZATION}/id1", of_team), 403, "forbidden")


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"expires_in": "90 days"}, "/expires_in", "90d"),
        ({"expires_in": 90}, "/expires_in", "`str | null`"),
        ({"expires_in": "0d"}, "/expires_in", "in the future"),
        ({"expires_in": "999999999999d"}, "/expires_in", "too long"),
        ({"expires_at": "2027-01-01T00:00:00Z"}, "/expires_at", "unknown field `expires_at`"),
        ({"scopes": "publish"}, "/scopes", "`array`"),
        ([], "", "`object`"),
    ],
)
def test_an_invalid_field_is_reported(
    service: Service, admin: str, body: object, pointer: str, words: str
) -> None:
    response = service.call("POST", ORGANIZATION, admin, json=body)
    (fault,) = problem_of(response, 400, "invalid-body")["errors"]
    assert fault["pointer"] == pointer
    assert words in fault["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"expires_in": "9999999d"}, "/expires_in"),
        ({"description": "a\nb"}, "/description"),
        ({"description": "x" * 256}, "/description"),
    ],
)
def test_a_fault_found_by_the_domain_has_a_pointer_too(
    service: Service, admin: str, body: dict[str, str], pointer: str
) -> None:
    response = service.call("POST", ORGANIZATION, admin, json=body)
    (fault,) = problem_of(response, 400, "invalid-body")["errors"]
    assert fault["pointer"] == pointer


@pytest.mark.parametrize("broken", [rb"\ud800", rb"\udfff", b"\xff", b"\xed\xa0\x80"])
@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b'{"description": "a%b"}', ["/description"]),
        (b'{"scopes": ["read", "%b"], "description": "%b"}', ["/scopes/1", "/description"]),
        (b'{"a%b": 1}', [""]),
    ],
)
def test_text_that_is_not_unicode_is_reported_with_its_place(
    service: Service, broken: bytes, body: bytes, pointers: list[str]
) -> None:
    token = service.register("gilt")
    content = body.replace(b"%b", broken)
    response = service.call("POST", "/organizations/gilt/tokens", token, content=content)
    problem = problem_of(response, 400, "invalid-body")
    assert [error["pointer"] for error in problem["errors"]] == pointers
    assert "Unicode" in problem["detail"]
