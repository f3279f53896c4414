"""Any OTLP body gets the rules' verdict: the good points are stored once, the others counted."""

from __future__ import annotations

import time
from typing import Any

from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from tests.fuzz.bodies import MAX_BODY, mutated
from tests.fuzz.conftest import Target, many
from tests.fuzz.test_publish import exactly
from tests.point_formats.otlp.requests import json_body, read_slowly, requests

PATH = "/organizations/gilt/otlp/v1/metrics"
PROTOBUF, JSON = "application/x-protobuf", "application/json"


def headers(target: Target, media_type: str) -> dict[str, str | bytes]:
    return {"Authorization": f"Bearer {target.token}", "Content-Type": media_type}


def response_of(media_type: str, body: bytes) -> Any:
    message = ExportMetricsServiceResponse()
    if media_type == PROTOBUF:
        message.ParseFromString(body)
    else:
        json_format.Parse(body, message)
    return message


@many
@given(request=requests(), media_type=st.sampled_from([PROTOBUF, JSON]))
def test_any_request_gets_the_rules_verdict(target: Target, request: Any, media_type: str) -> None:
    # A time of its own, since a body that was sent before is not stored again.
    stamp = time.time_ns()
    point = request.resource_metrics.add().scope_metrics.add().metrics.add(name="first")
    point.gauge.data_points.add(time_unix_nano=stamp, as_int=stamp)
    sent = request.SerializeToString()
    expected = read_slowly(sent)
    assert expected is not None
    rows, refused = expected
    body = sent if media_type == PROTOBUF else json_body(request)
    before = target.events()
    answer = target.send(body, headers(target, media_type), PATH)
    assert answer.status == 200, answer
    rejected = response_of(media_type, answer.body).partial_success.rejected_data_points
    assert rejected == sum(each.points for each in refused)
    assert answer.receipt is not None
    stored = exactly(target.stored(answer.receipt))
    assert stored == [(name, at, value[::-1], dict(tags)) for name, at, value, tags in rows]
    # Points are one event, and descriptions another one, if they are new.
    assert 1 <= target.events() - before <= 2


@many
@given(data=st.data(), media_type=st.sampled_from([PROTOBUF, JSON]))
def test_damaged_bodies_have_a_documented_answer(
    target: Target, data: st.DataObject, media_type: str
) -> None:
    write = json_body if media_type == JSON else lambda request: request.SerializeToString()
    body = data.draw(mutated(requests().map(write)) | st.binary(max_size=60))
    answer = target.send(body, headers(target, media_type), PATH)
    assert answer.status in ((200, 400) if len(body) <= MAX_BODY else (413,)), answer
    if answer.status == 200:
        response_of(media_type, answer.body)
    else:
        assert answer.receipt is None
