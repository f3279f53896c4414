"""OTLP through a real server: what was sent is what the log has, and what readers get."""

from __future__ import annotations

from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric

from tests.e2e.tenant import TEAM, Tenant
from tests.point_formats.otlp.requests import SECOND, attribute, json_body, number, request

PROTOBUF, JSON = "application/x-protobuf", "application/json"


def test_requests_of_both_media_types_are_stored_for_their_owner(tenant: Tenant) -> None:
    team_token = tenant.issue("publish", team=TEAM)["token"]
    points = [number(as_int=n, attributes=[attribute("host", f"h{n}")]) for n in range(500)]
    sent = request(
        Metric(name="up", gauge=Gauge(data_points=[*points, number(time_unix_nano=0)])),
        service__name="checkout",
    )
    bodies = {PROTOBUF: sent.SerializeToString(), JSON: json_body(sent)}
    receipts = {}
    for path, token, team in (
        (f"{tenant.path}/otlp/v1/metrics", tenant.token, None),
        (f"{tenant.path}/teams/{TEAM}/otlp/v1/metrics", tenant.token, TEAM),
        ("/v1/metrics", team_token, TEAM),
    ):
        for media_type, body in bodies.items():
            headers = {"Authorization": f"Bearer {token}", "Content-Type": media_type}
            # Sent again, as after a lost answer.
            answers = [tenant.client.post(path, content=body, headers=headers) for _ in range(2)]
            assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
            assert {answer.headers["content-type"] for answer in answers} == {media_type}
            (receipt,) = {answer.headers["cave-receipt"] for answer in answers}
            receipts[receipt] = team
    stored = tenant.events()
    assert {receipt: each.event.team for receipt, each in stored.items()} == receipts
    expected = [
        ("up", SECOND * 1000, float(n), {"host": f"h{n}", "service.name": "checkout"})
        for n in range(500)
    ]
    for recorded in stored.values():
        found = recorded.event.points.points()
        assert [(p.name, p.timestamp, p.value, p.tags) for p in found] == expected
    # The team's token at the root is the team's path: the same body, stored once.
    assert sorted(team or "" for team in receipts.values()) == ["", "", TEAM, TEAM]
