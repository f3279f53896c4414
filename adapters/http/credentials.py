"""A request's token: the Basic user name with an empty password, or a Bearer token."""

from __future__ import annotations

import binascii
from base64 import b64decode

from adapters.http.errors import MissingCredentials
from domain.errors import Forbidden


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
            try:
                token, colon, password = b64decode(credentials, validate=True).partition(b":")
            except binascii.Error:
                raise MissingCredentials("the Basic credentials are not base64") from None
            if not colon:
                raise MissingCredentials("the Basic credentials have no colon")
            if token and password:
                raise Forbidden("send the token as the Basic user name, with an empty password")
        case _:
            raise MissingCredentials("the scheme is not supported; use Basic or Bearer")
    if not token:
        raise MissingCredentials("the token is empty; send it as Basic user name or as Bearer")
    return token.decode("utf-8", "replace")
