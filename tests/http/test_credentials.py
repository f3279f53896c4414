"""The token in a request's credentials."""

from __future__ import annotations

from base64 import b64encode

import pytest

from adapters.http.credentials import presented_token
from adapters.http.errors import MissingCredentials
from domain.errors import Forbidden


def basic(text: str, scheme: bytes = b"Basic") -> bytes:
    return scheme + b" " + b64encode(text.encode())


@pytest.mark.parametrize(
    "header",
    [
        basic("cave_x:"),
        basic("cave_x:", b"BASIC"),
        basic("cave_x:", b"basic  "),
        b"Bearer cave_x",
        b"bearer  cave_x ",
        b"BEARER cave_x",
    ],
)
def test_a_token_is_read_from_either_scheme_in_any_case(header: bytes) -> None:
    assert presented_token(header) == "cave_x"


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"Digest abc",
        b"Bearer",
        b"Bearer ",
        b"Basic",
        b"Basic !!!",
        b"Basic " + b64encode(b"no-colon"),
        basic(":password"),
        b"cave_x",
    ],
)
def test_other_headers_are_missing_credentials(header: bytes | None) -> None:
    with pytest.raises(MissingCredentials):
        presented_token(header)


def test_a_password_is_refused() -> None:
    with pytest.raises(Forbidden):
        presented_token(basic("cave_x:secret"))
