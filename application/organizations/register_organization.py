"""Use case: register an organization, with its first token."""

from __future__ import annotations

from msgspec import Struct

from application.clock import Clock
from application.organizations.deciding import change
from application.organizations.issue_token import IssuedToken, TokenSource
from application.organizations.ports import OrganizationRepository
from domain.events import OrganizationEvent
from domain.organization import Organization, evolve, issue_token, register
from domain.token import Scope, token_digest

FIRST_TOKEN = "default"  # noqa: S105  a description, not a secret


class RegisterOrganization(Struct, frozen=True, kw_only=True):
    name: str
    email: str | None = None
    notification_url: str | None = None
    scopes: tuple[str, ...] = (Scope.PUBLISH,)


class RegisterOrganizationHandler:
    def __init__(
        self, organizations: OrganizationRepository, new_token: TokenSource, clock: Clock
    ) -> None:
        self._organizations = organizations
        self._new_token = new_token
        self._clock = clock

    def __call__(self, command: RegisterOrganization) -> tuple[Organization, IssuedToken]:
        """Register the organization and issue its token `default`, atomically.

        Raises OrganizationExists, InvalidArgument, and the repository's errors.
        """
        secret = self._new_token()
        now = self._clock()

        def decide(organization: Organization | None) -> tuple[OrganizationEvent, ...]:
            registered = register(
                organization,
                command.name,
                email=command.email,
                notification_url=command.notification_url,
                now=now,
            )
            return registered + issue_token(
                evolve(None, registered[0]),
                token_id=secret.id,
                digest=token_digest(secret.value),
                description=FIRST_TOKEN,
                scopes=command.scopes,
                now=now,
            )

        organization = change(self._organizations, command.name, decide)
        return organization, IssuedToken(organization.tokens[secret.id], secret.value)
