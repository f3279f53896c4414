"""Look-ups of organizations, as their events tell them now."""

from __future__ import annotations

from application.organizations.deciding import existing
from application.organizations.ports import OrganizationLog, OrganizationRepository
from application.organizations.token_directory import DirectoryState, fold_new
from domain.errors import UnknownToken
from domain.names import abbreviated
from domain.organization import Organization, check_team, find_token
from domain.token import Token


class LookUps:
    """Reads the log at every call: never stale, and for people rather than for the hot path."""

    def __init__(self, organizations: OrganizationRepository, log: OrganizationLog) -> None:
        self._organizations = organizations
        self._log = log

    def organization(self, name: str) -> Organization:
        """Raises UnknownOrganization, LogUnavailable."""
        return existing(self._organizations.find(name), name)

    def organizations(self) -> list[Organization]:
        """List them all, by name. Raises LogUnavailable."""
        state = DirectoryState()
        fold_new(self._log, state)
        return sorted(state.organizations.values(), key=lambda organization: organization.name)

    def tokens(self, name: str, team: str | None) -> list[Token]:
        """List the tokens of the organization itself or of one team, oldest first.

        Raises UnknownOrganization, UnknownTeam, LogUnavailable.
        """
        organization = self.organization(name)
        if team is not None:
            check_team(organization, team)
        return [token for token in organization.tokens.values() if token.team == team]

    def token(self, name: str, team: str | None, token_id: str) -> Token:
        """Return one of those. Raises UnknownToken too."""
        organization = self.organization(name)
        if team is not None:
            check_team(organization, team)
        token = find_token(organization, token_id)
        if token.team != team:
            raise UnknownToken(f"the owner has no token {abbreviated(token_id)}")
        return token
