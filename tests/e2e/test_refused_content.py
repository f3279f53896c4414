"""400: each invalid field is named, and nothing of the batch is stored."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import StartService
from tests.e2e.tenant import POINT, Tenant, metrics, point

ITEM = "/metrics/1"


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in POINT.items() if name != field}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"metrics=1",
        b'{"metrics": [}',
        b'{"metrics": []} {}',
        b"\xff\xfe{}",
        metrics(point(value=float("nan"))),
        metrics(point(value=float("inf"))),
        b"[" * 200_000,
    ],
)
def test_malformed_json(tenant: Tenant, content: bytes) -> None:
    problem = tenant.refused(400, "malformed-body", content)
    assert "errors" not in problem


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        (b"[]", [""]),
        (b"null", [""]),
        (b"{}", ["/metrics"]),
        (b'{"metrics": {}}', ["/metrics"]),
        (b'{"metrics": null}', ["/metrics"]),
        (b'{"metrics": [], "source": "x", "a/b~": 1}', ["/source", "/a~1b~0"]),
    ],
)
def test_a_fault_in_the_body_as_a_whole_has_no_index(
    tenant: Tenant, content: bytes, pointers: list[str]
) -> None:
    errors = tenant.refused(400, "invalid-metrics", content)["errors"]
    assert [error["pointer"] for error in errors] == pointers
    assert all("index" not in error for error in errors)


@pytest.mark.parametrize(
    ("bad", "pointer", "words"),
    [
        (without("name"), "/name", "missing"),
        (without("timestamp"), "/timestamp", "missing"),
        (without("value"), "/value", "missing"),
        (without("tags"), "/tags", "missing"),
        (point(metric="b"), "/metric", "one"),
        (point(unit="ms"), "/unit", "unknown field 'unit'"),
        (point(Name="a"), "/Name", "unknown field 'Name'"),
        ("x", "", "object"),
        (None, "", "object"),
        (point(name=""), "/name", "255"),
        (point(name="n" * 256), "/name", "255"),
        (point(name="1a"), "/name", "[a-zA-Z_"),
        (point(name="-a"), "/name", "[a-zA-Z_:]"),
        (point(name="a b"), "/name", "[a-zA-Z_"),
        (point(name="é"), "/name", "[a-zA-Z_"),
        (point(name=None), "/name", "string"),
        (point(timestamp=-1), "/timestamp", "negative"),
        (point(timestamp=1.5), "/timestamp", "whole"),
        (point(timestamp="1398788625"), "/timestamp", "whole"),
        (point(timestamp=True), "/timestamp", "whole"),
        (point(value="1"), "/value", "number"),
        (point(value=True), "/value", "number"),
        (point(value=None), "/value", "number"),
        (point(value=10**400), "/value", "finite"),
        (point(tags=None), "/tags", "object"),
        (point(tags=[]), "/tags", "object"),
        (point(tags={f"t{i}": "x" for i in range(41)}), "/tags", "40"),
        (point(tags={"": "x"}), "/tags/", "255"),
        (point(tags={"1": "x"}), "/tags/1", "[a-zA-Z_"),
        (point(tags={"a/b~ ": "x"}), "/tags/a~1b~0 ", "[a-zA-Z_]"),
        (point(tags={"a:b": "x"}), "/tags/a:b", "[a-zA-Z_]"),
        (point(tags={"a": ""}), "/tags/a", "1024"),
        (point(tags={"a": "v" * 1025}), "/tags/a", "1024"),
        (point(tags={"a": "b\n"}), "/tags/a", "control"),
        (point(tags={"a": "\x85"}), "/tags/a", "control"),
        (point(tags={"a": 42}), "/tags/a", "string"),
        (point(tags={"a": "b\ud800"}), "/tags/a", "Unicode"),
        (point(tags={"a": None}), "/tags/a", "string"),
    ],
)
def test_an_invalid_field_is_named(tenant: Tenant, bad: Any, pointer: str, words: str) -> None:
    problem = tenant.refused(400, "invalid-metrics", metrics(POINT, bad, POINT))
    (error,) = problem["errors"]
    assert (error["index"], error["pointer"]) == (1, ITEM + pointer)
    assert words in error["detail"]


@pytest.mark.parametrize(
    ("field", "number"),
    [
        *(("value", number) for number in ("1e400", "-1e400", "1" + "0" * 5000)),
        *(("timestamp", number) for number in ("1e400", "-1e400", "-1" + "0" * 5000)),
    ],
)
def test_a_number_out_of_range_is_a_fault_of_its_field(
    tenant: Tenant, field: str, number: str
) -> None:
    content = metrics(POINT, point(**{field: 12345})).replace(b"12345", number.encode())
    (error,) = tenant.refused(400, "invalid-metrics", content)["errors"]
    assert (error["index"], error["pointer"]) == (1, f"{ITEM}/{field}")


@pytest.mark.parametrize("unit", [1, 1000, 10**6, 10**9])
def test_a_day_ahead_is_accepted_and_more_is_not(tenant: Tenant, unit: int) -> None:
    """To the hour, because the service's clock advances."""
    now = int(time.time())
    assert tenant.publish(metrics(point(timestamp=(now + 23 * 3600) * unit))).status_code == 202
    bad = point(timestamp=(now + 25 * 3600) * unit)
    (error,) = tenant.refused(400, "invalid-metrics", metrics(POINT, bad))["errors"]
    assert "future" in error["detail"]


def test_how_far_ahead_is_a_setting(start_service: StartService) -> None:
    service = start_service(MAX_FUTURE="1h")
    with httpx.Client(base_url=service.url, timeout=30) as client:
        tenant = Tenant(service, client)
        now = int(time.time())
        assert tenant.publish(metrics(point(timestamp=now + 1800))).status_code == 202
        tenant.refused(400, "invalid-metrics", metrics(point(timestamp=now + 2 * 3600)))


def test_every_bad_point_is_listed_with_index_pointer_and_reason(tenant: Tenant) -> None:
    bad = [point(name="1", value="x"), POINT, point(tags={"a": 1, "b": ""}), POINT, 7]
    problem = tenant.refused(400, "invalid-metrics", metrics(*bad))
    assert [(error["index"], error["pointer"]) for error in problem["errors"]] == [
        (0, "/metrics/0/name"),
        (0, "/metrics/0/value"),
        (2, "/metrics/2/tags/a"),
        (2, "/metrics/2/tags/b"),
        (4, "/metrics/4"),
    ]
    assert all(error["detail"] for error in problem["errors"])


def test_the_first_hundred_are_listed(tenant: Tenant) -> None:
    problem = tenant.refused(400, "invalid-metrics", metrics(POINT, *[point(value="x")] * 200))
    assert [error["index"] for error in problem["errors"]] == list(range(1, 101))
