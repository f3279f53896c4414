"""Remote write through a real server: what was sent is what the log has, and what readers get."""

from __future__ import annotations

import struct

import cramjam

from tests.e2e.tenant import TEAM, Tenant
from tests.point_formats.remote_write.requests import (
    STALE,
    TIME,
    histogram,
    named,
    request_1,
    request_2,
    sample,
    series_1,
    series_2,
)

PATH = "prometheus/api/v1/write"
VERSION_2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"


def test_requests_of_both_versions_are_stored_for_their_owner(tenant: Tenant) -> None:
    team_token = tenant.issue("publish", team=TEAM)["token"]
    # Large enough to be scanned, with a stale marker at the end.
    sent = [(named("up", host=f"h{n}"), float(n)) for n in range(500)]
    last = named("up", host="gone")
    refused, buckets = named(""), histogram(count=3, positive={0: 1, 1: 2})
    bodies = {
        "application/x-protobuf": request_1(
            *(series_1(labels, sample(value)) for labels, value in sent),
            series_1(last, sample(STALE)),
        ),
        VERSION_2: request_2(
            *(series_2(labels, sample(value)) for labels, value in sent),
            series_2(last, sample(STALE)),
            series_2(refused, sample()),
            series_2(named("rpc"), histograms=[buckets]),
        ),
    }
    receipts = {}
    for path, token, team in (
        (f"{tenant.path}/{PATH}", tenant.token, None),
        (f"{tenant.path}/teams/{TEAM}/{PATH}", tenant.token, TEAM),
        ("/api/v1/write", team_token, TEAM),
    ):
        for media_type, body in bodies.items():
            headers = {
                "Authorization": f"Bearer {token}",
                "Content-Type": media_type,
                "Content-Encoding": "snappy",
                "X-Prometheus-Remote-Write-Version": "2.0.0",
            }
            content = bytes(cramjam.snappy.compress_raw(body))
            # Sent again, as after a lost answer.
            answers = [tenant.client.post(path, content=content, headers=headers) for _ in range(2)]
            statuses = {answer.status_code for answer in answers}
            assert statuses == {400 if media_type == VERSION_2 else 204}, answers[0].text
            if media_type == VERSION_2:
                assert answers[0].headers["x-prometheus-remote-write-samples-written"] == "501"
                assert answers[0].headers["x-prometheus-remote-write-histograms-written"] == "1"
            (receipt,) = {answer.headers["cave-receipt"] for answer in answers}
            receipts[receipt] = team, media_type
    stored = tenant.events()
    assert {receipt: each.event.team for receipt, each in stored.items()} == {
        receipt: team for receipt, (team, _) in receipts.items()
    }
    for receipt, recorded in stored.items():
        found = [*recorded.event.points.points()]
        assert [(p.name, p.timestamp, p.value, p.tags) for p in found[:500]] == [
            ("up", TIME, value, {"host": f"h{n}"}) for n, (_, value) in enumerate(sent)
        ]
        assert struct.pack("<d", found[500].value) == STALE
        after = [(p.name, p.value, p.tags) for p in found[501:]]
        if receipts[receipt][1] != VERSION_2:
            assert after == []
            continue
        assert after == [
            ("rpc_bucket", 1.0, {"le": "1"}),
            ("rpc_bucket", 3.0, {"le": "2"}),
            ("rpc_bucket", 3.0, {"le": "+Inf"}),
            ("rpc_count", 3.0, {}),
            ("rpc_sum", 0.0, {}),
        ]
    # The team's token at the root is the team's path: the same body, stored once.
    assert sorted(team or "" for team, _ in receipts.values()) == ["", "", TEAM, TEAM]
