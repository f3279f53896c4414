"""`GET /whoami`: whose a token is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.http.conftest import Service, problem_of


@pytest.mark.parametrize("scopes", [("publish",), ("read",), ("admin", "read")])
@pytest.mark.parametrize("team", [None, "web"])
def test_it_names_the_owner_and_the_scopes_of_any_token(
    service: Service, scopes: tuple[str, ...], team: str | None
) -> None:
    service.register("gilt")
    service.create_team("gilt", "web")
    answer = service.call("GET", "/whoami", service.issue("gilt", *scopes, team=team))
    assert answer.json() == {"organization": "gilt", "team": team, "scopes": sorted(scopes)}
    assert answer.headers["cache-control"] == "no-store"


def test_it_needs_credentials(service: Service) -> None:
    answer = service.call("GET", "/whoami")
    problem_of(answer, 401, "missing-credentials")
    assert "WWW-Authenticate" in answer.headers


def test_a_token_that_is_not_active_has_no_owner(service: Service) -> None:
    service.register("gilt")
    short = service.issue("gilt", "read", expires_in=timedelta(hours=1))
    assert service.call("GET", "/whoami", short).status_code == 200
    service.now += timedelta(hours=1)
    for token, words in ((short, "the token expired"), ("cave_other", "the token is unknown")):
        problem = problem_of(service.call("GET", "/whoami", token), 403, "forbidden")
        assert problem["detail"] == words
