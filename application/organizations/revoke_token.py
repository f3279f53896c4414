"""Use case: revoke a token."""

from __future__ import annotations

from msgspec import Struct

from application.clock import Clock
from application.organizations.deciding import change, existing
from application.organizations.ports import OrganizationRepository
from domain.organization import revoke_token


class RevokeToken(Struct, frozen=True, kw_only=True):
    """`keep_last` refuses to revoke the owner's last active token."""

    organization: str
    token_id: str
    keep_last: bool = False


class RevokeTokenHandler:
    def __init__(self, organizations: OrganizationRepository, clock: Clock) -> None:
        self._organizations = organizations
        self._clock = clock

    def __call__(self, command: RevokeToken) -> None:
        """Revoke it; one already revoked stays so. Raises UnknownOrganization, UnknownToken,
        LastToken, and the repository's errors."""
        change(
            self._organizations,
            command.organization,
            lambda found: revoke_token(
                existing(found, command.organization),
                command.token_id,
                keep_last=command.keep_last,
                now=self._clock(),
            ),
        )
