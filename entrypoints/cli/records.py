"""The records that `--json` prints, and the tables are made of.

Times are ISO 8601 in UTC. A `team` of null means the organization itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from application.event_log.ports import (
    RecordedDescriptions,
    RecordedEvent,
    RecordedMetrics,
    UnreadableMetrics,
)
from application.publishing.refused_points import KeptRefusal
from domain.organization import Organization, Team
from domain.token import Token
from domain.values import number_or_text
from entrypoints.cli.output import iso, iso_milliseconds, iso_or_none


class TokenRecord(Struct, frozen=True, kw_only=True):
    """A token, without its value.

    `last_used_at` is None if it was never used or is not active; it may be a minute old.
    """

    id: str
    organization: str
    team: str | None
    description: str
    scopes: tuple[str, ...]
    state: Literal["active", "expired", "revoked"]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None

    @classmethod
    def of(
        cls,
        organization: str,
        token: Token,
        now: datetime,
        last_used_at: datetime | None = None,
    ) -> TokenRecord:
        inactive: Literal["revoked", "expired"] = "revoked" if token.revoked_at else "expired"
        return cls(
            id=token.id,
            organization=organization,
            team=token.team,
            description=token.description,
            scopes=token.scopes,
            state="active" if token.is_active(now) else inactive,
            created_at=iso(token.created_at),
            expires_at=iso_or_none(token.expires_at),
            revoked_at=iso_or_none(token.revoked_at),
            last_used_at=iso_or_none(last_used_at),
        )


class OrganizationRecord(Struct, frozen=True, kw_only=True):
    """An organization; `active_tokens` counts those of its teams too."""

    name: str
    email: str | None
    notification_url: str | None
    created_at: str
    teams: tuple[str, ...]
    active_tokens: int

    @classmethod
    def of(cls, organization: Organization, now: datetime) -> OrganizationRecord:
        return cls(
            name=organization.name,
            email=organization.email,
            notification_url=organization.notification_url,
            created_at=iso(organization.created_at),
            teams=tuple(sorted(organization.teams)),
            active_tokens=sum(token.is_active(now) for token in organization.tokens.values()),
        )


class LimitsRecord(Struct, frozen=True, kw_only=True):
    """An organization's own limits; null where those of `cave serve` count."""

    name: str
    points_per_second: float | None
    burst: int | None
    series: int | None


class TeamRecord(Struct, frozen=True, kw_only=True):
    """A team; `active_tokens` counts its own."""

    name: str
    organization: str
    created_at: str
    active_tokens: int

    @classmethod
    def of(cls, organization: Organization, team: Team, now: datetime) -> TeamRecord:
        return cls(
            name=team.name,
            organization=organization.name,
            created_at=iso(team.created_at),
            active_tokens=len(organization.active_tokens(team.name, now)),
        )


class OrganizationDetails(OrganizationRecord, frozen=True, kw_only=True):
    """The record of `cave org show`, with all tokens, including those of the teams."""

    tokens: tuple[TokenRecord, ...]


class TokenIssuedRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The record of `create` and `issue`: the only one that has a token's value."""

    value: str
    token: TokenRecord
    organization: OrganizationRecord | None = None
    team: TeamRecord | None = None


class PointRecord(Struct, frozen=True):
    """A point; `value` is a text of `domain.values.TEXTS` if it is not finite."""

    name: str
    time: str
    value: float | str
    tags: dict[str, str]


class EventRecord(Struct, frozen=True, kw_only=True):
    """A batch in the log; `time` is when it was appended, by the log's clock."""

    receipt: str
    time: str
    organization: str
    team: str | None
    token_id: str
    count: int
    points: tuple[PointRecord, ...]

    @classmethod
    def of(cls, recorded: RecordedMetrics) -> EventRecord:
        event = recorded.event
        return cls(
            receipt=str(recorded.receipt),
            time=iso_milliseconds(recorded.receipt.milliseconds),
            organization=event.organization,
            team=event.team,
            token_id=event.token_id,
            count=len(event.points),
            points=tuple(
                PointRecord(
                    point.name,
                    iso_milliseconds(point.timestamp),
                    number_or_text(point.value),
                    point.tags,
                )
                for point in event.points.points()
            ),
        )


class DescriptionRecord(Struct, frozen=True):
    name: str
    type: str
    unit: str
    help: str
    temporality: str


class DescribedRecord(Struct, frozen=True, kw_only=True):
    """Descriptions of metrics in the log; `time` is when they were appended."""

    receipt: str
    time: str
    organization: str
    team: str | None
    token_id: str
    count: int
    descriptions: tuple[DescriptionRecord, ...]

    @classmethod
    def of(cls, recorded: RecordedDescriptions) -> DescribedRecord:
        event = recorded.event
        return cls(
            receipt=str(recorded.receipt),
            time=iso_milliseconds(recorded.receipt.milliseconds),
            organization=event.organization,
            team=event.team,
            token_id=event.token_id,
            count=len(event.descriptions),
            descriptions=tuple(
                DescriptionRecord(d.name, d.type.value, d.unit, d.help, d.temporality.value)
                for d in event.descriptions
            ),
        )


def event_record(recorded: RecordedEvent) -> EventRecord | DescribedRecord:
    """Return the record of an event."""
    if isinstance(recorded, RecordedDescriptions):
        return DescribedRecord.of(recorded)
    return EventRecord.of(recorded)


class UnreadableRecord(Struct, frozen=True, kw_only=True):
    """An entry of the log that cannot be read as an event."""

    receipt: str
    time: str
    unreadable: str

    @classmethod
    def of(cls, entry: UnreadableMetrics) -> UnreadableRecord:
        return cls(
            receipt=str(entry.receipt),
            time=iso_milliseconds(entry.receipt.milliseconds),
            unreadable=entry.reason,
        )


class RefusedRecord(Struct, frozen=True, kw_only=True):
    """Points that were refused; `place` is where they were in their body."""

    time: str
    team: str | None
    token_id: str
    protocol: str
    reason: str
    place: str
    detail: str
    points: int

    @classmethod
    def of(cls, kept: KeptRefusal) -> RefusedRecord:
        point = kept.point
        return cls(
            time=iso_milliseconds(kept.time),
            team=kept.team,
            token_id=kept.token_id,
            protocol=kept.protocol,
            reason=point.reason.value,
            place=point.place,
            detail=point.detail,
            points=point.points,
        )


class SampleRecord(Struct, frozen=True, kw_only=True):
    """A sample of a PromQL result. A value that is not finite is a text, as is a string result."""

    labels: dict[str, str]
    time: str
    value: float | str

    @classmethod
    def of(cls, labels: Mapping[str, str], time: int, value: float | str) -> SampleRecord:
        shown = value if isinstance(value, str) else number_or_text(value)
        return cls(labels=dict(labels), time=iso_milliseconds(time), value=shown)
