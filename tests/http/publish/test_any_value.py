"""JSON with `?values=any`: values that are not finite, written as texts."""

from __future__ import annotations

import msgspec
import pytest

from domain.values import STALE, TEXTS, bits_of
from tests.http.conftest import problem_of
from tests.http.publish.conftest import Publishing

PATH = "/organizations/gilt/metrics"


def body(*values: object) -> bytes:
    items = [{"name": "a", "timestamp": 1398788625, "value": v, "tags": {}} for v in values]
    return msgspec.json.encode({"metrics": items})


def test_values_are_stored_bit_for_bit(publishing: Publishing) -> None:
    answer = publishing.post(f"{PATH}?values=any", body(1.5, *TEXTS, 2))
    assert answer.status_code == 202
    stored = [bits_of(point.value) for point in publishing.points()]
    assert stored == [bits_of(value) for value in (1.5, *TEXTS.values(), 2.0)]


@pytest.mark.parametrize("query", ["", "?values=finite"])
@pytest.mark.parametrize("text", TEXTS)
def test_without_it_they_are_refused(publishing: Publishing, query: str, text: str) -> None:
    problem = problem_of(publishing.post(PATH + query, body(1, text)), 400, "invalid-metrics")
    [error] = problem["errors"]
    assert error["detail"] == "value must be a number, not a string"
    assert publishing.points() == []


@pytest.mark.parametrize("value", ["nan", "Inf", "Infinity", "1", "", "STALE", True, None, []])
def test_nothing_else_becomes_a_value(publishing: Publishing, value: object) -> None:
    answer = publishing.post(f"{PATH}?values=any", body("stale", value))
    problem = problem_of(answer, 400, "invalid-metrics")
    [error] = problem["errors"]
    assert error["pointer"] == "/metrics/1/value"
    assert error["detail"].startswith("value must be a number")
    assert publishing.points() == []


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"NaN", b"Infinity"])
def test_numbers_are_as_strict_as_ever(publishing: Publishing, number: bytes) -> None:
    sent = body(1, "x").replace(b'"x"', number)
    assert publishing.post(f"{PATH}?values=any", sent).status_code == 400
    assert publishing.points() == []


def test_it_goes_with_partial_acceptance(publishing: Publishing) -> None:
    answer = publishing.post(f"{PATH}?values=any&partial=true", body("stale", "x", 1))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    assert bits_of(publishing.points()[0].value) == bits_of(STALE)


@pytest.mark.parametrize("value", ["all", "", "Any"])
@pytest.mark.parametrize("values", [[], [1.5], [1.5] * 100, ["stale"]])
def test_another_value_of_the_parameter_is_an_error_whatever_the_body_is(
    publishing: Publishing, value: str, values: list[object]
) -> None:
    answer = publishing.post(f"{PATH}?values={value}", body(*values))
    problem_of(answer, 400, "invalid-argument")
    assert publishing.points() == []
