"""The registry of event types: stable topic names, which stay when classes move or are renamed."""

from __future__ import annotations

from domain.events import (
    OrganizationEvent,
    OrganizationRegistered,
    TeamCreated,
    TokenIssued,
    TokenRevoked,
)

EVENT_TYPES: dict[str, type[OrganizationEvent]] = {
    "organization.registered.v1": OrganizationRegistered,
    "organization.team-created.v1": TeamCreated,
    "organization.token-issued.v1": TokenIssued,
    "organization.token-revoked.v1": TokenRevoked,
}
"""The version that is written of each event, by topic."""
