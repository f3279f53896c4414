"""Use case: create a team in an organization, with its first token."""

from __future__ import annotations

from application.clock import Clock
from application.organizations.create_team import CreateTeam
from application.organizations.deciding import change, existing
from application.organizations.issue_token import IssuedToken, TokenSource
from application.organizations.ports import OrganizationRepository
from application.organizations.register_organization import FIRST_TOKEN
from domain.events import OrganizationEvent
from domain.organization import Organization, create_team, issue_token, project
from domain.token import token_digest


class CreateTeamWithTokenHandler:
    def __init__(
        self, organizations: OrganizationRepository, new_token: TokenSource, clock: Clock
    ) -> None:
        self._organizations = organizations
        self._new_token = new_token
        self._clock = clock

    def __call__(self, command: CreateTeam) -> tuple[Organization, IssuedToken]:
        """Create the team and issue its token `default`, with scope `publish`, atomically.

        Returns the organization, which now has the team, and the token. Raises
        UnknownOrganization, TeamExists, InvalidArgument, and the repository's errors.
        """
        secret = self._new_token()
        now = self._clock()

        def decide(found: Organization | None) -> tuple[OrganizationEvent, ...]:
            organization = existing(found, command.organization)
            created = create_team(organization, command.name, now)
            with_team = project(organization, created)
            return created + issue_token(
                existing(with_team, command.organization),
                token_id=secret.id,
                digest=token_digest(secret.value),
                team=command.name,
                description=FIRST_TOKEN,
                now=now,
            )

        organization = change(self._organizations, command.organization, decide)
        return organization, IssuedToken(organization.tokens[secret.id], secret.value)
