"""Use case: an operator revokes any token."""

from __future__ import annotations

from msgspec import Struct

from application.clock import Clock
from application.organizations.deciding import change, existing
from application.organizations.ports import OrganizationRepository
from domain.organization import revoke_token
from domain.token import Token


class RevokeToken(Struct, frozen=True, kw_only=True):
    """Any token of the organization or of its teams, even the last active one."""

    organization: str
    token_id: str


class RevokeTokenHandler:
    def __init__(self, organizations: OrganizationRepository, clock: Clock) -> None:
        self._organizations = organizations
        self._clock = clock

    def __call__(self, command: RevokeToken) -> Token:
        """Revoke the token and return it. Does nothing if it is already revoked.

        Raises UnknownOrganization, UnknownToken, and the repository's errors.
        """
        organization = change(
            self._organizations,
            command.organization,
            lambda found: revoke_token(
                existing(found, command.organization),
                command.token_id,
                keep_last=False,
                now=self._clock(),
            ),
        )
        return organization.tokens[command.token_id]
