"""InfluxDB's, OpenTSDB's and KairosDB's ways in through a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import MAX_POINTS
from tests.e2e.tenant import TEAM, Tenant

SECOND = 1_500_000_000
LINES = "".join(f"cpu,host=h{n} value={n},idle={n}i {SECOND}\n" for n in range(500))
PUT = [
    {"metric": "cpu", "timestamp": SECOND, "value": str(n), "tags": {"host": f"h{n}"}}
    for n in range(500)
]
KAIROS = [
    {"name": "cpu", "datapoints": [[SECOND * 1000, n]], "tags": {"host": f"h{n}"}}
    for n in range(500)
]
EXPECTED = [("cpu", SECOND * 1000, float(n), {"host": f"h{n}"}) for n in range(500)]
BODIES = [
    ("influx/write?precision=s", "/write?precision=s", LINES),
    ("influx/api/v2/write?precision=s", "/api/v2/write?precision=s", LINES),
    ("influx/api/v3/write_lp", "/api/v3/write_lp", LINES),
    ("opentsdb/api/put", "/api/put", json.dumps(PUT)),
    ("kairosdb/api/v1/datapoints", "/api/v1/datapoints", json.dumps(KAIROS)),
]


@pytest.mark.parametrize(("path", "root", "body"), BODIES)
def test_a_body_is_stored_for_its_owner(tenant: Tenant, path: str, root: str, body: str) -> None:
    team_token = tenant.issue("publish", team=TEAM)["token"]
    receipts = {}
    for url, token, team in (
        (f"{tenant.path}/{path}", tenant.token, None),
        (f"{tenant.path}/teams/{TEAM}/{path}", tenant.token, TEAM),
        (root, team_token, TEAM),
    ):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        # Sent again, as after a lost answer.
        answers = [tenant.client.post(url, content=body, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [204, 204], answers[0].text
        (receipt,) = {answer.headers["cave-receipt"] for answer in answers}
        receipts[receipt] = team
    stored = tenant.events()
    # The team's token at the root is the team's path: the same body, stored once.
    assert {receipt: each.event.team for receipt, each in stored.items()} == receipts
    assert sorted(team or "" for team in receipts.values()) == ["", TEAM]
    for recorded in stored.values():
        rows = [(p.name, p.timestamp, p.value, p.tags) for p in recorded.event.points.points()]
        assert [row for row in rows if row[0] == "cpu"] == EXPECTED


@pytest.mark.parametrize(("path", "root", "body"), BODIES)
def test_bodies_with_too_many_points_store_nothing(
    tenant: Tenant, path: str, root: str, body: str
) -> None:
    copies = MAX_POINTS // 500 + 1
    many = body * copies if body is LINES else json.dumps(json.loads(body) * copies)
    answer = tenant.client.post(
        f"{tenant.path}/{path}",
        content=many,
        headers={"Authorization": f"Bearer {tenant.token}", "Content-Type": "application/json"},
    )
    assert answer.status_code == 413
    assert tenant.events() == {}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_repeats_with_credentials_what_was_refused_without(
    tenant: Tenant, tmp_path: Path
) -> None:
    """As collectd does, which asks libcurl for any scheme that the server offers."""
    body = tmp_path / "body.json"
    body.write_text(json.dumps(KAIROS))
    url = f"{tenant.service.url}{tenant.path}/kairosdb/api/v1/datapoints"
    command = [
        *("curl", "--silent", "--show-error", "--anyauth", "--user", f"{tenant.token}:"),
        *("--header", "Content-Type: application/json", "--data-binary", f"@{body}"),
        *("--output", str(tmp_path / "answer"), "--write-out", "%{http_code}", url),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "204"
    (recorded,) = tenant.events().values()
    assert len(recorded.event.points) == len(KAIROS)
