"""Events, as kept by the logs.

An organization's events carry the id of their aggregate and a version that counts from 1
without gaps. Events of metrics have neither, because they cannot conflict with anything.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from domain.metric_description import MetricDescription
from domain.metric_point import PointBatch


class OrganizationEvent(Struct, frozen=True, kw_only=True):
    """Base class of an organization's events; `timestamp` is aware, in UTC."""

    originator_id: str
    originator_version: int
    timestamp: datetime


class OrganizationRegistered(OrganizationEvent, frozen=True, kw_only=True):
    name: str
    email: str | None = None
    notification_url: str | None = None


class TeamCreated(OrganizationEvent, frozen=True, kw_only=True):
    name: str


class TokenIssued(OrganizationEvent, frozen=True, kw_only=True):
    """`digest` is the SHA-256 of the token's value in hexadecimal; the value itself is not kept."""

    token_id: str
    team: str | None
    description: str
    scopes: tuple[str, ...]
    digest: str
    expires_at: datetime | None = None


class TokenRevoked(OrganizationEvent, frozen=True, kw_only=True):
    token_id: str


class OrganizationErased(OrganizationEvent, frozen=True, kw_only=True):
    """The organization's metrics are erased; its tokens are revoked with this event."""


class LimitsSet(OrganizationEvent, frozen=True, kw_only=True):
    """All limits of the organization's own from now on; None where it has none (see `limits`)."""

    points_per_second: float | None = None
    burst: int | None = None
    series: int | None = None


class MetricsPublished(Struct, frozen=True, kw_only=True, gc=False):
    """One accepted batch. `token_id` is the id of the token that published it."""

    organization: str
    team: str | None
    token_id: str
    points: PointBatch


class MetricsDescribed(Struct, frozen=True, kw_only=True, gc=False):
    """Descriptions that were new or had changed, at least one; the last one of a name counts.

    They came with a publish with the token `token_id`.
    """

    organization: str
    team: str | None
    token_id: str
    descriptions: tuple[MetricDescription, ...]


MetricEvent = MetricsPublished | MetricsDescribed
"""An event of the metric log."""
