"""Who is asking, and whether they may: the first step of every request."""

from __future__ import annotations

from msgspec import Struct

from application.ports import Clock
from application.token_directory import TokenDirectory
from domain.access import authorize
from domain.token import Scope, token_digest


class Grant(Struct, frozen=True):
    """Proof that a token may act for an organization, or for one of its teams."""

    organization: str
    team: str | None
    token_id: str


class AccessControl:
    def __init__(self, directory: TokenDirectory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    def grant(self, organization: str, team: str | None, token: str, scope: Scope) -> Grant:
        """Return a grant for the token's value.

        Raises UnknownOrganization, UnknownTeam, Forbidden, DirectoryStale.
        """
        owner, presented = self._directory.look_up(organization, token_digest(token))
        held = authorize(owner, presented, team=team, scope=scope, now=self._clock())
        return Grant(organization, team, held.id)
