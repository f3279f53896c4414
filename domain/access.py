"""Authorization: whether a token may be used for a request."""

from __future__ import annotations

from datetime import datetime

from domain.errors import Forbidden
from domain.organization import Organization, check_team
from domain.token import Scope, Token


def authorize(
    organization: Organization,
    token: Token | None,
    *,
    team: str | None,
    scope: Scope,
    now: datetime,
) -> Token:
    """Return the token if it grants `scope` on the organization, or on `team` if given.

    `token` is the presented token if it belongs to the organization, else None. An organization's
    token may also act for its teams, a team's token for that team only. Raises UnknownTeam, which
    is checked first, and Forbidden.
    """
    if team is not None:
        check_team(organization, team)
    if token is None:
        raise Forbidden(f"the token is unknown to organization {organization.name!r}")
    check_active(token, now)
    if token.team is not None and token.team != team:
        raise Forbidden(f"the token is for team {token.team!r} only")
    if scope not in token.scopes:
        raise Forbidden(f"the token lacks the scope {scope}")
    return token


def check_active(token: Token, now: datetime) -> None:
    """Raises Forbidden if the token was revoked or has expired."""
    if not token.is_active(now):
        state = "expired" if token.revoked_at is None else "was revoked"
        raise Forbidden(f"the token {state}")
