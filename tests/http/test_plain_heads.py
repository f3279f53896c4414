"""Which request heads take the short way."""

from __future__ import annotations

import pytest

from adapters.http.heads import MAX_HEAD
from adapters.http.publish.answers.ports import Asked
from adapters.http.publish.plain_heads import MAX_HEADS, PlainHead, PlainHeads
from adapters.http.publish.routes import ROUTES, Destination

MAX_BODY = 1000
TOKEN = "cave_a-token"
BEARER = f"Authorization: Bearer {TOKEN}"
LENGTH = "Content-Length: 12"
GILT = "POST /organizations/gilt/metrics HTTP/1.1"


def find(*lines: str) -> PlainHead | None:
    return PlainHeads(MAX_BODY).find("\r\n".join(lines).encode("latin-1"))


@pytest.mark.parametrize(
    ("path", "team"),
    [("/organizations/gilt/metrics", None), ("/organizations/gilt/teams/web/metrics", "web")],
)
def test_a_publish_as_documented_is_plain(path: str, team: str | None) -> None:
    lines = [f"POST {path} HTTP/1.1", "Host: cave", BEARER, LENGTH, "X-Request-Id: 7"]
    destination = Destination(ROUTES[0], "gilt", team)
    expected = PlainHead(path, destination, Asked("json"), None, TOKEN, 12, is_shared=True)
    assert find(*lines) == expected
    assert find(*lines, "Content-Type: application/json; charset=utf-8") == expected
    assert find(*(line.upper() if "Len" in line else line for line in lines)) == expected


@pytest.mark.parametrize("line", [BEARER, LENGTH, "X: y"])
def test_a_line_may_end_without_a_carriage_return_but_the_head_may_not(line: str) -> None:
    lines = [GILT, *({BEARER, LENGTH} - {line})]
    assert find(*lines, f"{line}\nHost: cave") == find(*lines, line)
    assert find(*lines, f"{line}\n", "Host: cave") is None
    assert find(*lines, f"{line}\n\nHost: cave") is None
    assert find(*lines, f"{line}\n") is None


def test_parameters_and_a_content_coding_are_part_of_it() -> None:
    path = "POST /organizations/gilt/metrics?partial=true&a=%c3%a9 HTTP/1.1"
    found = find(path, BEARER, LENGTH, "Content-Encoding: x-gzip")
    assert found is not None
    assert found.path == "/organizations/gilt/metrics"
    assert found.asked.parameters == {"partial": "true", "a": "é"}
    assert found.coding == "gzip"
    assert not found.is_shared


def test_the_token_may_be_the_basic_user_name() -> None:
    found = find(GILT, "authorization: basic Y2F2ZV9hLXRva2VuOg==", LENGTH)
    assert found is not None
    assert found.token == TOKEN


@pytest.mark.parametrize(
    "lines",
    [
        ["GET /organizations/gilt/metrics HTTP/1.1", BEARER, LENGTH],
        ["POST /organizations/gilt/metrics HTTP/1.0", BEARER, LENGTH],
        ["POST /organizations/gilt/tokens HTTP/1.1", BEARER, LENGTH],
        ["POST /organizations/gilt/metrics/ HTTP/1.1", BEARER, LENGTH],
        ["POST /organizations/gi%6ct/metrics HTTP/1.1", BEARER, LENGTH],
        ["POST /organizations/gilt/metrics HTTP/1.1 ", "bad", BEARER, LENGTH],
        [GILT, LENGTH],
        [GILT, "Authorization: Digest x", LENGTH],
        [GILT, "Authorization: Basic Y2F2ZTpwYXNzd29yZA==", LENGTH],
        [GILT, BEARER],
        [GILT, BEARER, f"Content-Length: {MAX_BODY + 1}"],
        [GILT, BEARER, LENGTH, LENGTH],
        [GILT, BEARER, LENGTH, "Content-Length: 13"],
        [GILT, BEARER, BEARER, LENGTH],
        [GILT, BEARER, LENGTH, "Content-Type: text/plain"],
        [GILT, BEARER, LENGTH, "Content-Encoding: br"],
        [GILT, BEARER, "Transfer-Encoding: chunked"],
        [GILT, BEARER, LENGTH, "Transfer-Encoding: chunked"],
        [GILT, BEARER, LENGTH, "Expect: 100-continue"],
        [GILT, BEARER, LENGTH, "Idempotency-Key: k"],
        [GILT, BEARER, LENGTH, "Connection: close"],
        [GILT, BEARER, LENGTH, "Connection: upgrade", "Upgrade: h2c"],
        [GILT, BEARER, LENGTH, "X: " + "x" * MAX_HEAD],
    ],
)
def test_other_heads_are_left_to_the_server(lines: list[str]) -> None:
    assert find(*lines) is None


def test_the_number_of_remembered_heads_is_bounded() -> None:
    heads = PlainHeads(MAX_BODY)
    for number in range(3 * MAX_HEADS):
        head = "\r\n".join([GILT, BEARER, LENGTH, f"X-Request-Id: {number}"]).encode()
        assert heads.find(head) is heads.find(head)
        assert len(heads._known) <= MAX_HEADS
