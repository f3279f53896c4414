"""The registry of event types by topic: names that stay when classes are moved or renamed."""

from __future__ import annotations

from typing import Any

from application.event_log.versioned_topics import VersionedTopics
from domain.events import (
    LimitsSet,
    OrganizationErased,
    OrganizationEvent,
    OrganizationRegistered,
    TeamCreated,
    TokenIssued,
    TokenRevoked,
)

EVENT_TYPES: dict[str, type[OrganizationEvent]] = {
    "organization.registered": OrganizationRegistered,
    "organization.team-created": TeamCreated,
    "organization.token-issued": TokenIssued,
    "organization.token-revoked": TokenRevoked,
    "organization.limits-set": LimitsSet,
    "organization.erased": OrganizationErased,
}
"""The event type of each topic's current version."""

ORGANIZATION_TOPICS = VersionedTopics[dict[str, Any]]()
for _name in EVENT_TYPES:
    ORGANIZATION_TOPICS.register(_name)

TOPICS_WHEN_FULL = [
    ORGANIZATION_TOPICS.current(name)
    for name in ("organization.token-revoked", "organization.erased")
]
"""Topics of the events that are recorded even if the log is full: those that withdraw access."""
