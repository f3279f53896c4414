"""What is published is counted by organization and minute, as its health shows it."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from tests.http.publish.conftest import Publishing
from tests.http.test_health import shown

GOOD = {"name": "a", "timestamp": 1398788625, "value": 1, "tags": {}}
BAD = {**GOOD, "value": "x"}


def body(*items: object) -> bytes:
    return msgspec.json.encode({"metrics": items})


def test_it_has_the_points_of_the_last_hour_by_minute(publishing: Publishing) -> None:
    service = publishing.service
    reader = service.issue("gilt", "read")
    path = "/organizations/gilt/metrics?partial=true"
    publishing.post(path, body(GOOD, GOOD, BAD))
    publishing.post("/organizations/gilt/teams/web/metrics", body(GOOD))
    publishing.post("/organizations/gilt/influx/write", b"m a=1\nm a=x\nm b=y")
    shown(service, reader)
    service.now += timedelta(minutes=1)
    publishing.post(path, body(GOOD), idempotency_key="k")
    publishing.post(path, body(GOOD), idempotency_key="k")
    publishing.post(path, body(BAD, BAD))
    found = shown(service, reader)
    assert found["at"] == "2026-11-01T12:01:00Z"
    assert len(found["minutes"]) == 61
    assert found["minutes"][0]["time"] == "2026-11-01T11:01:00Z"
    assert found["minutes"][-2:] == [
        {
            "time": "2026-11-01T12:00:00Z",
            "accepted": 4,
            "refused": {"invalid_syntax": 2, "invalid_value": 1},
        },
        {"time": "2026-11-01T12:01:00Z", "accepted": 1, "refused": {"invalid_value": 2}},
    ]
    assert found["refused"] == [
        {"protocol": "influx", "reason": "invalid_syntax", "points": 2},
        {"protocol": "json", "reason": "invalid_value", "points": 3},
    ]
    service.now += timedelta(hours=1)
    found = shown(service, reader)
    assert [minute["accepted"] for minute in found["minutes"]] == [1, *[0] * 60]
    assert found["refused"] == [{"protocol": "json", "reason": "invalid_value", "points": 2}]


def test_points_of_other_organizations_are_not_in_it(publishing: Publishing) -> None:
    other = publishing.service.register("other", "publish", "read")
    publishing.post("/organizations/gilt/metrics", body(GOOD))
    publishing.post("/organizations/other/metrics", body(GOOD, GOOD), token=other)
    found = shown(publishing.service, publishing.service.issue("gilt", "read"))
    assert sum(minute["accepted"] for minute in found["minutes"]) == 1
