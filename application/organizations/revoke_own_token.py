"""Use case: an owner revokes one of its own tokens, but not the last active one."""

from __future__ import annotations

from msgspec import Struct

from application.clock import Clock
from application.organizations.deciding import change, existing
from application.organizations.ports import OrganizationRepository
from domain.events import OrganizationEvent
from domain.organization import Organization, find_token_of, revoke_token
from domain.token import Token


class RevokeOwnToken(Struct, frozen=True, kw_only=True):
    """The owner is the organization itself (`team` None) or the team."""

    organization: str
    team: str | None
    token_id: str


class RevokeOwnTokenHandler:
    def __init__(self, organizations: OrganizationRepository, clock: Clock) -> None:
        self._organizations = organizations
        self._clock = clock

    def __call__(self, command: RevokeOwnToken) -> Token:
        """Revoke the token and return it. Does nothing if it is already revoked.

        Raises UnknownOrganization, UnknownTeam, UnknownToken (also for a token of another owner),
        LastToken, and the repository's errors.
        """

        def decide(found: Organization | None) -> tuple[OrganizationEvent, ...]:
            organization = existing(found, command.organization)
            find_token_of(organization, command.team, command.token_id)
            return revoke_token(organization, command.token_id, keep_last=True, now=self._clock())

        organization = change(self._organizations, command.organization, decide)
        return organization.tokens[command.token_id]
