"""Access refused, or nothing there: 401, 403, 404, 405."""

from __future__ import annotations

from base64 import b64encode

import httpx
import pytest

from tests.e2e.tenant import TEAM, Tenant, metrics
from tests.http.conftest import problem_of


def basic(credentials: str) -> str:
    return f"Basic {b64encode(credentials.encode()).decode()}"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Digest x",
        "Token abc",
        "Bearer",
        "Basic",
        basic(":"),
        basic("no colon"),
        "Basic =",
    ],
)
@pytest.mark.parametrize("team", [None, TEAM])
def test_without_credentials_both_schemes_are_offered(
    tenant: Tenant, authorization: str | None, team: str | None
) -> None:
    sent = {} if authorization is None else {"Authorization": authorization}
    path = tenant.metrics_path(team)
    response = tenant.client.post(path, content=metrics(), headers=sent)
    problem_of(response, 401, "missing-credentials")
    challenges = response.headers.get_list("www-authenticate")
    assert challenges == ['Basic realm="CAVE"', 'Bearer realm="CAVE"']


def test_without_credentials_an_answer_does_not_reveal_what_exists(tenant: Tenant) -> None:
    response = tenant.client.post("/organizations/nowhere/metrics", content=b"{")
    problem_of(response, 401, "missing-credentials")


def test_an_unknown_token_is_refused(tenant: Tenant) -> None:
    problem = tenant.refused(403, "forbidden", token="cave_never-issued")
    assert "cave_never-issued" not in str(problem)


def test_a_basic_password_is_refused(tenant: Tenant) -> None:
    sent = {"Authorization": basic(f"{tenant.token}:password")}
    tenant.refused(403, "forbidden", headers=sent)


def test_a_revoked_token_is_refused(tenant: Tenant) -> None:
    issued = tenant.issue("publish")
    assert tenant.publish(token=issued["token"]).status_code == 202
    tenant.service.ask("DELETE", f"{tenant.path}/tokens/{issued['id']}", token=tenant.token)
    tenant.service.wait_for_all_workers(
        lambda: tenant.publish(metrics(), token=issued["token"]).status_code == 403
    )
    problem = tenant.refused(403, "forbidden", token=issued["token"])
    assert "revoked" in problem["detail"]


def test_an_expired_token_is_refused(tenant: Tenant) -> None:
    token = tenant.service.cave(
        *("token", "issue", tenant.name, "--scope", "publish", "--expires-in", "1s", "--quiet")
    )
    tenant.service.wait_for_all_workers(
        lambda: "expired" in tenant.publish(metrics(), token=token).text
    )
    tenant.refused(403, "forbidden", token=token)


def test_another_organizations_token_is_refused(tenant: Tenant) -> None:
    other = Tenant(tenant.service, tenant.client)
    tenant.refused(403, "forbidden", token=other.token)
    tenant.refused(403, "forbidden", token=other.token, team=TEAM)


def test_a_team_token_is_only_for_its_team(tenant: Tenant) -> None:
    tenant.create_team("ads")
    of_ads = tenant.issue("publish", team="ads")["token"]
    assert tenant.publish(token=of_ads, team="ads").status_code == 202
    tenant.refused(403, "forbidden", token=of_ads, team=TEAM)
    tenant.refused(403, "forbidden", token=of_ads)


@pytest.mark.parametrize("scopes", [["read"], ["admin"], ["admin", "read"]])
def test_a_token_without_the_scope_is_refused(tenant: Tenant, scopes: list[str]) -> None:
    token = tenant.issue(*scopes)["token"]
    assert "publish" in tenant.refused(403, "forbidden", token=token)["detail"]


@pytest.mark.parametrize("name", ["nowhere", "%20", "a%2Fb", "x" * 1000, "%C3%A9", "%00"])
def test_an_unknown_organization_is_not_found(tenant: Tenant, name: str) -> None:
    sent = {"Authorization": f"Bearer {tenant.token}"}
    path = f"/organizations/{name}/metrics"
    response = tenant.client.post(path, content=metrics(), headers=sent)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_an_unknown_team_is_not_found(tenant: Tenant) -> None:
    tenant.refused(404, "unknown-team", team="nobody")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("team", [None, TEAM])
def test_an_answer_to_a_wrong_method_lists_the_right_ones(
    tenant: Tenant, method: str, team: str | None
) -> None:
    response: httpx.Response = tenant.client.request(method, tenant.metrics_path(team))
    problem_of(response, 405)
    assert "POST" in response.headers["allow"].split(", ")
    assert method not in response.headers["allow"].split(", ")
