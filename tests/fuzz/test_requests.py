"""No headers, path or bytes on the connection cause a defect; errors have an order."""

from __future__ import annotations

import socket
from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.bodies import mutated
from tests.fuzz.conftest import Target, many

GOOD = b'{"metrics": [{"name": "a", "timestamp": 1, "value": 2, "tags": {}}]}'
ORDER = (401, 404, 403, 415, 413, 400, 202)
TABLE = {202, 400, 401, 403, 404, 405, 413, 415, 422, 429, 503}

# Characters allowed in header fields (RFC 9110). The client refuses others.
field_values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30
).map(lambda text: text.encode("latin-1").strip())


@st.composite
def authorizations(draw: st.DrawFn, token: str) -> tuple[bytes | None, int]:
    """Return a header and the status that it leads to on its own."""
    basic = b64encode(f"{token}:".encode())
    wrong = b64encode(b"cave_wrong:")
    return draw(
        st.sampled_from(
            [
                (b"Bearer " + token.encode(), 202),
                (b"bEARER  " + token.encode(), 202),
                (b"basic " + basic, 202),
                (b"Bearer cave_wrong", 403),
                (b"Basic " + wrong, 403),
                (b"Basic " + basic[:-3] + b"$", 401),
                (b"Digest " + basic, 401),
                (token.encode(), 401),
                (b"Bearer", 401),
                (b"", 401),
                (None, 401),
            ]
        )
    )


paths = st.sampled_from(
    [
        ("/organizations/gilt/metrics", 202),
        ("/organizations/nowhere/metrics", 404),
        ("/organizations/gilt/teams/nobody/metrics", 404),
        ("/organizations/%67ilt/metrics", 202),
        ("/organizations/Gilt/metrics", 404),
        ("/organizations/gilt%00/metrics", 404),
        ("/organizations/gilt/metrics?a=b", 202),
    ]
)
media = st.sampled_from(
    [(None, 202), (b"application/json", 202), (b"APPLICATION/json ;x=y", 202), (b"text/json", 415)]
)
codings = st.sampled_from([(None, 202), (b"identity", 202), (b"br", 415), (b"zstd, gzip", 415)])
contents = st.sampled_from([(GOOD, 202), (b"{", 400), (GOOD.ljust(700_000), 413)])
keys = st.sampled_from([(None, 202), (b"", 400), (b"~" * 256, 400), (b"\xe9", 400), (b"a b", 400)])


@many
@given(data=st.data(), path=paths, media=media, coding=codings, content=contents, key=keys)
def test_of_several_errors_the_first_in_the_documented_order_is_reported(
    target: Target,
    data: st.DataObject,
    path: tuple[str, int],
    media: tuple[bytes | None, int],
    coding: tuple[bytes | None, int],
    content: tuple[bytes, int],
    key: tuple[bytes | None, int],
) -> None:
    authorization = data.draw(authorizations(target.token))
    fields = {
        "Authorization": authorization[0],
        "Content-Type": media[0],
        "Content-Encoding": coding[0],
        "Idempotency-Key": key[0],
    }
    headers = {name: value for name, value in fields.items() if value is not None}
    answer = target.send(content[0], headers, path[0])
    statuses = {status for _, status in (authorization, path, media, coding, content, key)}
    assert answer.status == next(status for status in ORDER if status in statuses), answer


@many
@given(
    name=st.sampled_from(
        [
            *("Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key"),
            *("Host", "Accept", "Expect", "Cookie", "X-Forwarded-For", "Accept-Encoding"),
        ]
    ),
    value=field_values,
)
def test_any_value_of_a_header_has_a_documented_answer(
    target: Target, name: str, value: bytes
) -> None:
    headers = {"Authorization": f"Bearer {target.token}".encode(), name: value}
    assert target.send(GOOD, headers).status in TABLE


@many
@given(data=st.data())
def test_no_bytes_on_a_connection_cause_a_defect(target: Target, data: st.DataObject) -> None:
    request = (
        f"POST /organizations/gilt/metrics HTTP/1.1\r\nHost: cave\r\n"
        f"Authorization: Bearer {target.token}\r\nContent-Length: {len(GOOD)}\r\n\r\n"
    ).encode() + GOOD
    sent = data.draw(mutated(st.just(request)) | st.binary(max_size=100))
    address = (target.service.host, target.service.port)
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert not answer or int(answer.split(b" ", 2)[1]) in TABLE, answer
