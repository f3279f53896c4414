"""Shared by the management routes: a request's token, the use cases, and authorization."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

from litestar import Request
from msgspec import Struct

from adapters.http.credentials import presented_token
from adapters.http.header_fields import header_fields
from application.clock import Clock
from application.organizations.access import AccessControl
from application.use_cases import ManageOrganizations, UseCases
from domain.errors import Forbidden
from domain.token import Scope

AnyRequest = Request[Any, Any, Any]


class Administration(Struct, frozen=True):
    """`operator_digest` is the SHA-256 of the operator's token, None if none is set."""

    access: AccessControl
    manage: ManageOrganizations
    operator_digest: bytes | None
    now: Clock

    @classmethod
    def of(cls, use_cases: UseCases, operator_token: str | None, now: Clock) -> Administration:
        digest = sha256(operator_token.encode()).digest() if operator_token else None
        return cls(use_cases.access, use_cases.manage, digest, now)

    def require_admin(self, request: AnyRequest, organization: str, team: str | None) -> None:
        """Raises MissingCredentials, and the errors of AccessControl.grant."""
        self.access.grant(organization, team, token_in(request), Scope.ADMIN)

    def require_operator(self, request: AnyRequest) -> None:
        """Raises MissingCredentials, Forbidden."""
        presented = sha256(token_in(request).encode()).digest()
        if self.operator_digest is None:
            raise Forbidden("no operator token is set: create organizations on the command line")
        # Digests have one length, so the time reveals neither the token's length nor a prefix.
        if not hmac.compare_digest(presented, self.operator_digest):
            raise Forbidden("the token is not the operator's")


def token_in(request: AnyRequest) -> str:
    """Return the token that a request presents. Raises MissingCredentials."""
    return presented_token(header_fields(request.scope["headers"]).get(b"authorization"))
