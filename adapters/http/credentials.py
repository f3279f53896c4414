"""A request's token: the Basic user name with an empty password, or a Bearer token."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping

from adapters.http.errors import MissingCredentials
from domain.errors import Forbidden

TOKEN_PARAMETERS = frozenset({"u", "p"})
"""Parameters of InfluxDB's clients that hold a token (see `influx_token`)."""


def presented_token(authorization: bytes | None) -> str:
    """Return the token's value from an Authorization header's bytes.

    Raises MissingCredentials if there is no header, the scheme is neither Basic (RFC 7617) nor
    Bearer (RFC 6750), in any case, or the credentials are unreadable; Forbidden for a password.
    """
    if not authorization:
        raise MissingCredentials("no credentials; send the token as Basic user name or as Bearer")
    scheme, _, credentials = authorization.strip().partition(b" ")
    credentials = credentials.strip()
    match scheme.lower():
        case b"bearer":
            token = credentials
        case b"basic":
            token, password = _user_and_password(credentials)
            if token and password:
                raise Forbidden("send the token as the Basic user name, with an empty password")
        case _:
            raise MissingCredentials("the scheme is not supported; use Basic or Bearer")
    if not token:
        raise MissingCredentials("the token is empty; send it as Basic user name or as Bearer")
    return token.decode("utf-8", "replace")


def influx_token(authorization: bytes | None, parameters: Mapping[str, str]) -> str:
    """Return the token's value the way that any of InfluxDB's clients sends it.

    Those of version 2 and 3 have the scheme Token or Bearer. Those of version 1 have a user name
    and a password, in the parameters `u` and `p` or as Basic credentials: the token is the password
    if there is one, else the user name. Raises MissingCredentials.
    """
    if not authorization:
        if token := parameters.get("p") or parameters.get("u"):
            return token
        return presented_token(authorization)
    scheme, _, credentials = authorization.strip().partition(b" ")
    if scheme.lower() == b"token" and credentials.strip():
        return credentials.strip().decode("utf-8", "replace")
    if scheme.lower() == b"basic":
        name, password = _user_and_password(credentials.strip())
        if token := (password or name).decode("utf-8", "replace"):
            return token
    return presented_token(authorization)


def _user_and_password(credentials: bytes) -> tuple[bytes, bytes]:
    """Raises MissingCredentials if they are unreadable."""
    try:
        name, colon, password = b64decode(credentials, validate=True).partition(b":")
    except binascii.Error:
        raise MissingCredentials("the Basic credentials are not base64") from None
    if not colon:
        raise MissingCredentials("the Basic credentials have no colon")
    return name, password
