"""Use case: create a team in an organization."""

from __future__ import annotations

from msgspec import Struct

from application.clock import Clock
from application.organizations.deciding import change, existing
from application.organizations.ports import OrganizationRepository
from domain.organization import Team, create_team


class CreateTeam(Struct, frozen=True, kw_only=True):
    organization: str
    name: str


class CreateTeamHandler:
    def __init__(self, organizations: OrganizationRepository, clock: Clock) -> None:
        self._organizations = organizations
        self._clock = clock

    def __call__(self, command: CreateTeam) -> Team:
        """Create the team and return it.

        Raises UnknownOrganization, TeamExists, InvalidArgument, and the repository's errors.
        """
        organization = change(
            self._organizations,
            command.organization,
            lambda found: create_team(
                existing(found, command.organization), command.name, self._clock()
            ),
        )
        return organization.teams[command.name]
