"""Tokens: shown only once, at most three of a kind, and the last one stays."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from hashlib import sha256

import httpx
import pytest

from tests.e2e.tenant import TEAM, Tenant, metrics
from tests.http.conftest import problem_of
from tests.waiting import wait_until


def call(tenant: Tenant, method: str, path: str, token: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token or tenant.token}"}
    return tenant.client.request(method, tenant.path + path, headers=headers)


def test_a_token_is_43_characters_after_a_prefix(tenant: Tenant) -> None:
    values = {tenant.token, tenant.issue()["token"], tenant.issue(team=TEAM)["token"]}
    assert len(values) == 3
    assert all(re.fullmatch(r"cave_[A-Za-z0-9_-]{43}", value) for value in values)


@pytest.mark.parametrize("team", [None, TEAM])
def test_an_owner_has_at_most_three_active_tokens_per_scope_set(
    tenant: Tenant, team: str | None
) -> None:
    owner = "/tokens" if team is None else f"/teams/{team}/tokens"
    issued = [tenant.issue("read", "publish", team=team) for _ in range(3)]
    body = {"scopes": ["publish", "read", "read"]}
    path = tenant.path + owner
    status, problem = tenant.service.answer("POST", path, body, tenant.token)
    assert (status, problem["type"]) == (409, "urn:cave:problem:too-many-tokens")
    tenant.issue("read", team=team)
    assert call(tenant, "DELETE", f"{owner}/{issued[0]['id']}").status_code == 204
    tenant.issue("read", "publish", team=team)


@pytest.mark.parametrize("team", [None, TEAM])
def test_the_last_active_token_of_an_owner_can_only_be_revoked_by_the_command_line(
    tenant: Tenant, team: str | None
) -> None:
    owner = "/tokens" if team is None else f"/teams/{team}/tokens"
    if team is not None:
        tenant.issue(team=team)
    (last,) = call(tenant, "GET", owner).json()["tokens"]
    problem_of(call(tenant, "DELETE", f"{owner}/{last['id']}"), 409, "last-token")
    assert call(tenant, "GET", f"{owner}/{last['id']}").json()["state"] == "active"
    tenant.service.cave("token", "revoke", tenant.name, last["id"])
    if team is None:
        tenant.service.wait_for_all_workers(
            lambda: tenant.publish(metrics()).status_code == 403,
        )
    else:
        assert call(tenant, "GET", f"{owner}/{last['id']}").json()["state"] == "revoked"


def test_a_token_is_never_shown_again(tenant: Tenant) -> None:
    """Not in later answers, not in the log of events, not in metrics or log messages."""
    service = tenant.service
    values = [tenant.token, tenant.issue()["token"]]
    for value in values:
        tenant.publish(token=value)
        tenant.publish(b"{", token=value)
        tenant.publish(headers={"Content-Type": value})
        call(tenant, "GET", f"/nothing?token={value}", token=value)
    digests = [sha256(value.encode()).hexdigest() for value in values]
    shown = [call(tenant, "GET", path).text for path in ("", "/tokens", "/teams/web/tokens")]
    shown.append(tenant.client.get("/metrics").text)
    for secret in (*values, *digests):
        assert not any(secret in text for text in shown)
    with service.log() as log:
        kept = b"".join(log.dump(key) or b"" for key in log.scan_iter(count=1000))
        entries = str(log.xrange("{cave:organizations}:log"))
    logged = service.errors() + service.data_dir.server_log_path.read_text()
    assert digests[0] in entries
    for value in values:
        assert value not in entries
        assert value.encode() not in kept
        assert value not in logged


def test_the_last_use_of_a_token_is_shown_for_active_tokens(tenant: Tenant) -> None:
    token, unused = tenant.issue("publish"), tenant.issue("publish")
    before = datetime.now(UTC).replace(microsecond=0)
    assert tenant.publish(metrics(), token=token["token"]).status_code == 202

    def last_uses() -> dict[str, str | None]:
        return {t["id"]: t["last_used_at"] for t in call(tenant, "GET", "/tokens").json()["tokens"]}

    wait_until(lambda: last_uses()[token["id"]])
    used = last_uses()[token["id"]]
    assert used is not None
    assert before <= datetime.fromisoformat(used) <= datetime.now(UTC)
    assert last_uses()[unused["id"]] is None
    lines = tenant.service.cave("token", "list", tenant.name, "--json").splitlines()
    listed = {each["id"]: each["last_used_at"] for each in map(json.loads, lines)}
    assert datetime.fromisoformat(listed[token["id"]]) == datetime.fromisoformat(used)
    assert listed[unused["id"]] is None
    call(tenant, "DELETE", f"/tokens/{token['id']}")
    assert last_uses()[token["id"]] is None
