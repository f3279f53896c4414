"""JSON bodies and answers of the management routes. Times are ISO 8601 in UTC, ending in Z."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from application.archiving.status import PartitionLog
from application.organization_health import OrganizationHealth, ProjectionHealth
from application.organizations.issue_token import IssuedToken
from application.projections.status import State
from application.publishing.refusals import Reason
from application.publishing.refused_points import KeptRefusal
from application.usage.ports import MINUTE_MS, MINUTES, PointUsage
from domain.names import MAX_OWNER_NAME_LENGTH, OWNER_NAME_PATTERN
from domain.organization import Organization, Team
from domain.token import MAX_DESCRIPTION_LENGTH, Scope, Token

# The patterns and lengths here are for the OpenAPI document; the domain checks them.
OwnerName = Annotated[
    str,
    Meta(
        extra_json_schema={
            "pattern": f"^{OWNER_NAME_PATTERN}$",
            "minLength": 1,
            "maxLength": MAX_OWNER_NAME_LENGTH,
        }
    ),
]
Scopes = Annotated[
    tuple[Scope, ...],
    Meta(min_length=1, description="The operations that the token permits."),
]
Time = Annotated[datetime, Meta(tz=True)]
TokenState = Literal["active", "expired", "revoked"]


class WhoamiView(Struct, frozen=True, kw_only=True):
    """The owner of the presented token, and the token's scopes.

    `team` is null if it is the organization's own.
    """

    organization: str
    team: str | None
    scopes: tuple[Scope, ...]


class NewOrganization(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An organization to register; `scopes` are for its first token."""

    name: OwnerName
    email: Annotated[str, Meta(extra_json_schema={"format": "email"})] | None = None
    notification_url: Annotated[str, Meta(extra_json_schema={"format": "uri"})] | None = None
    scopes: Scopes = (Scope.PUBLISH,)


class NewTeam(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A team to create."""

    name: OwnerName


class NewToken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to issue. Without `expires_in` it does not expire."""

    description: Annotated[str, Meta(extra_json_schema={"maxLength": MAX_DESCRIPTION_LENGTH})] = ""
    scopes: Scopes = (Scope.PUBLISH,)
    expires_in: (
        Annotated[
            str,
            Meta(
                description="Lifetime from now: a whole number followed by s, m, h, d or w.",
                extra_json_schema={"pattern": "^[0-9]{1,12}[smhdw]$", "examples": ["90d", "12h"]},
            ),
        ]
        | None
    ) = None


class OrganizationView(Struct, frozen=True, kw_only=True):
    """An organization, with the names of its teams."""

    name: str
    email: str | None
    notification_url: str | None
    created_at: Time
    teams: list[str]

    @classmethod
    def of(cls, organization: Organization) -> OrganizationView:
        return cls(
            name=organization.name,
            email=organization.email,
            notification_url=organization.notification_url,
            created_at=organization.created_at,
            teams=sorted(organization.teams),
        )


class TeamView(Struct, frozen=True, kw_only=True):
    """A team of an organization."""

    name: str
    created_at: Time

    @classmethod
    def of(cls, team: Team) -> TeamView:
        return cls(name=team.name, created_at=team.created_at)


class TeamsView(Struct, frozen=True):
    """An organization's teams, by name."""

    teams: list[TeamView]


class TokenView(Struct, frozen=True, kw_only=True):
    """A token without its value. `team` is null if the token belongs to the organization.

    `last_used_at` is null if it was never used or is not active; it may be a minute old.
    """

    id: str
    team: str | None
    description: str
    scopes: tuple[Scope, ...]
    state: TokenState
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None

    @classmethod
    def of(cls, token: Token, now: datetime, last_used_at: datetime | None) -> TokenView:
        inactive: TokenState = "expired" if token.revoked_at is None else "revoked"
        return cls(
            id=token.id,
            team=token.team,
            description=token.description,
            scopes=token.scopes,
            state="active" if token.is_active(now) else inactive,
            created_at=token.created_at,
            expires_at=token.expires_at,
            revoked_at=token.revoked_at,
            last_used_at=last_used_at,
        )


class TokensView(Struct, frozen=True):
    """An owner's tokens, oldest first, including revoked and expired ones."""

    tokens: list[TokenView]


class IssuedTokenView(Struct, frozen=True, kw_only=True):
    """A token just issued. This is the only answer with its value, in `token`."""

    token: Annotated[str, Meta(description="The token's value. It is shown only once.")]
    id: str
    team: str | None
    description: str
    scopes: tuple[Scope, ...]
    created_at: Time
    expires_at: Time | None

    @classmethod
    def of(cls, issued: IssuedToken) -> IssuedTokenView:
        token = issued.token
        return cls(
            token=issued.value,
            id=token.id,
            team=token.team,
            description=token.description,
            scopes=token.scopes,
            created_at=token.created_at,
            expires_at=token.expires_at,
        )


class RegisteredOrganizationView(Struct, frozen=True, kw_only=True):
    """An organization just registered, with its first token."""

    organization: OrganizationView
    default_token: IssuedTokenView


class RefusedView(Struct, frozen=True, kw_only=True):
    """Points that were refused while the rest of their body was stored.

    `place` is where they were in the body, in the protocol's terms, `points` how many they are.
    """

    time: Time
    team: str | None
    token_id: str
    protocol: str
    reason: Reason
    place: str
    detail: str
    points: int

    @classmethod
    def of(cls, kept: KeptRefusal) -> RefusedView:
        point = kept.point
        return cls(
            time=_time(kept.time),
            team=kept.team,
            token_id=kept.token_id,
            protocol=kept.protocol,
            reason=point.reason,
            place=point.place,
            detail=point.detail,
            points=point.points,
        )


class RefusedPointsView(Struct, frozen=True):
    """The last thousand refusals of an organization and its teams, the newest first."""

    refused: list[RefusedView]


class ProjectionHealthView(Struct, frozen=True, kw_only=True):
    """A projection, and how far it lags behind the events of the organization's partition.

    `reason` says why it is stopped, if it is. `lag_seconds` is the age of the oldest event that it
    has not read, 0 if there is none.
    """

    name: str
    state: State
    reason: str | None
    lag_events: int
    lag_seconds: float

    @classmethod
    def of(cls, found: ProjectionHealth) -> ProjectionHealthView:
        return cls(
            name=found.now.projection,
            state=found.now.state,
            reason=found.now.reason,
            lag_events=found.partition.lag_events,
            lag_seconds=found.partition.lag_seconds,
        )


class TierView(Struct, frozen=True):
    """The organization's partition of the log in one of the log's tiers.

    Some events may be in both. `bytes` are the server's memory, an estimate, or the archive's
    files.
    """

    tier: Literal["server", "archive"]
    events: int
    bytes: int


class MinuteView(Struct, frozen=True):
    """The points of the minute that begins at `time`: accepted, and refused by reason."""

    time: Time
    accepted: int
    refused: dict[Reason, int]


class RefusedCountView(Struct, frozen=True):
    """The points that were refused one by one, by protocol and reason."""

    protocol: str
    reason: Reason
    points: int


class QuotaView(Struct, frozen=True):
    """How many points per second may be published, and how many at once after a silence."""

    points_per_second: float
    burst: float


class SeriesView(Struct, frozen=True):
    """How many series are active, those of the teams included, and how many may be."""

    active: int
    limit: int


class HealthView(Struct, frozen=True, kw_only=True):
    """An organization's health at the time `at`.

    `projections` or `log` is null if its state is not known now. `minutes` has the last hour and
    the current minute, oldest first; `refused` has the points that were refused in them. `quota`
    and `series` are null without a limit.
    """

    at: Time
    projections: list[ProjectionHealthView] | None
    log: list[TierView] | None
    minutes: list[MinuteView]
    refused: list[RefusedCountView]
    quota: QuotaView | None
    series: SeriesView | None

    @classmethod
    def of(cls, health: OrganizationHealth) -> HealthView:
        counts: Counter[tuple[str, Reason]] = Counter()
        for each in health.minutes:
            counts.update(each.points.refused)
        return cls(
            at=_time(health.at),
            projections=None
            if health.projections is None
            else [ProjectionHealthView.of(found) for found in health.projections],
            log=None if health.log is None else _tiers(health.log, archived=health.archived),
            minutes=_minutes(health),
            refused=[
                RefusedCountView(protocol, reason, points)
                for (protocol, reason), points in sorted(counts.items())
            ],
            quota=None
            if health.quota is None
            else QuotaView(health.quota.points_per_second, health.quota.burst),
            series=None
            if health.series is None
            else SeriesView(health.series.active, health.series.limit),
        )


def _tiers(log: PartitionLog, *, archived: bool) -> list[TierView]:
    server = TierView("server", log.server_events, log.server_bytes)
    if not archived:
        return [server]
    return [server, TierView("archive", log.archive_events, log.archive_bytes)]


def _minutes(health: OrganizationHealth) -> list[MinuteView]:
    """Return all minutes, also those without points."""
    found = {each.minute: each.points for each in health.minutes}
    last = health.at // MINUTE_MS
    views = []
    for minute in range(last - MINUTES, last + 1):
        points = found.get(minute, PointUsage())
        refused: Counter[Reason] = Counter()
        for (_, reason), count in points.refused.items():
            refused[reason] += count
        views.append(MinuteView(_time(minute * MINUTE_MS), points.accepted, dict(refused)))
    return views


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
