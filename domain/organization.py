"""The organization aggregate: decisions as pure functions, state as a fold of events.

A decision is `(state, arguments, now) -> events` and raises a DomainError to refuse.
`evolve(state, event) -> state` never refuses, because the event has already happened.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from domain.errors import (
    InvalidArgument,
    LastToken,
    OrganizationExists,
    TeamExists,
    TooManyTokens,
    UnknownOrganization,
    UnknownTeam,
    UnknownToken,
)
from domain.events import (
    LimitsSet,
    OrganizationErased,
    OrganizationEvent,
    OrganizationRegistered,
    TeamCreated,
    TokenIssued,
    TokenRevoked,
)
from domain.limits import OrganizationLimits, check_limits
from domain.names import abbreviated, label_fault, owner_name_fault
from domain.token import (
    MAX_ACTIVE_TOKENS,
    MAX_DESCRIPTION_LENGTH,
    Scope,
    Token,
    scope_set,
)

MAX_URL_LENGTH = 2048

_looks_like_email = re.compile(r"[^@\s]+@[^@\s]+\Z").match


class Team(Struct, frozen=True):
    name: str
    created_at: datetime


class Organization(Struct, frozen=True, kw_only=True):
    """An organization's state, folded from its events; `version` is that of the last event.

    One that was erased has no active tokens, and its name stays taken.
    """

    id: str
    version: int
    name: str
    email: str | None
    notification_url: str | None
    created_at: datetime
    teams: dict[str, Team]
    tokens: dict[str, Token]
    limits: OrganizationLimits = OrganizationLimits()
    erased_at: datetime | None = None

    def active_tokens(self, team: str | None, now: datetime) -> list[Token]:
        """List the active tokens of the organization itself (`team` None) or of one team."""
        return [t for t in self.tokens.values() if t.team == team and t.is_active(now)]


def organization_id(name: str) -> str:
    """Return the aggregate's id: derived from the name, so that no two can have one name."""
    return f"organization:{name}"


def register(
    existing: Organization | None,
    name: str,
    *,
    email: str | None = None,
    notification_url: str | None = None,
    now: datetime,
) -> tuple[OrganizationEvent, ...]:
    """Register an organization. Raises OrganizationExists, InvalidArgument."""
    _check_owner_name("organization", name)
    if email is not None and not (
        _looks_like_email(email) and email.isprintable() and not label_fault(email)
    ):
        raise InvalidArgument(f"{abbreviated(email)} is not an e-mail address", "email")
    if notification_url is not None:
        _check_url(notification_url)
    if existing is not None:
        raise OrganizationExists(f"there already is an organization {name!r}")
    return (
        OrganizationRegistered(
            originator_id=organization_id(name),
            originator_version=1,
            timestamp=now,
            name=name,
            email=email,
            notification_url=notification_url,
        ),
    )


def create_team(
    organization: Organization, name: str, now: datetime
) -> tuple[OrganizationEvent, ...]:
    """Create a team. Raises TeamExists, InvalidArgument, UnknownOrganization if it was erased."""
    _check_not_erased(organization)
    _check_owner_name("team", name)
    if name in organization.teams:
        raise TeamExists(f"organization {organization.name!r} already has a team {name!r}")
    return (
        TeamCreated(
            originator_id=organization.id,
            originator_version=organization.version + 1,
            timestamp=now,
            name=name,
        ),
    )


def issue_token(
    organization: Organization,
    *,
    token_id: str,
    digest: str,
    team: str | None = None,
    description: str = "",
    scopes: Iterable[str] = (Scope.PUBLISH,),
    expires_at: datetime | None = None,
    now: datetime,
) -> tuple[OrganizationEvent, ...]:
    """Issue a token.

    Raises UnknownTeam, TooManyTokens, InvalidArgument, UnknownOrganization if it was erased.
    """
    _check_not_erased(organization)
    if team is not None:
        check_team(organization, team)
    chosen = scope_set(scopes)
    if len(description) > MAX_DESCRIPTION_LENGTH or not description.isprintable():
        raise InvalidArgument(
            f"a description has at most {MAX_DESCRIPTION_LENGTH} printable characters",
            "description",
        )
    if expires_at is not None and expires_at <= now:
        raise InvalidArgument(
            f"a token must expire in the future, not at {expires_at.isoformat()}", "expires_in"
        )
    alike = [t for t in organization.active_tokens(team, now) if t.scopes == chosen]
    if len(alike) >= MAX_ACTIVE_TOKENS:
        ids = ", ".join(token.id for token in alike)
        raise TooManyTokens(
            f"{owner_words(organization.name, team)} already has {MAX_ACTIVE_TOKENS} active "
            f"tokens with scopes {' '.join(chosen)} ({ids}); revoke one first"
        )
    return (
        TokenIssued(
            originator_id=organization.id,
            originator_version=organization.version + 1,
            timestamp=now,
            token_id=token_id,
            team=team,
            description=description,
            scopes=chosen,
            digest=digest,
            expires_at=expires_at,
        ),
    )


def revoke_token(
    organization: Organization, token_id: str, *, keep_last: bool, now: datetime
) -> tuple[OrganizationEvent, ...]:
    """Revoke a token. Does nothing if it is already revoked.

    With `keep_last`, revoking the owner's last active token raises LastToken. Also raises
    UnknownToken.
    """
    token = find_token(organization, token_id)
    if token.revoked_at is not None:
        return ()
    if keep_last and organization.active_tokens(token.team, now) == [token]:
        raise LastToken(
            f"{token_id} is the last active token of "
            f"{owner_words(organization.name, token.team)}; issue another one first"
        )
    return (
        TokenRevoked(
            originator_id=organization.id,
            originator_version=organization.version + 1,
            timestamp=now,
            token_id=token_id,
        ),
    )


def set_limits(
    organization: Organization, limits: OrganizationLimits, now: datetime
) -> tuple[OrganizationEvent, ...]:
    """Set all limits of its own. Does nothing if they are set already.

    Raises InvalidArgument, UnknownOrganization if it was erased.
    """
    _check_not_erased(organization)
    check_limits(limits)
    if limits == organization.limits:
        return ()
    return (
        LimitsSet(
            originator_id=organization.id,
            originator_version=organization.version + 1,
            timestamp=now,
            points_per_second=limits.points_per_second,
            burst=limits.burst,
            series=limits.series,
        ),
    )


def erase(organization: Organization, now: datetime) -> tuple[OrganizationEvent, ...]:
    """Erase the organization's metrics, and revoke its tokens. Does nothing if it was erased."""
    if organization.erased_at is not None:
        return ()
    return (
        OrganizationErased(
            originator_id=organization.id,
            originator_version=organization.version + 1,
            timestamp=now,
        ),
    )


def find_token(organization: Organization, token_id: str) -> Token:
    """Return the token with that id. Raises UnknownToken."""
    try:
        return organization.tokens[token_id]
    except KeyError:
        raise UnknownToken(
            f"organization {organization.name!r} has no token {abbreviated(token_id)}"
        ) from None


def check_team(organization: Organization, team: str) -> None:
    """Raise UnknownTeam unless the organization has that team."""
    if team not in organization.teams:
        raise UnknownTeam(f"organization {organization.name!r} has no team {abbreviated(team)}")


def find_token_of(organization: Organization, team: str | None, token_id: str) -> Token:
    """Return a token of the organization itself (`team` None) or of one team.

    Raises UnknownTeam, and UnknownToken, also for a token of another owner.
    """
    if team is not None:
        check_team(organization, team)
    token = find_token(organization, token_id)
    if token.team != team:
        raise UnknownToken(f"the owner has no token {abbreviated(token_id)}")
    return token


def evolve(state: Organization | None, event: OrganizationEvent) -> Organization:
    """Return the state after `event`. Raises TypeError for an event that cannot follow."""
    match event:
        case OrganizationRegistered():
            return Organization(
                id=event.originator_id,
                version=event.originator_version,
                name=event.name,
                email=event.email,
                notification_url=event.notification_url,
                created_at=event.timestamp,
                teams={},
                tokens={},
            )
        case TeamCreated() if state is not None:
            team = Team(event.name, event.timestamp)
            return replace(
                state, version=event.originator_version, teams={**state.teams, team.name: team}
            )
        case TokenIssued() if state is not None:
            token = Token(
                id=event.token_id,
                team=event.team,
                description=event.description,
                scopes=tuple(map(Scope, event.scopes)),
                digest=event.digest,
                created_at=event.timestamp,
                expires_at=event.expires_at,
            )
            return replace(
                state, version=event.originator_version, tokens={**state.tokens, token.id: token}
            )
        case TokenRevoked() if state is not None:
            revoked = replace(state.tokens[event.token_id], revoked_at=event.timestamp)
            return replace(
                state,
                version=event.originator_version,
                tokens={**state.tokens, revoked.id: revoked},
            )
        case LimitsSet() if state is not None:
            limits = OrganizationLimits(
                points_per_second=event.points_per_second,
                burst=event.burst,
                series=event.series,
            )
            return replace(state, version=event.originator_version, limits=limits)
        case OrganizationErased() if state is not None:
            return replace(
                state,
                version=event.originator_version,
                erased_at=event.timestamp,
                tokens={
                    token.id: replace(token, revoked_at=token.revoked_at or event.timestamp)
                    for token in state.tokens.values()
                },
            )
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow {state!r}")


def project(state: Organization | None, events: Iterable[OrganizationEvent]) -> Organization | None:
    """Fold `events` into `state`; None if there are neither."""
    return reduce(evolve, events, state)


def owner_words(organization: str, team: str | None) -> str:
    """Name a token's owner in an error message."""
    if team is None:
        return f"organization {organization!r}"
    return f"team {team!r} of organization {organization!r}"


def owner_name(organization: str, team: str | None) -> str:
    """Name an owner in short: `gilt`, or `gilt/web` for a team."""
    return organization if team is None else f"{organization}/{team}"


def _check_not_erased(organization: Organization) -> None:
    if organization.erased_at is not None:
        raise UnknownOrganization(
            f"organization {organization.name!r} was erased at {organization.erased_at.isoformat()}"
        )


def _check_owner_name(kind: str, name: str) -> None:
    if fault := owner_name_fault(name):
        raise InvalidArgument(f"the {kind}'s name {fault}", "name")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or len(url) > MAX_URL_LENGTH or " " in url or not url.isprintable():
        raise InvalidArgument(f"{abbreviated(url)} is not an http or https URL", "notification_url")
