"""Use case: set an organization's own limits."""

from __future__ import annotations

from msgspec import Struct

from application.clock import Clock
from application.organizations.deciding import change, existing
from application.organizations.ports import OrganizationRepository
from domain.limits import OrganizationLimits
from domain.organization import Organization, set_limits


class SetLimits(Struct, frozen=True, kw_only=True):
    organization: str
    limits: OrganizationLimits


class SetLimitsHandler:
    def __init__(self, organizations: OrganizationRepository, clock: Clock) -> None:
        self._organizations = organizations
        self._clock = clock

    def __call__(self, command: SetLimits) -> Organization:
        """Set all limits, and return the organization.

        Raises UnknownOrganization, InvalidArgument, and the repository's errors.
        """
        return change(
            self._organizations,
            command.organization,
            lambda found: set_limits(
                existing(found, command.organization), command.limits, self._clock()
            ),
        )
