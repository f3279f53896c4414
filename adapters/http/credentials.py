"""The token a request presents: as Basic user name with an empty password, or as Bearer."""

from __future__ import annotations

import binascii
from base64 import b64decode

from adapters.http.errors import MissingCredentials
from domain.errors import Forbidden


def presented_token(authorization: bytes | None) -> str:
    """Return the token's value from an Authorization header's bytes.

    Raises MissingCredentials for no header, another scheme (RFC 7617 and RFC 6750, the scheme's
    name in any case) or credentials that cannot be read; Forbidden for Basic with a password.
    """
    if not authorization:
        raise MissingCredentials("no credentials; send the token as Basic user name or Bearer")
    scheme, _, credentials = authorization.strip().partition(b" ")
    credentials = credentials.strip()
    match scheme.lower():
        case b"bearer":
            token = credentials
        case b"basic":
            try:
                token, colon, password = b64decode(credentials, validate=True).partition(b":")
            except binascii.Error:
                raise MissingCredentials("the Basic credentials are not base64") from None
            if not colon:
                raise MissingCredentials("the Basic credentials lack the colon")
            if token and password:
                raise Forbidden("the token is the Basic user name; its password must be empty")
        case _:
            raise MissingCredentials("the scheme is not supported; use Basic or Bearer")
    if not token:
        raise MissingCredentials("the token is empty; send it as Basic user name or Bearer")
    return token.decode("utf-8", "replace")
