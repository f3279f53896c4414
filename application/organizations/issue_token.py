"""Use case: issue a token."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from application.clock import Clock
from application.organizations.deciding import change, existing
from application.organizations.ports import OrganizationRepository
from domain.errors import InvalidArgument
from domain.events import OrganizationEvent
from domain.organization import Organization, issue_token
from domain.token import Scope, Token, token_digest


class NewToken(Struct, frozen=True):
    """An id and a secret value, both random and never used before."""

    id: str
    value: str


TokenSource = Callable[[], NewToken]
"""Draws a new token: the value is `cave_` + 43 URL-safe characters, which are 32 random bytes."""


class IssuedToken(Struct, frozen=True):
    """A token with its value, which is shown only once and not stored."""

    token: Token
    value: str


class IssueToken(Struct, frozen=True, kw_only=True):
    """`expires_in` counts from now and must be positive; with None the token never expires."""

    organization: str
    team: str | None = None
    description: str = ""
    scopes: tuple[str, ...] = (Scope.PUBLISH,)
    expires_in: timedelta | None = None


class IssueTokenHandler:
    def __init__(
        self, organizations: OrganizationRepository, new_token: TokenSource, clock: Clock
    ) -> None:
        self._organizations = organizations
        self._new_token = new_token
        self._clock = clock

    def __call__(self, command: IssueToken) -> IssuedToken:
        """Issue the token.

        Raises UnknownOrganization, UnknownTeam, TooManyTokens, InvalidArgument, and the
        repository's errors.
        """
        secret = self._new_token()
        now = self._clock()
        expires_at = _expiry(now, command.expires_in)

        def decide(organization: Organization | None) -> tuple[OrganizationEvent, ...]:
            return issue_token(
                existing(organization, command.organization),
                token_id=secret.id,
                digest=token_digest(secret.value),
                team=command.team,
                description=command.description,
                scopes=command.scopes,
                expires_at=expires_at,
                now=now,
            )

        organization = change(self._organizations, command.organization, decide)
        return IssuedToken(organization.tokens[secret.id], secret.value)


def _expiry(now: datetime, expires_in: timedelta | None) -> datetime | None:
    if expires_in is None:
        return None
    try:
        return now + expires_in
    except OverflowError:
        raise InvalidArgument("a token cannot expire after the year 9999", "expires_in") from None
