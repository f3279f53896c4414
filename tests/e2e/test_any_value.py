"""Values that are not finite go through the log, the projection, export and import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.values import TEXTS, bits_of
from tests.e2e.tenant import TEAM, Tenant, metrics, point
from tests.waiting import wait_until

VALUES: list[Any] = [1.5, *TEXTS, 2.5]
BITS = [bits_of(TEXTS.get(value, value)) for value in VALUES]


def exported(tenant: Tenant, *arguments: str) -> list[dict[str, Any]]:
    text = tenant.service.cave("export", tenant.name, "--format", "jsonl", *arguments)
    return [json.loads(line) for line in text.splitlines()]


def logged(tenant: Tenant, team: str | None) -> list[int]:
    """Return the bits of all values in the log."""
    events = [recorded.event for recorded in tenant.events().values()]
    return [
        bits_of(each.value)
        for event in events
        if event.team == team
        for each in event.points.points()
    ]


@pytest.mark.parametrize(
    "form", ["parquet", *(pytest.param(form, marks=pytest.mark.slow) for form in ("csv", "jsonl"))]
)
def test_what_was_published_is_exported_imported_and_verified(
    tenant: Tenant, tmp_path: Path, form: str
) -> None:
    body = metrics(*(point(timestamp=i, value=value) for i, value in enumerate(VALUES)))
    assert tenant.publish(body).status_code == 400
    answer = tenant.client.post(
        f"{tenant.metrics_path()}?values=any",
        content=body,
        headers={"Authorization": f"Bearer {tenant.token}", "Content-Type": "application/json"},
    )
    assert answer.status_code == 202, answer.text
    assert logged(tenant, None) == BITS
    reader = tenant.issue("read")["token"]
    query = f"{tenant.path}/metrics?metric={point()['name']}"
    wait_until(lambda: tenant.service.answer("GET", query, token=reader)[0] == 200)
    wait_until(lambda: len(exported(tenant)) == len(VALUES))
    assert [each["value"] for each in exported(tenant)] == VALUES

    path = tmp_path / f"points.{form}"
    tenant.service.cave("export", tenant.name, "--output", str(path))
    tenant.service.cave(
        "import", tenant.name, "--team", TEAM, str(path),
        "--token", tenant.token, "--url", tenant.service.url,
    )  # fmt: skip
    assert logged(tenant, TEAM) == BITS
    wait_until(lambda: len(exported(tenant, "--team", TEAM)) == len(VALUES))
    assert [each["value"] for each in exported(tenant, "--team", TEAM)] == VALUES

    found = tenant.service.ask("GET", query, token=reader)["metrics"]
    assert [each["value"] for each in found] == [1.5, 2.5]
    [verified] = [json.loads(tenant.service.cave("verify", "points", "--json"))]
    assert verified["agrees"]
