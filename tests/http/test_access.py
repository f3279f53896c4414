"""Authorization on every management route, and the order of errors."""

from __future__ import annotations

import pytest

from tests.http.conftest import Service, problem_of

ROUTES = [
    ("GET", "/organizations/gilt"),
    ("GET", "/organizations/gilt/teams"),
    ("POST", "/organizations/gilt/teams"),
    ("GET", "/organizations/gilt/teams/web"),
    ("GET", "/organizations/gilt/tokens"),
    ("POST", "/organizations/gilt/tokens"),
    ("GET", "/organizations/gilt/tokens/id1"),
    ("DELETE", "/organizations/gilt/tokens/id1"),
    ("GET", "/organizations/gilt/teams/web/tokens"),
    ("POST", "/organizations/gilt/teams/web/tokens"),
    ("GET", "/organizations/gilt/teams/web/tokens/id1"),
    ("DELETE", "/organizations/gilt/teams/web/tokens/id1"),
]
TEAM_ROUTES = [route for route in ROUTES if "/teams/web" in route[1]]
BODY_ROUTES = [route for route in ROUTES if route[0] == "POST"]


@pytest.fixture
def admin(service: Service) -> str:
    value = service.register("gilt")
    service.create_team("gilt", "web")
    return value


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("POST", "/organizations")])
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Digest x"}, {"Authorization": "Basic §".encode("latin-1")}]
)
def test_missing_credentials_are_a_401_before_any_other_error(
    service: Service, method: str, path: str, headers: dict[str, str]
) -> None:
    sent = {**headers, "Content-Type": "text/plain"}
    response = service.call(method, path.replace("gilt", "nowhere"), headers=sent)
    problem_of(response, 401, "missing-credentials")
    challenges = response.headers.get_list("www-authenticate")
    assert challenges == ['Basic realm="CAVE"', 'Bearer realm="CAVE"']


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_an_unknown_organization_is_a_404_before_the_token_is_checked(
    service: Service, admin: str, method: str, path: str
) -> None:
    response = service.call(method, path.replace("gilt", "nowhere"), "unknown")
    problem_of(response, 404, "unknown-organization")


@pytest.mark.parametrize(("method", "path"), TEAM_ROUTES)
def test_an_unknown_team_is_a_404_too(service: Service, admin: str, method: str, path: str) -> None:
    response = service.call(method, path.replace("web", "nobody"), "unknown")
    problem_of(response, 404, "unknown-team")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_token_without_admin_or_of_another_owner_is_a_403(
    service: Service, admin: str, method: str, path: str
) -> None:
    service.create_team("gilt", "ads")
    tokens = [
        "cave_never-issued",
        service.issue("gilt", "publish", "read"),
        service.issue("gilt", "admin", team="ads"),
        service.register("other"),
    ]
    for token in tokens:
        sent = {"Content-Type": "text/plain"}
        response = service.call(method, path, token, headers=sent)
        problem = problem_of(response, 403, "forbidden")
        assert token not in problem["detail"]


@pytest.mark.parametrize(("method", "path"), BODY_ROUTES)
def test_media_type_size_and_content_are_checked_next_in_this_order(
    service: Service, admin: str, method: str, path: str
) -> None:
    large = b'{"name": "' + b"x" * 65_536 + b'"}'
    text = {"Content-Type": "text/plain"}
    problem_of(
        service.call(method, path, admin, headers=text, content=large), 415, "unsupported-media"
    )
    problem_of(service.call(method, path, admin, content=large), 413, "body-too-large")
    problem_of(service.call(method, path, admin, content=b"{"), 400, "malformed-body")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_stale_directory_is_a_503(
    service: Service, admin: str, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.follower, "catch_up", lambda: None)
    service.seconds += 6
    response = service.call(method, path, admin)
    problem_of(response, 503, "directory-stale")
    assert response.headers["retry-after"] == "1"
