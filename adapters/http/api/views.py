"""JSON bodies and answers of the management routes. Times are ISO 8601 in UTC, ending in Z."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from application.organizations.issue_token import IssuedToken
from application.publishing.refusals import Reason
from application.publishing.refused_points import KeptRefusal
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
    """A token without its value. `team` is null if the token belongs to the organization."""

    id: str
    team: str | None
    description: str
    scopes: tuple[Scope, ...]
    state: TokenState
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None

    @classmethod
    def of(cls, token: Token, now: datetime) -> TokenView:
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
            time=datetime.fromtimestamp(kept.time / 1000, UTC),
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
