"""Read, decide, save: how every command on an organization is carried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from application.errors import VersionConflict
from application.organizations.ports import OrganizationRepository
from domain.errors import UnknownOrganization
from domain.events import OrganizationEvent
from domain.names import abbreviated
from domain.organization import Organization, project

MAX_SECONDS = 5.0


def change(
    organizations: OrganizationRepository,
    name: str,
    decide: Callable[[Organization | None], Sequence[OrganizationEvent]],
) -> Organization:
    """Save the events that `decide` returns for the organization; return the changed organization.

    If another writer was faster, reads the organization and decides again; after five seconds of
    such conflicts raises VersionConflict. Also raises what `decide` and the repository raise.
    """
    for attempt in Retrying(
        retry=retry_if_exception_type(VersionConflict),
        wait=wait_random_exponential(multiplier=0.002, max=0.1),
        stop=stop_after_delay(MAX_SECONDS),
        reraise=True,
    ):
        with attempt:
            organization = organizations.find(name)
            events = decide(organization)
            if events:
                organizations.save_events(events)
    changed = project(organization, events)
    assert changed is not None  # noqa: S101  a decision on nothing registers or raises
    return changed


def existing(organization: Organization | None, name: str) -> Organization:
    """Return the organization. Raises UnknownOrganization if it is None."""
    if organization is None:
        raise UnknownOrganization(f"there is no organization {abbreviated(name)}")
    return organization
