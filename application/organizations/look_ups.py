"""Look-ups of organizations, teams and tokens, always current."""

from __future__ import annotations

from application.organizations.deciding import existing
from application.organizations.ports import OrganizationLog, OrganizationRepository
from application.organizations.token_directory import DirectoryState, fold_new
from domain.organization import Organization, Team, check_team, find_token_of
from domain.token import Token


class LookUps:
    """Reads the log in every call: never stale, but too slow for the hot path."""

    def __init__(self, organizations: OrganizationRepository, log: OrganizationLog) -> None:
        self._organizations = organizations
        self._log = log

    def organization(self, name: str) -> Organization:
        """Return the organization. Raises UnknownOrganization, LogUnavailable."""
        return existing(self._organizations.find(name), name)

    def organizations(self) -> list[Organization]:
        """List all organizations, by name. Raises LogUnavailable."""
        state = DirectoryState()
        fold_new(self._log, state)
        return sorted(state.organizations.values(), key=lambda organization: organization.name)

    def check_owner(self, name: str, team: str | None) -> Organization:
        """Return the organization, after checking that it has the team if one is given.

        Raises UnknownOrganization, UnknownTeam, LogUnavailable.
        """
        organization = self.organization(name)
        if team is not None:
            check_team(organization, team)
        return organization

    def teams(self, name: str) -> list[Team]:
        """List an organization's teams, by name. Raises UnknownOrganization, LogUnavailable."""
        teams = self.organization(name).teams.values()
        return sorted(teams, key=lambda team: team.name)

    def team(self, name: str, team: str) -> Team:
        """Return a team. Raises UnknownOrganization, UnknownTeam, LogUnavailable."""
        return self.check_owner(name, team).teams[team]

    def tokens(self, name: str, team: str | None) -> list[Token]:
        """List the tokens of the organization itself or of one team, oldest first.

        Raises UnknownOrganization, UnknownTeam, LogUnavailable.
        """
        organization = self.check_owner(name, team)
        return [token for token in organization.tokens.values() if token.team == team]

    def all_tokens(self, name: str) -> list[Token]:
        """List the tokens of the organization and of its teams, oldest first.

        Raises UnknownOrganization, LogUnavailable.
        """
        return list(self.organization(name).tokens.values())

    def token(self, name: str, team: str | None, token_id: str) -> Token:
        """Return a token of the organization itself or of one team.

        Raises UnknownOrganization, UnknownTeam, UnknownToken, LogUnavailable.
        """
        return find_token_of(self.organization(name), team, token_id)
