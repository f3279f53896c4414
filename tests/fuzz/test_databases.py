"""Any body in the formats of other databases gets the verdict of the readable readers."""

from __future__ import annotations

import json
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.point_formats.influx.precisions import VERSION_1
from adapters.point_formats.influx.readable import read_readably
from application.errors import MalformedBody
from application.publishing.ports import BodyTerms, Decoded
from tests.fuzz.bodies import MAX_BODY
from tests.fuzz.conftest import Answer, Target, many
from tests.fuzz.test_publish import exactly
from tests.point_formats.influx import bodies as lines
from tests.point_formats.test_json_points import FORMATS, READERS, bodies

LINES = "/organizations/gilt/influx/write?precision=s"
PATHS = {
    "opentsdb": "/organizations/gilt/opentsdb/api/put",
    "kairosdb": "/organizations/gilt/kairosdb/api/v1/datapoints",
}
UNTIMED = 1
"""The time of receipt of the expected points, which nothing generated has."""


def terms() -> BodyTerms:
    return BodyTerms(int((time.time() + 86_400) * 1000), UNTIMED, 100_000)


def send(target: Target, path: str, body: bytes) -> Answer:
    # A key of its own, since a body that was sent before is not stored again.
    headers = {"Authorization": f"Bearer {target.token}", "Idempotency-Key": str(uuid.uuid4())}
    return target.send(body, headers, path)


def check(target: Target, answer: Answer, expected: Decoded) -> None:
    assert answer.status == (400 if expected.refused else 204), answer
    rows = [(p.name, p.timestamp, p.value, p.tags) for p in expected.points.points()]
    stored = target.stored(answer.receipt) if answer.receipt is not None else []
    assert len(stored) == len(rows)
    timed = [
        (name, at if row[1] != UNTIMED else UNTIMED, value, tags)
        for (name, at, value, tags), row in zip(stored, rows, strict=True)
    ]
    assert exactly(timed) == exactly(rows)


@many
@given(body=lines.bodies())
def test_any_lines_get_the_readable_readers_verdict(target: Target, body: bytes) -> None:
    before = target.events()
    answer = send(target, LINES, body)
    check(target, answer, read_readably(body, terms(), VERSION_1["s"]))
    assert target.events() - before == (answer.receipt is not None)


@many
@given(body=st.binary(max_size=200))
def test_any_bytes_are_lines_that_are_refused_or_stored(target: Target, body: bytes) -> None:
    check(target, send(target, LINES, body), read_readably(body, terms(), VERSION_1["s"]))


@pytest.mark.parametrize("name", FORMATS)
@many
@given(data=st.data())
def test_any_json_gets_the_readable_readers_verdict(
    target: Target, name: str, data: st.DataObject
) -> None:
    body = data.draw(bodies(name) | st.binary(max_size=60))
    answer = send(target, PATHS[name], body)
    try:
        expected = READERS[name][1](body, terms())
    except MalformedBody:
        assert (answer.status, answer.receipt) == (400, None)
        assert json.loads(answer.body)
        return
    check(target, answer, expected)


@pytest.mark.parametrize("path", [LINES, *PATHS.values()])
def test_a_body_over_the_limit_is_too_large(target: Target, path: str) -> None:
    assert send(target, path, b" " * (MAX_BODY + 1)).status == 413
